// SPDX-License-Identifier: Apache-2.0
// PacketSpec -> frame. Built from the inside out, so that each layer knows the length of the next.
#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/packet_spec.h"

namespace ravelin::net {
namespace {

using Bytes = std::vector<uint8_t>;
using Kind = PacketSpec::Kind;

template <typename T>
void append(Bytes& to, const T& header) {
    const auto* from = reinterpret_cast<const uint8_t*>(&header);
    to.insert(to.end(), from, from + sizeof header);
}

void append(Bytes& to, const Bytes& from) { to.insert(to.end(), from.begin(), from.end()); }

constexpr unsigned kQuoteBytes = 128;  // well above the 8 that RFC 792 asks for

Bytes tcp_options(const PacketSpec& spec) {
    Bytes out;
    if (spec.mss)
        append(out,
               Bytes{2, 4, static_cast<uint8_t>(*spec.mss >> 8), static_cast<uint8_t>(*spec.mss)});
    if (spec.sack_permitted) append(out, Bytes{1, 1, 4, 2});
    if (spec.window_scale) append(out, Bytes{1, 3, 3, *spec.window_scale});
    if (spec.timestamps) {
        append(out, Bytes{1, 1, 8, 10});
        append(out, be32(spec.timestamps->value));
        append(out, be32(spec.timestamps->echo));
    }
    if (spec.sack.empty()) return out;
    append(out, Bytes{1, 1, 5, static_cast<uint8_t>(2 + 8 * spec.sack.size())});
    for (const PacketSpec::SackBlock& block : spec.sack) {
        append(out, be32(block.from));
        append(out, be32(block.to));
    }
    return out;
}

Bytes build_tcp(const PacketSpec& spec) {
    const Bytes options = tcp_options(spec);
    Tcp tcp{};
    tcp.source_port = be16(spec.source_port);
    tcp.destination_port = be16(spec.destination_port);
    tcp.sequence = be32(spec.sequence);
    tcp.acknowledgement = be32(spec.acknowledgement);
    tcp.data_offset = static_cast<uint8_t>((sizeof tcp + options.size()) / 4 << 4);
    tcp.flags = spec.flags;
    tcp.window = be16(spec.window);
    Bytes out;
    append(out, tcp);
    append(out, options);
    append(out, spec.payload);
    return out;
}

Bytes build_udp(const PacketSpec& spec) {
    Udp udp{};
    udp.source_port = be16(spec.source_port);
    udp.destination_port = be16(spec.destination_port);
    udp.length = be16(static_cast<uint16_t>(sizeof udp + spec.payload.size()));
    Bytes out;
    append(out, udp);
    append(out, spec.payload);
    return out;
}

/// Body of a neighbour discovery message after its 4 fixed bytes (RFC 4861 section 4).
Bytes neighbour_body(const PacketSpec& spec) {
    Bytes out(4);
    if (spec.type == kNeighbourAdvert)
        out[0] = static_cast<uint8_t>((spec.router ? 0x80 : 0) | (spec.solicited ? 0x40 : 0) |
                                      (spec.override_flag ? 0x20 : 0));
    if (spec.type == kRouterAdvert) append(out, Bytes(8));
    if (spec.type == kNeighbourSolicit || spec.type == kNeighbourAdvert)
        out.insert(out.end(), spec.target.bytes.begin(), spec.target.bytes.end());
    if (spec.link_address) {
        append(out, Bytes{static_cast<uint8_t>(spec.type == kNeighbourAdvert ? 2 : 1), 1});
        out.insert(out.end(), spec.link_address->bytes.begin(), spec.link_address->bytes.end());
    }
    return out;
}

Bytes build_icmp(const PacketSpec& spec) {
    Bytes out{spec.type, spec.code, 0, 0};
    if (spec.kind == Kind::kIcmp6 && spec.type >= kRouterSolicit && spec.type <= kNeighbourAdvert) {
        append(out, neighbour_body(spec));
    } else if (!spec.quoted.empty() || spec.mtu != 0) {
        // ICMPv4 keeps the MTU in the low half of the word (RFC 1191 section 4), ICMPv6 in all of
        // it.
        append(out, be32(spec.mtu));
        Bytes quote = spec.quoted.empty() ? Bytes{} : build_ip(spec.quoted.front());
        quote.resize(std::min<size_t>(quote.size(), kQuoteBytes));
        append(out, quote);
    } else {
        append(out, be16(spec.icmp_id));
        append(out, be16(static_cast<uint16_t>(spec.sequence)));
    }
    append(out, spec.payload);
    return out;
}

size_t checksum_offset(Kind kind) { return kind == Kind::kTcp ? 16 : kind == Kind::kUdp ? 6 : 2; }

void fill_checksum(Bytes& upper, const PacketSpec& spec, uint8_t protocol) {
    const size_t at = checksum_offset(spec.kind);
    uint64_t sum = 0;
    if (spec.kind != Kind::kIcmp)
        sum = pseudo_header_sum(spec.source, spec.destination, protocol,
                                static_cast<uint32_t>(upper.size()));
    be16 value = spec.partial_checksum
                     ? be16::from_raw(checksum_fold(sum))
                     : checksum_finish(checksum_add(sum, upper.data(), upper.size()));
    // UDP: zero means none, so a sum of zero is sent as all ones (RFC 768).
    if (spec.kind == Kind::kUdp && value.host() == 0) value = be16(0xffff);
    if (spec.bad_checksum) value = be16(static_cast<uint16_t>(value.host() ^ 0x5555));
    if (spec.no_checksum) value = be16(0);
    std::memcpy(upper.data() + at, &value, 2);
}

uint8_t protocol_of(const PacketSpec& spec) {
    switch (spec.kind) {
        case Kind::kTcp:
            return kTcp;
        case Kind::kUdp:
            return kUdp;
        case Kind::kIcmp:
            return kIcmp;
        case Kind::kIcmp6:
            return kIcmpv6;
        default:
            return spec.protocol;
    }
}

Bytes build_upper(const PacketSpec& spec) {
    // A later fragment has no transport header: its payload is all there is.
    if (spec.kind == Kind::kIp || spec.fragment.value_or(0) != 0) return spec.payload;
    Bytes upper = spec.kind == Kind::kTcp   ? build_tcp(spec)
                  : spec.kind == Kind::kUdp ? build_udp(spec)
                                            : build_icmp(spec);
    fill_checksum(upper, spec, protocol_of(spec));
    return upper;
}

Bytes build_ipv4(const PacketSpec& spec, const Bytes& upper) {
    Bytes options;
    if (spec.router_alert) append(options, Bytes{148, 4, 0, 0});  // RFC 2113
    if (spec.options) append(options, Bytes{1, 1, 1, 0});
    Ipv4 ip{};
    ip.version_ihl = static_cast<uint8_t>(0x40 | (sizeof ip + options.size()) / 4);
    ip.tos = spec.tos;
    ip.total_length = be16(static_cast<uint16_t>(sizeof ip + options.size() + upper.size()));
    ip.id = be16(static_cast<uint16_t>(spec.id));
    ip.fragment = be16(static_cast<uint16_t>((spec.df ? 0x4000 : 0) | (spec.mf ? 0x2000 : 0) |
                                             spec.fragment.value_or(0) / 8));
    ip.ttl = spec.ttl.value_or(64);
    ip.protocol = protocol_of(spec);
    ip.source = be32(spec.source.v4_host());
    ip.destination = be32(spec.destination.v4_host());
    Bytes out;
    append(out, ip);
    append(out, options);
    be16 sum = checksum_finish(checksum_add(0, out.data(), out.size()));
    if (spec.bad_ip_checksum) sum = be16(static_cast<uint16_t>(sum.host() ^ 0x5555));
    std::memcpy(out.data() + offsetof(Ipv4, checksum), &sum, 2);
    append(out, upper);
    return out;
}

/// One extension header of 8 bytes (AH: 16), filled with a PadN option where it has options.
Bytes extension(const PacketSpec& spec, uint8_t protocol, uint8_t next) {
    if (protocol == kAh)
        return Bytes{next, 2, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0};  // RFC 4302
    if (protocol == kRouting)
        return Bytes{next, 0, static_cast<uint8_t>(spec.routing_zero ? 0 : 4), 0, 0, 0, 0, 0};
    if (protocol == kHopByHop && spec.router_alert)
        return Bytes{next, 0, 5, 2, 0, 0, 1, 0};  // RFC 2711
    return Bytes{next, 0, 1, 4, 0, 0, 0, 0};
}

Bytes build_ipv6(const PacketSpec& spec, const Bytes& upper) {
    Bytes body = upper;
    uint8_t next = protocol_of(spec);
    if (spec.fragment || spec.mf) {
        Ipv6Fragment fragment{};
        fragment.next_header = next;
        fragment.offset_more =
            be16(static_cast<uint16_t>((spec.fragment.value_or(0) & 0xfff8) | (spec.mf ? 1 : 0)));
        fragment.id = be32(spec.id);
        const auto* at = reinterpret_cast<const uint8_t*>(&fragment);
        body.insert(body.begin(), at, at + sizeof fragment);
        next = kFragment;
    }
    for (size_t i = spec.extensions.size(); i-- > 0;) {
        const Bytes header = extension(spec, spec.extensions[i], next);
        body.insert(body.begin(), header.begin(), header.end());
        next = spec.extensions[i];
    }
    Ipv6 ip{};
    ip.version_class_flow = be32(0x60000000u | uint32_t{spec.tos} << 20);
    ip.payload_length = be16(static_cast<uint16_t>(body.size()));
    ip.next_header = next;
    const bool discovery =
        spec.kind == Kind::kIcmp6 && spec.type >= kRouterSolicit && spec.type <= 137;
    ip.hop_limit = spec.ttl.value_or(discovery ? 255 : 64);  // RFC 4861 section 6.1.1
    ip.source = spec.source.bytes;
    ip.destination = spec.destination.bytes;
    Bytes out;
    append(out, ip);
    append(out, body);
    return out;
}

/// RFC 1112 section 6.4 and RFC 2464 section 7: groups have MAC addresses of their own.
MacAddress destination_of(const PacketSpec& spec, const PacketTextDefaults& defaults) {
    if (spec.destination_mac) return *spec.destination_mac;
    const auto& b = spec.destination.bytes;
    const MacAddress broadcast{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    if (spec.kind == Kind::kArp && !spec.arp_reply) return broadcast;
    if (spec.has_endpoints && spec.kind != Kind::kArp) {
        if (spec.destination == IpAddress::v4(0xffffffff)) return broadcast;
        if (spec.destination.is_v4() && spec.destination.is_multicast())
            return {{0x01, 0x00, 0x5e, static_cast<uint8_t>(b[13] & 0x7f), b[14], b[15]}};
        if (spec.destination.is_multicast()) return {{0x33, 0x33, b[12], b[13], b[14], b[15]}};
    }
    const std::string& port = spec.port.empty() ? defaults.port : spec.port;
    for (const auto& known : defaults.port_macs)
        if (known.port == port) return known.mac;
    return defaults.destination_mac;
}

Bytes build_arp(const PacketSpec& spec, const PacketTextDefaults& defaults) {
    Arp arp{};
    arp.hardware = be16(1);
    arp.protocol = be16(kEtherIpv4);
    arp.hardware_length = 6;
    arp.protocol_length = 4;
    arp.operation = be16(spec.arp_reply ? 2 : 1);
    arp.sender_mac = spec.link_address.value_or(spec.source_mac.value_or(defaults.source_mac));
    arp.sender_ip = be32(spec.source.v4_host());
    if (spec.arp_reply) arp.target_mac = destination_of(spec, defaults);
    arp.target_ip = be32(spec.destination.v4_host());
    Bytes out;
    append(out, arp);
    return out;
}

uint16_t ethertype_of(const PacketSpec& spec) {
    if (spec.kind == Kind::kEther) return spec.ethertype;
    if (spec.kind == Kind::kArp) return kEtherArp;
    return spec.destination.is_v4() ? kEtherIpv4 : kEtherIpv6;
}

void append_ethernet(Bytes& out, const PacketSpec& spec, const PacketTextDefaults& defaults) {
    append(out, destination_of(spec, defaults));
    append(out, spec.source_mac.value_or(defaults.source_mac));
    for (size_t i = 0; i < spec.vlans.size(); ++i) {
        const bool service = spec.service_tag && i == 0;
        append(out, be16(service ? kEtherQinq : kEtherVlan));
        append(out, be16(spec.vlans[i]));
    }
    append(out, be16(ethertype_of(spec)));
}

}  // namespace

Bytes build_ip(const PacketSpec& spec) {
    const Bytes upper = build_upper(spec);
    return spec.destination.is_v4() ? build_ipv4(spec, upper) : build_ipv6(spec, upper);
}

Bytes build_frame(const PacketSpec& spec, const PacketTextDefaults& defaults) {
    Bytes out;
    if (spec.kind != Kind::kRaw) append_ethernet(out, spec, defaults);
    if (spec.kind == Kind::kArp)
        append(out, build_arp(spec, defaults));
    else if (spec.kind == Kind::kRaw || spec.kind == Kind::kEther)
        append(out, spec.payload);
    else
        append(out, build_ip(spec));
    out.resize(out.size() + spec.pad);
    for (const PacketSpec::Poke& poke : spec.pokes)
        for (size_t i = 0; i < poke.bytes.size() && poke.offset + i < out.size(); ++i)
            out[poke.offset + i] = poke.bytes[i];
    if (spec.cut && *spec.cut < out.size()) out.resize(*spec.cut);
    return out;
}

}  // namespace ravelin::net
