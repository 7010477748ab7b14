// SPDX-License-Identifier: Apache-2.0
// The outer layers of what the box answers to a packet.
#pragma once
#include <rte_mbuf.h>

#include "dataplane/stage.h"

namespace ravelin::net {

/// Whether an address may be answered at all: one host's, as far as it shows.
bool is_one_host(const IpAddress& address) noexcept;

/// Whether frames pass as they came, between the two ports of a wire.
bool is_wire(const WorkerContext& context) noexcept;

/// A new frame with the reply's Ethernet header: MACs swapped; tags survive on a wire only. Null:
/// no buffer.
rte_mbuf* new_reply(const Packet& packet, const PacketMeta& meta,
                    const WorkerContext& context) noexcept;

/// Bytes of the header that write_ip makes.
uint16_t ip_header_bytes(const IpAddress& destination) noexcept;
/// An IP header of `destination`'s family for `length` bytes of `protocol`, to `out`.
void write_ip(uint8_t* out, const IpAddress& source, const IpAddress& destination, uint8_t protocol,
              uint32_t length, uint8_t tos) noexcept;
/// The same at the end of `frame`.
void append_ip(rte_mbuf* frame, const IpAddress& source, const IpAddress& destination,
               uint8_t protocol, uint32_t length, uint8_t tos) noexcept;

}  // namespace ravelin::net
