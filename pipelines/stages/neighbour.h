// SPDX-License-Identifier: Apache-2.0
// What `neighbour` shares with `rewrite`: its policy, and holding packets until a MAC is known.
#pragma once
#include <cstdint>
#include <vector>

#include "dataplane/neighbour_table.h"
#include "dataplane/stage.h"

namespace ravelin {

struct StaticNeighbour {
    PortId port = kNoPort;
    IpAddress address;
    MacAddress mac;
};

struct NeighbourPolicy final : StagePolicy {
    uint64_t serial = 0;  ///< differs for each compiled policy, so that worker 0 notices a new one
    uint32_t icmp_rate = 0;
    std::vector<StaticNeighbour> statics;
};

/// Timers, in ms. RFC 4861 section 10; ARP is treated the same (RFC 1122 section 2.3.2.1).
namespace neighbour_timing {
inline constexpr uint32_t kReachable = 30'000, kDelay = 5'000, kRetransmit = 1'000;
inline constexpr uint32_t kFailedFor = 1'000;    ///< packets are refused before a new attempt
inline constexpr uint32_t kForgotten = 600'000;  ///< stale and unused: forgotten
inline constexpr uint8_t kTries = 3;
/// Addresses being looked for at once. Each takes 4 s to give up, so a scan of a connected network
/// makes at most 256 new requests a second.
inline constexpr size_t kMaxUnresolved = 1024;
}  // namespace neighbour_timing

/// What became of a packet whose neighbour has no MAC yet.
enum class Held : uint8_t {
    kHeld,         ///< taken; it leaves, or is answered with an ICMP error, by neighbour's hand
    kUnreachable,  ///< the neighbour did not answer a moment ago
    kQueueFull,    ///< enough packets wait for it already
    kTooMany,      ///< too many addresses are being looked for, or the table is full
};

/// Worker 0 only: keeps a packet that is finished but for its Ethernet header, and asks for the MAC
/// if nobody did. `mtu`: what it is cut to if it is longer. Takes the frame only with kHeld.
Held hold_for_neighbour(rte_mbuf* frame, const PacketMeta& meta, const IpAddress& next_hop,
                        uint32_t mtu, WorkerContext& context) noexcept;

/// Worker 0 only: asks for the MAC of an address that nobody looks for yet; its slot, or kNoSlot
/// while too many are being looked for.
uint32_t ask_for_neighbour(PortId port, const IpAddress& address, WorkerContext& context) noexcept;

/// Writes the Ethernet header in front of the IP packet, dropping tags and padding; `meta` follows.
/// False if the frame is not what meta says.
bool write_ethernet(rte_mbuf* frame, PacketMeta& meta, const MacAddress& source,
                    const MacAddress& destination) noexcept;

/// Sends what waits for the entry, in order.
void send_held(uint32_t slot, WorkerContext& context) noexcept;

}  // namespace ravelin
