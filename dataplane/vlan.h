// SPDX-License-Identifier: Apache-2.0
// Vlan: the IEEE 802.1Q tags that tell a sub-interface from its parent and from the others on it.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/result.h"
#include "dataplane/verdict.h"

namespace ravelin {

/// Ids from 1 to 4094.
struct Vlan {
    uint16_t outer = 0;    ///< 0: no VLAN
    uint16_t inner = 0;    ///< 0: one tag
    bool service = false;  ///< the outer tag is sent as 802.1ad (0x88a8), not as 802.1Q (0x8100)

    /// "10", or "10.20" with the outer id first. The error says what was expected.
    static Result<Vlan> parse(std::string_view text);
    [[nodiscard]] std::string to_string() const;
    bool operator==(const Vlan&) const = default;
};

/// What a frame has between its MAC addresses and its ethertype.
struct VlanTags {
    uint8_t length = 0;  ///< bytes: 0, 4 or 8
    std::array<uint8_t, 8> bytes{};

    static VlanTags of(const Vlan& vlan);
};

/// The tags that a frame carries behind its MAC addresses, two at most.
struct FrameTags {
    uint8_t length = 0;  ///< bytes of them
    uint16_t outer_tci = 0, inner_tci = 0;
    bool service = false;  ///< the outer one is 802.1ad's

    /// Of `length` bytes, which may end anywhere.
    static FrameTags read(const uint8_t* frame, size_t length) noexcept;
};

/// (port, ids of a frame's tags) -> sub-interface. Built once, then only read.
class VlanMap {
  public:
    /// What stands at `port`, by its index; entries without a VLAN are no sub-interfaces.
    struct Entry {
        PortId parent = kNoPort;
        Vlan vlan;
    };
    VlanMap() = default;
    explicit VlanMap(const std::vector<Entry>& ports);

    /// Where a frame belongs that came in by `port` with these tags (TCI; 0: none). With id 0 alone
    /// a tag says only a priority: `port` itself. kNoPort: no sub-interface has these ids. Which
    /// ethertype the outer tag has (`service`: 802.1ad) makes a difference only where one of either
    /// has the ids: packet sockets lose it.
    [[nodiscard]] PortId find(PortId port, uint16_t outer_tci, uint16_t inner_tci,
                              bool service = false) const noexcept;

  private:
    struct Slot {
        uint64_t key = 0;
        std::array<PortId, 2> port{kNoPort, kNoPort};  // by `service`; of an empty slot
        [[nodiscard]] bool empty() const noexcept { return port[0] == kNoPort; }
    };
    static uint64_t key_of(PortId port, unsigned outer, unsigned inner) noexcept {
        return uint64_t{port} << 24 | outer << 12 | inner;
    }
    [[nodiscard]] size_t place_of(uint64_t key) const noexcept {
        return static_cast<size_t>(key * 0x9e3779b97f4a7c15 >> 40) & (slots_.size() - 1);
    }
    [[nodiscard]] size_t slot_of(uint64_t key) const noexcept {
        size_t at = place_of(key);
        while (!slots_[at].empty() && slots_[at].key != key) at = (at + 1) & (slots_.size() - 1);
        return at;
    }
    std::vector<Slot> slots_;  // a power of two, at least twice the entries; or none
};

}  // namespace ravelin
