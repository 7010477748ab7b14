// SPDX-License-Identifier: Apache-2.0
// Which worker a packet belongs to: every packet of a flow, in both directions, to the same one.
#pragma once
#include "dataplane/flow.h"
#include "dataplane/packet.h"
#include "dataplane/stage.h"

namespace ravelin {

namespace nat {
class NatPolicy;
}

/// Neighbour tables have a single writer: ARP and neighbour discovery (RFC 4861) go to worker 0.
bool is_neighbour_traffic(const PacketMeta& meta) noexcept;
/// The worker a packet that steer has hashed belongs to. Where NICs spread flows it is the one they
/// would choose, so that a packet they knew how to spread is there already. `nat`: the policy of
/// that stage, or null; translated packets belong to the worker of their inner flow.
WorkerId owner_of(const Packet& packet, const PacketMeta& meta, const WorkerContext& context,
                  const nat::NatPolicy* nat) noexcept;
/// The same of a TCP or UDP packet over IPv4 that is no fragment, where NICs spread flows; host
/// order, `ports`: source << 16 | destination.
WorkerId owner_of_plain(uint32_t source, uint32_t destination, uint32_t ports,
                        const WorkerContext& context) noexcept;
/// Where the fragments between two addresses meet. A NIC sends them there.
WorkerId meeting_worker(const PacketMeta& meta, const WorkerContext& context) noexcept;
/// Fills hash of what is no IP packet, by its MACs, and of an ICMP error, as the flow it quotes.
void set_other_hash(const Packet& packet, PacketMeta& meta) noexcept;
/// Fills hash, kHashed and kSwapped. An ICMP error hashes as the flow it quotes, without kHashed,
/// since that is not the hash of its own key; a fragment without known ports by its addresses.
inline void set_hash(const Packet& packet, PacketMeta& meta) noexcept {
    if (!meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6) || meta.has(PacketMeta::kIcmpError))
        [[unlikely]]
        return set_other_hash(packet, meta);
    const bool ports = meta.has(PacketMeta::kPorts);
    bool swapped = false;
    meta.hash =
        FlowKey::make(meta.source, meta.destination, ports ? meta.source_port : uint16_t{0},
                      ports ? meta.destination_port : uint16_t{0}, meta.protocol, 0, swapped)
            .hash();
    meta.flags |= PacketMeta::kHashed | (swapped ? PacketMeta::kSwapped : 0u);
}

}  // namespace ravelin
