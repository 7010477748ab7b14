// SPDX-License-Identifier: Apache-2.0
// Which worker a packet belongs to: every packet of a flow, in both directions, to the same one.
#pragma once
#include "dataplane/packet.h"

namespace ravelin {

/// Neighbour tables have a single writer: ARP and neighbour discovery (RFC 4861) go to worker 0.
bool is_neighbour_traffic(const PacketMeta& meta) noexcept;
/// The worker a packet that steer has hashed belongs to.
WorkerId owner_of(const PacketMeta& meta, WorkerId workers) noexcept;
/// Fills hash, kHashed and kSwapped. An ICMP error hashes as the flow it quotes, without kHashed,
/// since that is not the hash of its own key; a fragment without known ports by its addresses.
void set_hash(const Packet& packet, PacketMeta& meta) noexcept;

}  // namespace ravelin
