// SPDX-License-Identifier: Apache-2.0
// Which source addresses a packet may not have, told by the address alone: those of the box, its
// broadcasts, and blocks that belong to nobody. What needs the route table is in route.cc (rpf).
#pragma once
#include <array>
#include <cstdint>
#include <vector>

#include "dataplane/columns.h"
#include "dataplane/packet.h"
#include "dataplane/snapshot.h"

namespace ravelin {

/// The box's own addresses and its networks' broadcasts. Almost every packet's source is none of
/// them, so a filter of 512 bits decides first: one cache line, or one register.
class OwnAddresses {
  public:
    OwnAddresses() = default;
    explicit OwnAddresses(const std::vector<PortPolicy>& ports);

    enum class Kind : uint8_t { kNone, kHost, kBroadcast };
    [[nodiscard]] Kind find(const IpAddress& address) const noexcept {
        const unsigned at = bit(address);
        if ((filter_[at / 32] >> (at % 32) & 1) == 0) [[likely]]
            return Kind::kNone;
        return search(address);
    }
    /// Bits of the IPv4 addresses, in host order, that find() may know; the first `n` of 64 places.
    [[nodiscard]] uint64_t may_be(const columns::Column<uint32_t>& hosts,
                                  unsigned n) const noexcept;

  private:
    struct Entry {
        IpAddress address;
        Kind kind;
    };
    static unsigned bit(const IpAddress& address) noexcept {
        const uint64_t word = address.low() ^ address.high();
        return bit(static_cast<uint32_t>(word ^ word >> 32 ^ kMapped));
    }
    static unsigned bit(uint32_t word) noexcept { return word * kFactor >> kShift; }
    // IPv4 addresses are mapped: what stands in front of them is taken out again.
    static constexpr uint32_t kMapped = 0xffff, kFactor = 0x9e3779b1, kShift = 32 - 9;
    [[nodiscard]] Kind search(const IpAddress& address) const noexcept;
    void add(const IpAddress& address, Kind kind);

    alignas(64) std::array<uint32_t, 16> filter_{};
    std::vector<Entry> entries_;
};

/// Blocks whose Source column is False in the IANA special-purpose registries (RFC 6890) and that
/// are not martians anyway: documentation networks, protocol assignments, old ORCHIDs.
bool is_special_source(const IpAddress& address) noexcept;

}  // namespace ravelin
