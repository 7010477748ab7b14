// SPDX-License-Identifier: Apache-2.0
// TunnelMtus: what the paths to the other ends of VXLAN tunnels carry, as ICMP errors about the
// outer packets told it. These are never cut, so who sends into a tunnel has to be told in time.
// Shared by all workers; one entry for each pair of ends there is, so nobody can fill it.
//
// Cost: a comparison a packet into a tunnel while nothing is known.
#pragma once
#include <atomic>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/clock.h"
#include "dataplane/packet.h"
#include "dataplane/snapshot.h"

namespace ravelin {

class TunnelMtus {
  public:
    static constexpr uint64_t kForgetMs = 600'000;    ///< RFC 1191 section 6.3, RFC 8201 section 4
    static constexpr uint32_t kLeastV4 = 576;         ///< what every host takes (RFC 791)
    static constexpr uint32_t kLeastV6 = 1280;        ///< RFC 8200 section 5
    static constexpr uint32_t kUnknown = UINT32_MAX;  ///< no less than the port's

    /// For the ends that `ports` have. What `before` knows of them (null: nothing) stays known.
    TunnelMtus(const std::vector<PortPolicy>& ports, const TunnelMtus* before);

    /// What a packet may have, bytes of L3, that leaves by `end` for this MAC: the least of the
    /// remotes that it is copied to.
    [[nodiscard]] uint32_t inner(const VxlanEnd& end, const MacAddress& to,
                                 const Now& now) const noexcept;
    /// The path takes packets of `mtu` bytes of L3, no more; for ten minutes. A greater one than is
    /// known says nothing, nor does one of ends that are not ours.
    void lower(const IpAddress& local, const IpAddress& remote, uint32_t mtu,
               const Now& now) noexcept;
    /// Another number once inner() may say less.
    [[nodiscard]] uint32_t version() const noexcept {
        return version_.load(std::memory_order_acquire);
    }
    [[nodiscard]] size_t memory_bytes() const noexcept;

  private:
    struct Entry {
        IpAddress local, remote;
        std::atomic<uint64_t> told{0};  // until when, in ms of the clock, << 16 | MTU; 0: nothing
    };
    [[nodiscard]] Entry* find(const IpAddress& local, const IpAddress& remote) const noexcept;
    static uint32_t mtu_of(uint64_t told, uint64_t now_ms) noexcept;

    std::unique_ptr<Entry[]> entries_;  // by local and remote address
    size_t count_ = 0;
    std::atomic<uint64_t> until_ms_{0};  // nothing is known from then on
    std::atomic<uint32_t> version_{0};
};

/// Of the stage vxlan, as far as others need it.
struct TunnelPolicy : StagePolicy {
    std::shared_ptr<TunnelMtus> mtus;  ///< state, not policy: goes on from one to the next
    [[nodiscard]] size_t memory_bytes() const override { return mtus->memory_bytes(); }
};

/// What an ICMP error says of an outer packet of this box.
struct TooBigForPath {
    IpAddress local, remote;
    uint32_t mtu = 0;  ///< bytes of L3; 0: one that cannot be
};

/// Of a packet with PacketMeta::kIcmpError: "fragmentation needed" or "packet too big" about one
/// that a tunnel end of `ports` sent to a remote of it. Told from forgeries by what RFC 5927 and
/// RFC 8201 give: addresses, port and network of one of ours, and an MTU less than the quoted
/// packet's length. Where no MTU is told (RFC 1191 section 5) it is the next plateau below that.
std::optional<TooBigForPath> read_too_big(const Packet& packet, const PacketMeta& meta,
                                          const std::vector<PortPolicy>& ports) noexcept;

}  // namespace ravelin
