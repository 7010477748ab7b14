// SPDX-License-Identifier: Apache-2.0
// What `route` compiles: next hops and the longest-prefix table over them. `rewrite` reads next
// hops, `ravelin routes` lists and looks up.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/stage.h"
#include "pipelines/tables/lpm.h"

namespace ravelin {

/// PacketMeta::route_kind: what is to become of a packet.
enum class RouteKind : uint8_t {
    kNone,  ///< no route: network unreachable
    kForward,
    kLocal,  ///< one of the box's own addresses
    kGroup,  ///< broadcast or link-scope multicast: local, and never answered with an error
    kUnreachable,
    kProhibit,
    kBlackhole,  ///< dropped in silence, by route itself
};
std::string_view name_of(RouteKind kind);

struct NextHop {
    RouteKind kind = RouteKind::kForward;
    PortId port = kNoPort;
    bool on_link = true;  ///< the destination itself is the neighbour; else `gateway`
    IpAddress gateway;
    bool operator==(const NextHop&) const = default;
};

/// A route for people.
struct RouteView {
    Prefix prefix;
    NextHop hop;
};

/// Next hop i < ports is "on the link of port i". Memory: the table (Lpm) plus 24 bytes a prefix
/// for listing: a full Internet table of a million prefixes keeps 25 MB for that.
class RoutePolicy final : public StagePolicy {
  public:
    /// PacketMeta::next_hop of a packet whose next hop has to be looked up again, as it comes from
    /// another worker, which may have been on another generation.
    static constexpr uint32_t kLookUpAgain = 0xfffffffe;

    static Result<std::shared_ptr<const RoutePolicy>> build(const config::Node& node,
                                                            const PolicySnapshot& snapshot);
    [[nodiscard]] const Lpm& table() const { return table_; }
    [[nodiscard]] const std::vector<NextHop>& next_hops() const { return hops_; }
    /// Where packets for `address` go; kind kNone if there is no route.
    [[nodiscard]] NextHop next_hop(const IpAddress& address) const noexcept {
        const uint32_t value = table_.lookup(address);
        return value < hops_.size() ? hops_[value] : NextHop{RouteKind::kNone, kNoPort, true, {}};
    }
    /// The longest matching prefix and its next hop, kind kNone without one.
    [[nodiscard]] RouteView lookup(const IpAddress& address) const;
    /// The first `limit` routes in order of address and length.
    [[nodiscard]] std::vector<RouteView> list(size_t limit) const;
    [[nodiscard]] size_t size() const { return entries_.size(); }
    [[nodiscard]] size_t memory_bytes() const override;

  private:
    struct Builder;
    std::vector<NextHop> hops_;
    std::vector<LpmEntry> entries_;  // sorted, each prefix once
    Lpm table_;
};

}  // namespace ravelin
