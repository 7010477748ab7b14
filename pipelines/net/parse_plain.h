// SPDX-License-Identifier: Apache-2.0
// What nearly every packet is: IPv4 without options and not a fragment, TCP or UDP, in a frame
// without tags. The checks of parse_frame in one pass over two headers at fixed places. What it is
// not sure of it leaves to parse_frame, which also knows the reason to drop.
#pragma once
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/parse.h"

namespace ravelin::net {

struct PlainHead {
    Ethernet ethernet;
    Ipv4 ip;
};
static_assert(sizeof(PlainHead) == 34 && alignof(PlainHead) == 1);

/// Addresses that check_addresses() has nothing against, host order; not all of those.
inline bool are_plain(uint32_t source, uint32_t destination) noexcept {
    const uint32_t from = source >> 24, to = destination >> 24;
    return from - 1 < 223 && from != 127 && to != 127 && destination != 0 && source != destination;
}

/// Bytes of a whole and sound TCP or UDP header behind PlainHead, `length` being those of the
/// packet from there on; 0: it is neither, or not sound.
inline unsigned plain_transport(const Packet& packet, uint8_t protocol, uint32_t length) noexcept {
    constexpr uint32_t kAt = sizeof(PlainHead);
    if (protocol == kTcp) {
        const auto* tcp = packet.at<Tcp>(kAt);
        if (tcp == nullptr) return 0;
        const unsigned header = tcp->header_length();
        return header >= sizeof *tcp && header <= length && packet.bytes(kAt, header) != nullptr
                   ? header
                   : 0;
    }
    if (protocol != kUdp) return 0;
    const auto* udp = packet.at<Udp>(kAt);
    if (udp == nullptr) return 0;
    const unsigned stated = udp->length.host();
    return stated >= sizeof *udp && stated <= length ? sizeof *udp : 0;
}

/// True: the packet is sound and `meta`, as parse_frame() expects it, says what that would make it
/// say. False: ask that; `meta` is as it was.
inline bool parse_plain(const Packet& packet, PacketMeta& meta, const ParseInput& input) noexcept {
    const auto* head = packet.at<PlainHead>(0);
    if (head == nullptr || input.port_mac == nullptr || meta.has(PacketMeta::kLocalOrigin))
        return false;
    const Ethernet& ethernet = head->ethernet;
    const Ipv4& ip = head->ip;
    if (ethernet.type.raw() != be16(kEtherIpv4).raw() || ip.version_ihl != 0x45 ||
        ethernet.destination.is_multicast() || ethernet.source.is_multicast())
        return false;
    const bool ours = ethernet.destination == *input.port_mac;
    const uint16_t fragment = ip.fragment.host();
    if ((!ours && input.router) || (fragment & 0x3fff) != 0) return false;
    const uint32_t total = ip.total_length.host();
    if (total < sizeof ip || total > packet.length() - sizeof ethernet) return false;
    const uint32_t source = ip.source.host(), destination = ip.destination.host();
    if (!are_plain(source, destination)) return false;
    const uint32_t length = total - static_cast<uint32_t>(sizeof ip);
    const unsigned header = plain_transport(packet, ip.protocol, length);
    if (header == 0 || checksum_fold(checksum_of_header(&ip)) != 0xffff) return false;

    const auto* ports = packet.at<Udp>(sizeof *head);  // TCP's stand at the same place
    meta.source = IpAddress::v4(source);
    meta.destination = IpAddress::v4(destination);
    meta.source_port = ports->source_port.host();
    meta.destination_port = ports->destination_port.host();
    meta.l3_offset = sizeof ethernet;
    meta.l4_offset = sizeof *head;
    meta.payload_offset = static_cast<uint16_t>(sizeof *head + header);
    meta.payload_length = length - header;
    meta.flags |= PacketMeta::kIpv4 | PacketMeta::kPorts | (ours ? 0u : PacketMeta::kForOtherMac) |
                  ((fragment & 0x4000) != 0 ? PacketMeta::kDontFragment : 0u);
    meta.fragment_id = ip.id.host();
    meta.ethertype = kEtherIpv4;
    meta.protocol = ip.protocol;
    meta.ttl = ip.ttl;
    meta.tcp_flags = ip.protocol == kTcp ? packet.at<Tcp>(sizeof *head)->flags : uint8_t{0};
    meta.l3_length = sizeof ip;
    meta.tos = ip.tos;
    meta.l3_total = total;
    return true;
}

}  // namespace ravelin::net
