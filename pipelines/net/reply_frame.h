// SPDX-License-Identifier: Apache-2.0
// The outer layers of what the box answers to a packet.
#pragma once
#include <rte_mbuf.h>

#include "dataplane/stage.h"

namespace ravelin::net {

/// Whether an address may be answered at all: one host's, as far as it shows.
bool is_one_host(const IpAddress& address) noexcept;

/// A new frame with the reply's Ethernet header: MACs swapped; tags survive on a wire only. Null:
/// no buffer.
rte_mbuf* new_reply(const Packet& packet, const PacketMeta& meta,
                    const WorkerContext& context) noexcept;

/// Appends an IP header of `destination`'s family for `length` bytes of `protocol`.
void append_ip(rte_mbuf* frame, const IpAddress& source, const IpAddress& destination,
               uint8_t protocol, uint32_t length, uint8_t tos) noexcept;

}  // namespace ravelin::net
