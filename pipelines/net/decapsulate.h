// SPDX-License-Identifier: Apache-2.0
// Opening VXLAN packets (RFC 7348), without a stage around it: the vxlan stage and the fuzzer call
// it. Of packets that parse took for whole UDP packets.
#pragma once
#include <optional>

#include "dataplane/packet.h"

namespace ravelin::net {

/// The network identifier, 24 bits; nothing if the UDP payload is no VXLAN header that has one.
/// Reserved bits are not looked at (RFC 7348 section 5).
std::optional<uint32_t> vni_of(const Packet& packet, const PacketMeta& meta) noexcept;
/// An IPv6 packet whose UDP checksum is zero (RFC 8200 section 8.1, RFC 6935).
bool lacks_checksum(const Packet& packet, const PacketMeta& meta) noexcept;

enum class Decapsulation : uint8_t {
    kDone,        ///< the frame is now the inner one
    kMalformed,   ///< no whole Ethernet header within
    kCongestion,  ///< RFC 6040 section 4.2: a mark that the inner sender does not understand
};
/// Takes the outer headers off a frame of which vni_of told a VNI, and carries a congestion mark
/// over to the inner packet. Otherwise than kDone the frame is as it was.
Decapsulation decapsulate(rte_mbuf* frame, const PacketMeta& meta) noexcept;

}  // namespace ravelin::net
