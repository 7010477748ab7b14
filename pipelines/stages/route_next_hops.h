// SPDX-License-Identifier: Apache-2.0
// NextHops: what the values in a route table mean, a next hop or a group of them (ECMP). Immutable
// once built. A member of a group is passed over while its port has no link or its gateway has no
// MAC: both are read for each packet, from the word of links and from the neighbour entry that
// `rewrite` reads next anyway, so nothing is compiled anew when a next hop fails or returns.
#pragma once
#include <cstdint>
#include <map>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/stage.h"
#include "pipelines/tables/resilient_group.h"

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
    kBroadcast,  ///< a network's broadcast address: kGroup on its own port, elsewhere directed
};
std::string_view name_of(RouteKind kind);

struct NextHop {
    RouteKind kind = RouteKind::kForward;
    bool on_link = true;  ///< the destination itself is the neighbour; else `gateway`
    PortId port = kNoPort;
    uint16_t mtu = 0;  ///< bytes of L3 that routes by it carry; 0: as the port
    IpAddress gateway;
    auto operator<=>(const NextHop&) const = default;
};

/// Sets where a packet goes: to the box itself, or onto the link of a port.
inline void go_local(PacketMeta& meta, RouteKind kind) {
    meta.out_port = kLocalPort;
    meta.route_kind = static_cast<uint8_t>(kind);
}

inline void go_on_link(PacketMeta& meta, PortId port) {
    meta.out_port = port;
    meta.next_hop = port;  // NextHopsBuilder: next hop i is the link of port i
    meta.route_kind = static_cast<uint8_t>(RouteKind::kForward);
}

struct WeightedHop {
    NextHop hop;
    uint8_t weight = 1;
    auto operator<=>(const WeightedHop&) const = default;
};

/// Of a next hop as a member of a group: the same on every box and in every generation.
uint64_t identity_of(const NextHop& hop);

class NextHops {
  public:
    static constexpr uint32_t kNowhere = UINT32_MAX;  ///< choose(): no such value
    static constexpr uint32_t kGroup = 1u << 30;      ///< a value from here on is a group
    static constexpr size_t kMostGroups = 4096;       ///< 2 KiB each

    /// Index of the next hop for a packet of flow `hash`; `value` is a next hop's or a group's.
    [[nodiscard]] uint32_t choose(uint32_t value, uint32_t hash,
                                  const WorkerContext& context) const noexcept;
    /// Whether a packet can be sent there, as far as is known.
    static bool reachable(const NextHop& hop, const NeighbourTable& neighbours) noexcept;

    /// Whether one of the next hops of `value` forwards; by `port`, unless that is kNoPort.
    [[nodiscard]] bool forwards(uint32_t value, PortId port) const noexcept;
    /// The port that a next hop forwards by; kNoPort: it does not, or is none, or a group.
    [[nodiscard]] PortId way_out(uint32_t index) const noexcept {
        return index < ways_out_.size() ? ways_out_[index] : kNoPort;
    }
    [[nodiscard]] size_t size() const { return hops_.size(); }
    const NextHop& operator[](size_t i) const { return hops_[i]; }
    /// What `value` stands for, with weights; empty for no value of these.
    [[nodiscard]] std::vector<WeightedHop> members(uint32_t value) const;
    /// Next hops with a gateway that groups need to know the state of; index into this.
    [[nodiscard]] std::span<const uint32_t> watched() const { return watched_; }
    [[nodiscard]] size_t memory_bytes() const {
        return hops_.capacity() * sizeof(NextHop) + ways_out_.capacity() * sizeof(PortId) +
               groups_.capacity() * sizeof(ResilientGroup) + watched_.capacity() * sizeof(uint32_t);
    }

  private:
    friend class NextHopsBuilder;
    std::vector<NextHop> hops_;
    std::vector<PortId> ways_out_;  // of hops_
    std::vector<ResilientGroup> groups_;
    std::vector<uint32_t> watched_;
};

/// Control thread. Equal next hops and equal groups are one. Next hop i < ports is "on the link of
/// port i".
class NextHopsBuilder {
  public:
    explicit NextHopsBuilder(size_t ports);
    uint32_t add(const NextHop& hop);
    /// Errors: none or more than ResilientGroup takes, one given twice, more than kMostGroups.
    Result<uint32_t> add_group(std::vector<WeightedHop> members);
    NextHops take() &&;

  private:
    NextHops made_;
    std::map<NextHop, uint32_t> hop_index_;
    std::map<std::vector<WeightedHop>, uint32_t> group_index_;
};

}  // namespace ravelin
