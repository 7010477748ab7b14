// SPDX-License-Identifier: Apache-2.0
// What `route` compiles: next hops and the longest-prefix tables over them. `rewrite` reads next
// hops, `ravelin routes` lists and looks up.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/stage.h"
#include "pipelines/stages/route_next_hops.h"
#include "pipelines/stages/route_rules.h"
#include "pipelines/stages/route_sources.h"
#include "pipelines/tables/lpm.h"

namespace ravelin {

/// A route for people. RoutePolicy::next_hops().members(value) tells all its next hops.
struct RouteView {
    Prefix prefix;
    uint32_t value = NextHops::kNowhere;
    NextHop hop{.kind = RouteKind::kNone, .gateway = {}};  ///< the first of them
    std::string_view table{};                              ///< named table, empty: main
    std::string_view rule{};                               ///< that chose it, empty: none
};

/// Prefixes and what they lead to. Memory: the Lpm plus 24 bytes a prefix for listing: a full
/// Internet table of a million prefixes keeps 25 MB for that.
struct RouteTable {
    std::string name;               ///< empty: main
    std::vector<LpmEntry> entries;  ///< sorted, each prefix once
    Lpm lpm;

    /// The entry of the longest prefix that holds the address, or null.
    [[nodiscard]] const LpmEntry* find(const IpAddress& address) const;
};

class LearnedRoutes;

class RoutePolicy final : public StagePolicy {
  public:
    /// PacketMeta::next_hop of a packet whose next hop has to be looked up again, as it comes from
    /// another worker, which may have been on another generation.
    static constexpr uint32_t kLookUpAgain = 0xfffffffe;
    /// A value in a table is one of next_hops() with the length of its prefix, so that learned
    /// routes can be longer; a rule's own has none.
    static constexpr unsigned kLengthShift = 20;
    static constexpr uint32_t kLengthMask = 0xffu << kLengthShift;
    static constexpr uint32_t value_of(uint32_t in_table) noexcept {
        return in_table & ~kLengthMask;
    }
    static constexpr int length_of(uint32_t in_table) noexcept {
        return in_table == Lpm::kNoRoute ? -1 : static_cast<int>(in_table >> kLengthShift & 0xff);
    }

    static Result<std::shared_ptr<const RoutePolicy>> build(const config::Node& node,
                                                            const PolicySnapshot& snapshot);
    [[nodiscard]] const Lpm& table() const { return main_.lpm; }
    [[nodiscard]] const NextHops& next_hops() const { return hops_; }
    [[nodiscard]] const OwnAddresses& own() const { return own_; }
    [[nodiscard]] bool drops_martians() const { return drops_martians_; }
    [[nodiscard]] bool drops_special_sources() const { return drops_special_; }
    [[nodiscard]] bool directs_broadcasts() const { return directs_broadcasts_; }
    /// But for the box's own addresses.
    [[nodiscard]] bool takes_any_source() const { return !drops_special_ && !checks_sources_; }
    /// Some port has a reverse-path check.
    [[nodiscard]] bool checks_sources() const { return checks_sources_; }
    [[nodiscard]] bool has_rules() const { return !rules_.empty(); }

    /// Replaces what the main table says of `n` addresses by LearnedRoutes::kBase + value where the
    /// learned prefix is longer; of equal ones the configured stays. Null: none are learned.
    static void prefer_learned(const IpAddress* const* addresses, uint32_t* values, unsigned n,
                               const LearnedRoutes* learned) noexcept;
    /// What the tables without rules say of each packet's source; `values` has room for a burst.
    void look_up_sources(const Burst& burst, const LearnedRoutes* learned,
                         uint32_t* values) const noexcept;
    /// Whether a value of either kind forwards, by `port` unless that is kNoPort.
    [[nodiscard]] bool forwards(uint32_t value, PortId port,
                                const LearnedRoutes* learned) const noexcept;
    /// What the rules make of a received packet for which the tables say `value`.
    [[nodiscard]] uint32_t by_rules(const PacketMeta& meta, uint32_t value) const noexcept;
    /// Whether a named table has a route to the address by the port (RFC 8704: feasible paths).
    [[nodiscard]] bool feasible(const IpAddress& address, PortId port) const noexcept;
    /// The next hop that `route` would choose for the packet; null if there is no route.
    [[nodiscard]] const NextHop* next_hop(const PacketMeta& meta,
                                          const WorkerContext& context) const noexcept;

    /// The longest matching prefix of the main table, with a next hop of kind kNone without one.
    [[nodiscard]] RouteView lookup(const IpAddress& address) const;
    /// The same for a packet, rules included.
    [[nodiscard]] RouteView lookup(const PacketMeta& meta) const;
    /// The first `limit` routes in order of address and length, main table first.
    [[nodiscard]] std::vector<RouteView> list(size_t limit) const;
    [[nodiscard]] size_t size() const;  ///< routes of all tables
    [[nodiscard]] size_t memory_bytes() const override;

  private:
    struct Builder;
    [[nodiscard]] RouteView view(const LpmEntry& entry, const RouteTable& table) const;
    [[nodiscard]] bool is_own(uint32_t value) const noexcept;

    RouteTable main_;
    NextHops hops_;
    OwnAddresses own_;
    bool drops_martians_ = true, drops_special_ = false, directs_broadcasts_ = false;
    bool checks_sources_ = false;
    std::vector<RouteTable> tables_;
    RouteRules rules_;
};

}  // namespace ravelin
