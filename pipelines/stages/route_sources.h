// SPDX-License-Identifier: Apache-2.0
// Which source addresses a packet may not have, told by the address alone: those of the box, its
// broadcasts, and blocks that belong to nobody. What needs the route table is in route.cc (rpf).
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/packet.h"
#include "dataplane/snapshot.h"

namespace ravelin {

/// The box's own addresses and its networks' broadcasts. Almost every packet's source is none of
/// them, so a filter of 256 bits decides first: four loads from one cache line.
class OwnAddresses {
  public:
    OwnAddresses() = default;
    explicit OwnAddresses(const std::vector<PortPolicy>& ports);

    enum class Kind : uint8_t { kNone, kHost, kBroadcast };
    [[nodiscard]] Kind find(const IpAddress& address) const noexcept {
        const unsigned at = bit(address);
        if ((filter_[at / 64] >> (at % 64) & 1) == 0) [[likely]]
            return Kind::kNone;
        return search(address);
    }

  private:
    struct Entry {
        IpAddress address;
        Kind kind;
    };
    static unsigned bit(const IpAddress& address) noexcept {
        return static_cast<unsigned>((address.low() ^ address.high()) * 0x9e3779b97f4a7c15u >> 56);
    }
    [[nodiscard]] Kind search(const IpAddress& address) const noexcept;
    void add(const IpAddress& address, Kind kind);

    std::array<uint64_t, 4> filter_{};
    std::vector<Entry> entries_;
};

/// Blocks whose Source column is False in the IANA special-purpose registries (RFC 6890) and that
/// are not martians anyway: documentation networks, protocol assignments, old ORCHIDs.
bool is_special_source(const IpAddress& address) noexcept;

}  // namespace ravelin
