// SPDX-License-Identifier: Apache-2.0
// TCP, UDP, SCTP, ICMP, ICMPv6; and addresses no packet may have.
#include "dataplane/net/headers.h"
#include "pipelines/net/parse.h"

namespace ravelin::net {
namespace {

constexpr uint8_t kEchoReply4 = 0, kEchoRequest4 = 8, kEchoRequest6 = 128, kEchoReply6 = 129;
constexpr unsigned kQuotedBytes = 8;  // RFC 792: of the transport header, the ports at least
constexpr unsigned kSctpHeader = 12;  // RFC 9260 section 3.1

/// Too short is an attack if the header was cut by fragmenting (RFC 1858 section 3.2), else damage.
ParseDrop cut_short(const PacketMeta& meta, ParseDrop otherwise) noexcept {
    return meta.has(PacketMeta::kFragment) ? ParseDrop::kFragmentTiny : otherwise;
}

void set_ports(PacketMeta& meta, be16 source, be16 destination, unsigned header) noexcept {
    meta.source_port = source.host();
    meta.destination_port = destination.host();
    meta.flags |= PacketMeta::kPorts;
    meta.payload_offset = static_cast<uint16_t>(meta.l4_offset + header);
    meta.payload_length = upper_length(meta) - header;
}

ParseDrop parse_tcp(const Packet& packet, PacketMeta& meta) noexcept {
    const uint32_t length = upper_length(meta);
    if (length < sizeof(Tcp)) return cut_short(meta, ParseDrop::kTcpHeader);
    const auto* tcp = packet.at<Tcp>(meta.l4_offset);
    if (tcp == nullptr) return ParseDrop::kTruncated;
    const unsigned header = tcp->header_length();
    if (header < sizeof *tcp) return ParseDrop::kTcpHeader;
    if (header > length) return cut_short(meta, ParseDrop::kTcpHeader);
    if (packet.bytes(meta.l4_offset, header) == nullptr) return ParseDrop::kTruncated;
    meta.tcp_flags = tcp->flags;
    set_ports(meta, tcp->source_port, tcp->destination_port, header);
    return ParseDrop::kNone;
}

ParseDrop parse_udp(const Packet& packet, PacketMeta& meta) noexcept {
    const uint32_t length = upper_length(meta);
    if (length < sizeof(Udp)) return cut_short(meta, ParseDrop::kUdpLength);
    const auto* udp = packet.at<Udp>(meta.l4_offset);
    if (udp == nullptr) return ParseDrop::kTruncated;
    const uint32_t stated = udp->length.host();
    const bool whole = !meta.has(PacketMeta::kFragment);
    if (stated < sizeof *udp || (whole && stated > length)) return ParseDrop::kUdpLength;
    set_ports(meta, udp->source_port, udp->destination_port, sizeof *udp);
    return ParseDrop::kNone;
}

ParseDrop parse_sctp(const Packet& packet, PacketMeta& meta) noexcept {
    if (upper_length(meta) < kSctpHeader) return cut_short(meta, ParseDrop::kTruncated);
    const auto* ports = packet.at<Udp>(meta.l4_offset);  // the same first four bytes
    if (ports == nullptr || packet.bytes(meta.l4_offset, kSctpHeader) == nullptr)
        return ParseDrop::kTruncated;
    set_ports(meta, ports->source_port, ports->destination_port, kSctpHeader);
    return ParseDrop::kNone;
}

bool quotes(const PacketMeta& meta) noexcept {
    if (meta.protocol == kIcmpv6) return meta.icmp_type < 128;  // RFC 4443 section 2.1
    return meta.icmp_type == 3 || meta.icmp_type == 4 || meta.icmp_type == 5 ||
           meta.icmp_type == 11 || meta.icmp_type == 12;
}

/// Marks an error whose quote is long enough to tell the flow it is about.
void parse_quote(const Packet& packet, PacketMeta& meta) noexcept {
    const uint32_t at = meta.l4_offset + static_cast<uint32_t>(sizeof(Icmp));
    const uint32_t end = meta.l3_offset + meta.l3_total;
    uint32_t header = sizeof(Ipv6);
    if (meta.has(PacketMeta::kIpv4)) {
        const auto* ip = packet.at<Ipv4>(at);
        if (ip == nullptr || ip->version_ihl >> 4 != 4 || ip->header_length() < sizeof *ip) return;
        header = ip->header_length();
    } else {
        const auto* ip = packet.at<Ipv6>(at);
        if (ip == nullptr || ip->version_class_flow.host() >> 28 != 6) return;
    }
    if (at + header + kQuotedBytes > end || packet.bytes(at, header + kQuotedBytes) == nullptr)
        return;
    meta.flags |= PacketMeta::kIcmpError;
    meta.inner_offset = static_cast<uint16_t>(at);
}

ParseDrop parse_icmp(const Packet& packet, PacketMeta& meta) noexcept {
    if (upper_length(meta) < sizeof(Icmp)) return cut_short(meta, ParseDrop::kIcmpHeader);
    const auto* icmp = packet.at<Icmp>(meta.l4_offset);
    if (icmp == nullptr) return ParseDrop::kTruncated;
    meta.icmp_type = icmp->type;
    meta.icmp_code = icmp->code;
    meta.payload_offset = static_cast<uint16_t>(meta.l4_offset + sizeof *icmp);
    meta.payload_length = upper_length(meta) - static_cast<uint32_t>(sizeof *icmp);
    const bool echo = meta.protocol == kIcmp
                          ? meta.icmp_type == kEchoRequest4 || meta.icmp_type == kEchoReply4
                          : meta.icmp_type == kEchoRequest6 || meta.icmp_type == kEchoReply6;
    if (echo) {
        meta.flags |= PacketMeta::kEcho;
        set_ports(meta, icmp->id, icmp->id, sizeof *icmp);
    } else if (quotes(meta)) {
        parse_quote(packet, meta);
    }
    return ParseDrop::kNone;
}

ParseDrop check_ipv4(const PacketMeta& meta) noexcept {
    const uint32_t source = meta.source.v4_host(), destination = meta.destination.v4_host();
    if (source >> 24 == 127 || destination >> 24 == 127) return ParseDrop::kLoopback;
    if (source == 0xffffffff) return ParseDrop::kSourceBroadcast;
    if (source >> 28 == 0xe) return ParseDrop::kSourceMulticast;
    if (source >> 28 == 0xf) return ParseDrop::kSourceReserved;
    if (destination == 0) return ParseDrop::kDestinationUnspecified;
    if (source >> 24 == 0) {  // 0.0.0.0/8: RFC 1122 section 3.2.1.3
        const bool dhcp = source == 0 && destination == 0xffffffff && meta.protocol == kUdp;
        const bool igmp = source == 0 && meta.protocol == kIgmp && meta.destination.is_multicast();
        if (!dhcp && !igmp) return ParseDrop::kSourceUnspecified;
    }
    return source == destination ? ParseDrop::kLand : ParseDrop::kNone;
}

ParseDrop check_ipv6(const PacketMeta& meta) noexcept {
    if (meta.source.is_loopback() || meta.destination.is_loopback()) return ParseDrop::kLoopback;
    if (meta.source.is_multicast()) return ParseDrop::kSourceMulticast;
    if (meta.destination == IpAddress{}) return ParseDrop::kDestinationUnspecified;
    // Duplicate address detection (RFC 4862 section 5.4.2), and the MLD reports it comes with.
    const bool detection = meta.protocol == kIcmpv6 && meta.destination.is_multicast();
    if (meta.source == IpAddress{} && !detection) return ParseDrop::kSourceUnspecified;
    return meta.source == meta.destination ? ParseDrop::kLand : ParseDrop::kNone;
}

}  // namespace

ParseDrop parse_upper(const Packet& packet, PacketMeta& meta) noexcept {
    switch (meta.protocol) {
        case kTcp:
            return parse_tcp(packet, meta);
        case kUdp:
            return parse_udp(packet, meta);
        case kSctp:
            return parse_sctp(packet, meta);
        // Each belongs to one family; in the other it is an unknown protocol.
        case kIcmp:
            return meta.has(PacketMeta::kIpv4) ? parse_icmp(packet, meta) : ParseDrop::kNone;
        case kIcmpv6:
            return meta.has(PacketMeta::kIpv6) ? parse_icmp(packet, meta) : ParseDrop::kNone;
        default:
            return ParseDrop::kNone;
    }
}

ParseDrop check_addresses(const PacketMeta& meta) noexcept {
    return meta.has(PacketMeta::kIpv4) ? check_ipv4(meta) : check_ipv6(meta);
}

}  // namespace ravelin::net
