// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_packet.h"

#include <algorithm>

#include "dataplane/limits.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/tcp_options.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin::firewall {
namespace {

constexpr uint8_t kEchoRequest4 = 8, kEchoReply4 = 0, kEchoRequest6 = 128, kEchoReply6 = 129;
constexpr uint32_t kQuotedBytes = 8;  // of the payload, at least (RFC 792)

// Walks the extension headers of a quoted IPv6 packet; false when they end beyond the quote or the
// packet is a later fragment.
bool skip_extensions(const Packet& packet, uint8_t& protocol, uint32_t& at) noexcept {
    for (unsigned i = 0; i < limits::kMaxExtensionHeaders; ++i) {
        if (protocol == net::kFragment) {
            const auto* fragment = packet.at<net::Ipv6Fragment>(at);
            if (fragment == nullptr || (fragment->offset_more.host() & 0xfff8) != 0) return false;
            protocol = fragment->next_header;
            at += sizeof(net::Ipv6Fragment);
        } else if (protocol == net::kHopByHop || protocol == net::kRouting ||
                   protocol == net::kDestinationOptions) {
            const auto* extension = packet.at<net::Ipv6Extension>(at);
            if (extension == nullptr) return false;
            protocol = extension->next_header;
            at += 8u + extension->length * 8u;
        } else {
            return true;
        }
    }
    return false;
}

bool read_quoted_v4(const Packet& packet, uint32_t& at, Quoted& q) noexcept {
    const auto* ip = packet.at<net::Ipv4>(at);
    if (ip == nullptr || ip->version_ihl >> 4 != 4 || ip->header_length() < sizeof(net::Ipv4))
        return false;
    if ((ip->fragment.host() & 0x1fff) != 0) return false;
    q.source = IpAddress::v4(ip->source.host());
    q.destination = IpAddress::v4(ip->destination.host());
    q.protocol = ip->protocol;
    at += ip->header_length();
    return true;
}

bool read_quoted_v6(const Packet& packet, uint32_t& at, Quoted& q) noexcept {
    const auto* ip = packet.at<net::Ipv6>(at);
    if (ip == nullptr || ip->version_class_flow.host() >> 28 != 6) return false;
    q.source = IpAddress::v6(ip->source.data());
    q.destination = IpAddress::v6(ip->destination.data());
    q.protocol = ip->next_header;
    at += sizeof(net::Ipv6);
    return skip_extensions(packet, q.protocol, at);
}

bool is_echo(uint8_t protocol, uint8_t type) noexcept {
    if (protocol == net::kIcmp) return type == kEchoRequest4 || type == kEchoReply4;
    return type == kEchoRequest6 || type == kEchoReply6;
}

// Ports or echo identifier: all within the 8 bytes that every error quotes.
bool read_quoted_payload(const Packet& packet, uint32_t at, Quoted& q) noexcept {
    const uint8_t* bytes = packet.bytes(at, kQuotedBytes);
    if (bytes == nullptr) return false;
    const auto word = [&](unsigned i) {
        return static_cast<uint16_t>(bytes[i] << 8 | bytes[i + 1]);
    };
    if (q.protocol == net::kTcp || q.protocol == net::kUdp || q.protocol == net::kSctp) {
        q.source_port = word(0);
        q.destination_port = word(2);
    }
    if (q.protocol == net::kTcp) q.sequence = uint32_t{word(4)} << 16 | word(6);
    if (q.protocol == net::kIcmp || q.protocol == net::kIcmpv6) {
        if (!is_echo(q.protocol, bytes[0])) return false;
        q.source_port = q.destination_port = word(4);
    }
    return true;
}

}  // namespace

uint16_t zone_of(const PacketMeta& meta, PortId peer) noexcept {
    const unsigned outer = meta.vlan_outer & net::kVlanIdMask,
                   inner = meta.vlan_inner & net::kVlanIdMask;
    const unsigned pair = std::min(meta.in_port, peer);
    return static_cast<uint16_t>(outer ^ inner << 4 ^ inner >> 8 ^ pair << 10);
}

bool read_syn_options(const Packet& packet, const PacketMeta& meta, TcpSegment& segment) noexcept {
    unsigned length = 0;
    if (net::tcp_header(packet, meta, length) == nullptr) return false;
    const net::TcpOptions options = net::read_tcp_options(packet, meta);
    segment.wscale = options.window_scale;
    segment.sack_permitted = options.sack_permitted;
    return true;
}

std::optional<Quoted> read_quoted(const Packet& packet, const PacketMeta& meta) noexcept {
    Quoted q;
    uint32_t at = meta.inner_offset;
    const bool read =
        meta.has(PacketMeta::kIpv4) ? read_quoted_v4(packet, at, q) : read_quoted_v6(packet, at, q);
    q.l4_offset = at;
    if (!read || !read_quoted_payload(packet, at, q)) return std::nullopt;
    return q;
}

void find_key(Subject& s, const Quoted& q, uint16_t zone) noexcept {
    s.key = FlowKey::make(q.source, q.destination, q.source_port, q.destination_port, q.protocol,
                          zone, s.swapped);
    s.hash = s.key.hash();
}

bool has_under_way(const Flow& flow, Direction direction, const Quoted& quoted) noexcept {
    const auto sender = static_cast<uint8_t>(direction);
    if (flow.packets[sender] == 0) return false;
    if (quoted.protocol != net::kTcp) return true;
    const auto receiver = static_cast<uint8_t>(reverse(direction));
    const uint32_t end = flow.tcp[sender].end;
    // Before an answer only the SYN is under way; syn_tag is the low half of its number.
    if (flow.state == FlowState::tcp_syn_sent)
        return static_cast<uint16_t>(quoted.sequence) == flow.syn_tag &&
               end - quoted.sequence <= 0x10000;
    const uint32_t window = std::max<uint32_t>(flow.tcp[receiver].max_window, 1);
    return end - quoted.sequence <= window;
}

RuleKey classifier_key(const PacketMeta& meta, uint8_t state) noexcept {
    RuleKey key;
    key.packet = &meta;
    key.source = meta.source;
    key.destination = meta.destination;
    if (meta.has(PacketMeta::kPorts)) {
        key.source_port = meta.source_port;
        key.destination_port = meta.destination_port;
    }
    key.in_port = meta.in_port;
    key.out_port = meta.out_port;
    key.protocol = meta.protocol;
    key.icmp_type = meta.icmp_type;
    key.state = state;
    return key;
}

RuleKey classifier_key(const Flow& flow) noexcept {
    RuleKey key;
    const FlowKey& f = flow.key;
    const bool second = (flow.flags & kFlowOriginatorSecond) != 0;
    key.source = second ? f.second : f.first;
    key.destination = second ? f.first : f.second;
    key.source_port = second ? f.second_port : f.first_port;
    key.destination_port = second ? f.first_port : f.second_port;
    key.in_port = flow.in_port;
    key.out_port = flow.out_port;
    key.protocol = f.protocol;
    // ICMP flows are opened by echo requests alone.
    if (f.protocol == net::kIcmp) key.icmp_type = kEchoRequest4;
    if (f.protocol == net::kIcmpv6) key.icmp_type = kEchoRequest6;
    key.state = kStateNew;
    return key;
}

}  // namespace ravelin::firewall
