// SPDX-License-Identifier: Apache-2.0
// Writing other addresses and ports into an IPv4 packet: header and quote, each checksum by its
// difference (RFC 1624 equation 3), so that what arrived damaged leaves damaged. Metadata follows
// the frame and keeps what was there before.
//
// An ICMP error goes to the sender of the packet it quotes. Its destination and the quote's source
// are one end, its source and the quote's destination the other: both are changed alike (RFC 5508
// section 4).
#pragma once
#include "dataplane/packet.h"

namespace ravelin {

/// Sets destination and, where the protocol has them, port or echo identifier; `address` and `port`
/// in host order. PacketMeta::hash is of the old addresses afterwards.
void translate_destination(const Packet& packet, PacketMeta& meta, uint32_t address,
                           uint16_t port) noexcept;
/// Sets the source to PacketMeta::nat_source and its port; does nothing where that is 0.
void translate_source(const Packet& packet, PacketMeta& meta) noexcept;
/// Gives a packet the addresses it came with, so that an error about it quotes what its sender
/// sent. Leaves ICMP errors alone: nothing answers them.
void undo_translation(const Packet& packet, PacketMeta& meta) noexcept;

}  // namespace ravelin
