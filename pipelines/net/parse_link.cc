// SPDX-License-Identifier: Apache-2.0
// Ethernet, VLAN tags, ARP; then IP and what is above.
#include "dataplane/limits.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/parse.h"

namespace ravelin::net {
namespace {

ParseDrop parse_ethernet(const Packet& packet, PacketMeta& meta, const ParseInput& input) noexcept {
    const auto* ethernet = packet.at<Ethernet>(0);
    if (ethernet == nullptr) return ParseDrop::kTruncated;
    meta.ethertype = ethernet->type.host();
    meta.l3_offset = sizeof *ethernet;
    if (meta.has(PacketMeta::kLocalOrigin)) return ParseDrop::kNone;    // addressed on the way out
    if (ethernet->source.is_multicast()) return ParseDrop::kSourceMac;  // IEEE 802.3 section 3.2.3
    if (ethernet->destination.is_multicast()) {
        meta.flags |= PacketMeta::kL2Multicast;
    } else if (input.port_mac == nullptr || ethernet->destination != *input.port_mac) {
        meta.flags |= PacketMeta::kForOtherMac;
        if (input.router) return ParseDrop::kOtherMac;
    }
    return ParseDrop::kNone;
}

ParseDrop parse_tags(const Packet& packet, PacketMeta& meta) noexcept {
    while (is_tag(meta.ethertype)) {
        if (meta.vlan_tags == limits::kMaxVlanTags) return ParseDrop::kVlanDepth;
        const auto* tag = packet.at<VlanTag>(meta.l3_offset);
        if (tag == nullptr) return ParseDrop::kTruncated;
        (meta.vlan_tags == 0 ? meta.vlan_outer : meta.vlan_inner) = tag->tci.host();
        ++meta.vlan_tags;
        meta.ethertype = tag->type.host();
        meta.l3_offset = static_cast<uint16_t>(meta.l3_offset + sizeof *tag);
    }
    return ParseDrop::kNone;
}

// RFC 826. Addresses go where IP's stand, so that rules and traces can show them.
ParseDrop parse_arp(const Packet& packet, PacketMeta& meta) noexcept {
    const auto* arp = packet.at<Arp>(meta.l3_offset);
    if (arp == nullptr) return ParseDrop::kTruncated;
    const uint16_t operation = arp->operation.host();
    if (arp->hardware.host() != 1 || arp->protocol.host() != kEtherIpv4 ||
        arp->hardware_length != 6 || arp->protocol_length != 4 || operation < 1 || operation > 2)
        return ParseDrop::kArpMalformed;
    meta.flags |= PacketMeta::kArp;
    meta.source = IpAddress::v4(arp->sender_ip.host());
    meta.destination = IpAddress::v4(arp->target_ip.host());
    meta.l4_offset = static_cast<uint16_t>(meta.l3_offset + sizeof *arp);
    return ParseDrop::kNone;
}

ParseDrop parse_ip(const Packet& packet, PacketMeta& meta) noexcept {
    const ParseDrop network =
        meta.ethertype == kEtherIpv4 ? parse_ipv4(packet, meta) : parse_ipv6(packet, meta);
    if (network != ParseDrop::kNone) return network;
    meta.payload_offset = meta.l4_offset;
    meta.payload_length = upper_length(meta);
    if (!meta.has(PacketMeta::kLaterFragment))
        if (const ParseDrop d = parse_upper(packet, meta); d != ParseDrop::kNone) return d;
    return meta.has(PacketMeta::kLocalOrigin) ? ParseDrop::kNone : check_addresses(meta);
}

}  // namespace

ParseDrop parse_frame(const Packet& packet, PacketMeta& meta, const ParseInput& input) noexcept {
    if (const ParseDrop d = parse_ethernet(packet, meta, input); d != ParseDrop::kNone) return d;
    if (const ParseDrop d = parse_tags(packet, meta); d != ParseDrop::kNone) return d;
    if (meta.ethertype == kEtherIpv4 || meta.ethertype == kEtherIpv6) return parse_ip(packet, meta);
    if (meta.ethertype == kEtherArp) return parse_arp(packet, meta);
    meta.flags |= PacketMeta::kNonIp;
    meta.l4_offset = meta.l3_offset;
    return ParseDrop::kNone;
}

}  // namespace ravelin::net
