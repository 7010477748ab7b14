// SPDX-License-Identifier: Apache-2.0
// Header parsing without a stage around it: a frame's headers -> PacketMeta, or the reason why the
// frame is no packet. Touches nothing but its arguments; the parse stage and the fuzzer call it.
#pragma once
#include <array>
#include <cstdint>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/packet.h"
#include "dataplane/stage.h"

namespace ravelin::net {

/// Why a frame is refused. Order as in kParseDrops.
enum class ParseDrop : uint8_t {
    kTruncated,
    kNoBuffer,
    kVlanDepth,
    kVlan,
    kOtherMac,
    kSourceMac,
    kArpMalformed,
    kIpVersion,
    kIpHeader,
    kIpLength,
    kIpChecksum,
    kIpOptions,
    kSourceRoute,
    kJumbogram,
    kExtensionLength,
    kExtensionOrder,
    kTooManyExtensions,
    kRoutingHeader0,
    kFragmentTiny,
    kFragmentMalformed,
    kFragmentOverflow,
    kLoopback,
    kSourceMulticast,
    kSourceBroadcast,
    kSourceReserved,
    kSourceUnspecified,
    kDestinationUnspecified,
    kMappedAddress,
    kLand,
    kTcpHeader,
    kUdpLength,
    kIcmpHeader,
    kBadL4Checksum,
    kCount,
    kNone,
};

inline constexpr std::array<CounterDecl, static_cast<size_t>(ParseDrop::kCount)> kParseDrops{{
    {"truncated", "Frames that end before their headers do."},
    {"no_buffer", "Chained frames whose headers could not be made contiguous: the pool was empty."},
    {"vlan_depth", "Frames with more than two VLAN tags."},
    {"vlan", "Frames with VLAN ids that no sub-interface of their port has; router mode."},
    {"other_mac", "Frames to a unicast MAC that is not the port's; a switch floods these."},
    {"source_mac", "Frames from a group MAC address."},
    {"arp_malformed", "ARP that is not Ethernet and IPv4, or neither request nor reply."},
    {"ip_version", "IP version that contradicts the ethertype."},
    {"ip_header", "IPv4 header length below 20 bytes or beyond the packet."},
    {"ip_length", "IP length beyond the frame or below its own header."},
    {"ip_checksum", "Wrong IPv4 header checksum."},
    {"ip_options", "IPv4 options whose lengths do not add up."},
    {"source_route", "IPv4 source routing options (RFC 7126 sections 4.3 and 4.4)."},
    {"jumbogram", "IPv6 packets above 65,575 bytes (RFC 2675), which Ethernet cannot carry."},
    {"extension_length", "IPv6 extension headers that end beyond the packet."},
    {"extension_order",
     "IPv6 hop-by-hop options that do not come first, or a second fragment header."},
    {"too_many_extensions", "IPv6 packets with more than eight extension headers."},
    {"routing_header_0", "IPv6 routing header type 0, a traffic amplifier (RFC 5095)."},
    {"fragment_tiny",
     "First fragments without the whole transport header, or fragments that would overwrite it "
     "(RFC 1858, RFC 3128, RFC 7112)."},
    {"fragment_malformed", "Fragments that are empty, or not last and no multiple of 8 bytes."},
    {"fragment_overflow", "Fragments that end beyond 65,535 bytes: the ping of death."},
    {"loopback",
     "Packets from or to a loopback address, which may not be on a wire (RFC 1122 section "
     "3.2.1.3)."},
    {"source_multicast", "Packets from a multicast address."},
    {"source_broadcast", "Packets from the broadcast address."},
    {"source_reserved", "Packets from the reserved 240.0.0.0/4 (RFC 1112 section 4)."},
    {"source_unspecified", "Packets from no address, other than DHCP, IGMP and address detection."},
    {"destination_unspecified", "Packets to no address."},
    {"mapped_address",
     "IPv6 packets with an IPv4-mapped address, which may not be on a wire (RFC 4942 section "
     "2.2)."},
    {"land", "Packets from an address to itself."},
    {"tcp_header", "TCP headers below 20 bytes or beyond the packet."},
    {"udp_length", "UDP lengths below 8 bytes or beyond the packet."},
    {"icmp_header", "ICMP shorter than 8 bytes."},
    {"bad_l4_checksum", "Wrong TCP, UDP or ICMP checksums; only with verify-checksums."},
}};

/// What a frame is parsed against.
struct ParseInput {
    const MacAddress* port_mac = nullptr;  ///< of the port that received it
    bool router = true;  ///< frames for other MACs and Ethernet padding are of no use here
};

/// Link layer and everything above. `meta` has in_port, watch_id and the engine's flags only.
ParseDrop parse_frame(const Packet& packet, PacketMeta& meta, const ParseInput& input) noexcept;

// The layers, each in its own file. All expect l3_offset set, IP ones leave l4_offset.

ParseDrop parse_ipv4(const Packet& packet, PacketMeta& meta) noexcept;
ParseDrop parse_ipv6(const Packet& packet, PacketMeta& meta) noexcept;
/// TCP, UDP, SCTP, ICMP at l4_offset; not for later fragments.
ParseDrop parse_upper(const Packet& packet, PacketMeta& meta) noexcept;
/// Addresses that no honest packet carries.
ParseDrop check_addresses(const PacketMeta& meta) noexcept;

/// Bytes of the transport header and payload by the IP length.
inline uint32_t upper_length(const PacketMeta& meta) noexcept {
    return meta.l3_offset + meta.l3_total - meta.l4_offset;
}

/// False if the TCP, UDP or ICMP checksum of a whole packet is wrong.
bool upper_checksum_holds(const Packet& packet, const PacketMeta& meta) noexcept;
/// Completes a TCP or UDP checksum that a sender left to its NIC; true if it was such.
bool complete_checksum(const Packet& packet, const PacketMeta& meta) noexcept;
/// False if it surely was not: the field does not hold the sum of the pseudo-header. In registers,
/// for nearly every packet is asked nothing else. Of fragments and other protocols: true.
inline bool may_be_left_to_nic(const Packet& packet, const PacketMeta& meta) noexcept {
    const bool tcp = meta.protocol == kTcp;
    if (!tcp && meta.protocol != kUdp) return true;
    const auto* field = packet.at<be16>(meta.l4_offset + (tcp ? 16u : 6u));
    if (field == nullptr) return true;
    const auto both = [](uint64_t words) { return (words >> 32) + (words & 0xffffffff); };
    // The mapped prefix of IPv4 adds 2^16-1 twice, which is nothing.
    const uint64_t sum = both(meta.source.high()) + both(meta.source.low()) +
                         both(meta.destination.high()) + both(meta.destination.low()) +
                         meta.protocol + upper_length(meta);
    return checksum_fold(sum) == field->host();
}
/// The same frame with its first limits::kPullUp bytes (or all) in the first segment; null when
/// `pool` is empty, and the frame is then as it was.
rte_mbuf* pull_up(rte_mbuf* frame, rte_mempool* pool) noexcept;

}  // namespace ravelin::net
