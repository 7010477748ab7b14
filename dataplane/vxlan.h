// SPDX-License-Identifier: Apache-2.0
// VxlanEnd: this box's end of VXLAN tunnels (RFC 7348) with one network identifier, and what stands
// in front of a frame that leaves by them.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/address.h"

struct rte_mbuf;

namespace ravelin {

/// Remote ends are listed, not learned: who is not listed can neither send nor be sent to.
struct VxlanEnd {
    static constexpr unsigned kMostInFront = 70;    ///< bytes that encapsulate() needs
    static constexpr unsigned kMaxRemotes = 16;     ///< each gets a copy of every broadcast
    static constexpr unsigned kMaxStations = 1024;  ///< MAC addresses said to be behind a remote

    struct Station {
        MacAddress mac;
        uint16_t remote = 0;  ///< index into `remotes`
        bool operator==(const Station&) const = default;
    };
    uint32_t vni = 0;  ///< 24 bits
    IpAddress local;
    uint16_t udp_port = 4789;
    bool zero_checksum = false;  ///< IPv6: outer UDP without checksum (RFC 6935)
    std::vector<IpAddress> remotes;
    std::vector<Station> stations;  ///< by MAC

    /// Outer headers of IP, UDP and VXLAN, and the inner Ethernet header: bytes that a packet in
    /// the tunnel has less than the path.
    [[nodiscard]] uint32_t overhead() const { return local.is_v4() ? 50 : 70; }
    /// Where a frame to this MAC goes: the one remote it is said to be behind, else all.
    [[nodiscard]] std::span<const IpAddress> remotes_of(const MacAddress& mac) const noexcept;
    bool operator==(const VxlanEnd&) const = default;
};

/// Puts Ethernet (blank), IP, UDP and VXLAN headers in front of a whole Ethernet frame. The UDP
/// source port is chosen by the inner flow, DSCP and ECN are the inner packet's (RFC 2983 uniform,
/// RFC 6040 section 4.1 normal), the outer packet is not to be cut. False: no headroom.
bool encapsulate(rte_mbuf* frame, const VxlanEnd& end, const IpAddress& remote) noexcept;

}  // namespace ravelin
