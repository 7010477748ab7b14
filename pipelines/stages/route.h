// SPDX-License-Identifier: Apache-2.0
// What `route` compiles: next hops and the longest-prefix tables over them. `rewrite` reads next
// hops, `ravelin routes` lists and looks up.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/stage.h"
#include "pipelines/stages/route_next_hops.h"
#include "pipelines/tables/lpm.h"

namespace ravelin {

/// A route for people. RoutePolicy::next_hops().members(value) tells all its next hops.
struct RouteView {
    Prefix prefix;
    uint32_t value = NextHops::kNowhere;
    NextHop hop{.kind = RouteKind::kNone, .gateway = {}};  ///< the first of them
};

/// Memory: the table (Lpm) plus 24 bytes a prefix for listing: a full Internet table of a million
/// prefixes keeps 25 MB for that.
class RoutePolicy final : public StagePolicy {
  public:
    /// PacketMeta::next_hop of a packet whose next hop has to be looked up again, as it comes from
    /// another worker, which may have been on another generation.
    static constexpr uint32_t kLookUpAgain = 0xfffffffe;

    static Result<std::shared_ptr<const RoutePolicy>> build(const config::Node& node,
                                                            const PolicySnapshot& snapshot);
    [[nodiscard]] const Lpm& table() const { return table_; }
    [[nodiscard]] const NextHops& next_hops() const { return hops_; }
    /// The next hop that `route` would choose for the packet; null if there is no route.
    [[nodiscard]] const NextHop* next_hop(const PacketMeta& meta,
                                          const WorkerContext& context) const noexcept;
    /// The longest matching prefix, with a next hop of kind kNone without one.
    [[nodiscard]] RouteView lookup(const IpAddress& address) const;
    /// The first `limit` routes in order of address and length.
    [[nodiscard]] std::vector<RouteView> list(size_t limit) const;
    [[nodiscard]] size_t size() const { return entries_.size(); }
    [[nodiscard]] size_t memory_bytes() const override;

  private:
    struct Builder;
    [[nodiscard]] RouteView view(const LpmEntry& entry) const;
    NextHops hops_;
    std::vector<LpmEntry> entries_;  // sorted, each prefix once
    Lpm table_;
};

}  // namespace ravelin
