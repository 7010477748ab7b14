// SPDX-License-Identifier: Apache-2.0
// Frame -> packet text. Trusts no length: what does not parse is written as hex.
#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/packet_describe.h"
#include "dataplane/net/packet_spec.h"

namespace ravelin::net {
namespace {

using View = std::span<const uint8_t>;
constexpr unsigned kMostHeaders = 16;

IpAddress v4(be32 address) { return IpAddress::v4(address.host()); }

std::string hex(View bytes) {
    std::string out;
    for (const uint8_t b : bytes) out += fmt::format("{:02x}", b);
    return out;
}

}  // namespace

/// Payload nobody chose is a length; text is text; the rest is hex.
void Describer::payload(View bytes) {
    bool pattern = true, text = !bytes.empty();
    for (size_t i = 0; i < bytes.size(); ++i) {
        pattern &= bytes[i] == payload_pattern(i);
        text &= bytes[i] > 0x20 && bytes[i] < 0x7f && bytes[i] != '"';
    }
    if (bytes.empty()) return add("len=0");
    if (summary() || pattern) return add("len={}", bytes.size());
    if (text) return add("data=\"{}\"", std::string(bytes.begin(), bytes.end()));
    add("hex={}", hex(bytes));
}

void Describer::checksum(be16 found, uint64_t sum_with_it, uint64_t pseudo) {
    if (found.raw() != 0 && found.raw() == checksum_fold(pseudo)) return add("partial-checksum");
    if (checksum_fold(sum_with_it) != 0xffff) add("bad-checksum");
}

bool Describer::tcp(View bytes) {
    const auto* tcp = at<Tcp>(bytes, 0);
    if (tcp == nullptr || tcp->header_length() < sizeof(Tcp) || tcp->header_length() > bytes.size())
        return false;
    begin("tcp", endpoint(ip_.source, tcp->source_port.host()),
          endpoint(ip_.destination, tcp->destination_port.host()));
    std::string flags;
    for (const TcpFlagName& name : kTcpFlagNames)
        if ((tcp->flags & name.bit) != 0) (flags += flags.empty() ? "" : ",").append(name.name);
    if (!flags.empty()) add("{}", flags);
    if (!summary())
        add("seq={} ack={} win={}", tcp->sequence.host(), tcp->acknowledgement.host(),
            tcp->window.host());
    tcp_options(bytes.subspan(sizeof(Tcp), tcp->header_length() - sizeof(Tcp)));
    payload(bytes.subspan(tcp->header_length()));
    upper_checksum(bytes, tcp->checksum, kTcp);
    return true;
}

bool Describer::udp(View bytes) {
    const auto* udp = at<Udp>(bytes, 0);
    if (udp == nullptr) return false;
    begin("udp", endpoint(ip_.source, udp->source_port.host()),
          endpoint(ip_.destination, udp->destination_port.host()));
    payload(bytes.subspan(sizeof(Udp)));
    if (udp->checksum.host() == 0)
        add("no-checksum");
    else
        upper_checksum(bytes, udp->checksum, kUdp);
    return true;
}

void Describer::upper_checksum(View bytes, be16 found, uint8_t protocol) {
    if (ip_.more || quoted_) return;  // the rest of what it covers is elsewhere
    const uint64_t pseudo = pseudo_header_sum(ip_.source, ip_.destination, protocol,
                                              static_cast<uint32_t>(bytes.size()));
    checksum(found, checksum_add(pseudo, bytes.data(), bytes.size()), pseudo);
}

/// Neighbour discovery; true where that is what it was (RFC 4861 section 4).
bool Describer::neighbour(View bytes, uint8_t type) {
    const bool targeted = type == kNeighbourSolicit || type == kNeighbourAdvert;
    const size_t fixed = targeted ? 24 : type == kRouterAdvert ? 16 : 8;
    if (type < kRouterSolicit || type > kNeighbourAdvert || bytes.size() < fixed) return false;
    if (targeted) add("target={}", IpAddress::v6(bytes.data() + 8).to_string());
    if (type == kNeighbourAdvert) {
        if ((bytes[4] & 0x80) != 0) add("router");
        if ((bytes[4] & 0x40) != 0) add("solicited");
        if ((bytes[4] & 0x20) != 0) add("override");
    }
    const View options = bytes.subspan(fixed);
    const uint8_t wanted = type == kNeighbourAdvert ? 2 : 1;
    if (options.size() >= 8 && options[0] == wanted && options[1] == 1) {
        MacAddress mac;
        std::memcpy(mac.bytes.data(), options.data() + 2, 6);
        add("lladdr={}", mac.to_string());
        payload(options.subspan(8));
    } else {
        payload(options);
    }
    return true;
}

bool Describer::icmp(View bytes, bool v6) {
    const auto* icmp = at<Icmp>(bytes, 0);
    if (icmp == nullptr) return false;
    begin(v6 ? "icmp6" : "icmp", ip_.source.to_string(), ip_.destination.to_string());
    const std::span<const IcmpName> names =
        v6 ? std::span<const IcmpName>(kIcmp6Names) : std::span<const IcmpName>(kIcmp4Names);
    const auto name = std::ranges::find(names, icmp->type, &IcmpName::type);
    if (name == names.end())
        add("type={} code={}", icmp->type, icmp->code);
    else if (icmp->code == 0)
        add("{}", name->name);
    else
        add("{}/{}", name->name, icmp->code);
    const bool error =
        v6 ? icmp->type < 128
           : icmp->type == 3 || icmp->type == 5 || icmp->type == 11 || icmp->type == 12;
    if (v6 && neighbour(bytes, icmp->type)) {
    } else if (error) {
        const uint32_t word = uint32_t{icmp->id.host()} << 16 | icmp->sequence.host();
        if (word != 0) add("mtu={}", word);
        quote(bytes.subspan(sizeof(Icmp)));
    } else {
        add("id={} seq={}", icmp->id.host(), icmp->sequence.host());
        payload(bytes.subspan(sizeof(Icmp)));
    }
    if (v6)
        upper_checksum(bytes, icmp->checksum, kIcmpv6);
    else if (!ip_.more && !quoted_)
        checksum(icmp->checksum, checksum_add(0, bytes.data(), bytes.size()), 0);
    return true;
}

void Describer::quote(View bytes) {
    if (quoted_ || bytes.empty()) return payload(bytes);
    Describer inner(detail_, true);
    if (!inner.ip(bytes)) return payload(bytes);
    add("quoting ({})", inner.text());
}

void Describer::ip_fields() {
    if (!ip_.extensions.empty()) add("{}", ip_.extensions);
    if (ip_.fragmented && ip_.offset != 0)
        add("frag={}", ip_.offset);
    else if (ip_.fragmented && !ip_.source.is_v4() && !ip_.more)
        add("frag=0");
    if (ip_.more) add("mf");
    if (ip_.options) add("options");
    if (ip_.router_alert) add("router-alert");
    if (ip_.bad_checksum) add("bad-ip-checksum");
    if (summary()) return;
    if (ip_.dont_fragment) add("df");
    add("ttl={}", ip_.ttl);
    if (ip_.tos != 0) add("tos={}", ip_.tos);
    if (ip_.id != 0) add("ip-id={}", ip_.id);
}

bool Describer::upper(View bytes) {
    const size_t before = out_.size();
    bool known = false;
    if (!ip_.fragmented || ip_.offset == 0) {
        if (ip_.protocol == kTcp)
            known = tcp(bytes);
        else if (ip_.protocol == kUdp)
            known = udp(bytes);
        else if (ip_.protocol == kIcmp && ip_.source.is_v4())
            known = icmp(bytes, false);
        else if (ip_.protocol == kIcmpv6 && !ip_.source.is_v4())
            known = icmp(bytes, true);
    }
    if (!known) {
        out_.resize(before);
        add("ip proto={}", ip_.protocol);
        add("{} > {}", ip_.source.to_string(), ip_.destination.to_string());
        payload(bytes);
    }
    ip_fields();
    return true;
}

bool Describer::ipv4(View bytes) {
    const auto* ip = at<Ipv4>(bytes, 0);
    if (ip == nullptr || ip->header_length() < sizeof(Ipv4) || ip->header_length() > bytes.size())
        return false;
    const size_t total = ip->total_length.host(), header = ip->header_length();
    if (total < header || (total > bytes.size() && !quoted_)) return false;
    const uint16_t fragment = ip->fragment.host();
    ip_ = {.source = v4(ip->source),
           .destination = v4(ip->destination),
           .protocol = ip->protocol,
           .ttl = ip->ttl,
           .tos = ip->tos,
           .id = ip->id.host(),
           .offset = (fragment & 0x1fffu) * 8u,
           .fragmented = (fragment & 0x3fff) != 0,
           .more = (fragment & 0x2000) != 0,
           .dont_fragment = (fragment & 0x4000) != 0};
    const View options = bytes.subspan(sizeof(Ipv4), header - sizeof(Ipv4));
    ip_.router_alert = !options.empty() && options[0] == 148;
    ip_.options = options.size() > (ip_.router_alert ? 4u : 0u);
    ip_.bad_checksum = checksum_fold(checksum_add(0, bytes.data(), header)) != 0xffff;
    trailing_ = total < bytes.size() ? bytes.size() - total : 0;
    return upper(bytes.subspan(header, std::min(total, bytes.size()) - header));
}

/// Steps over one extension header; false where it is cut off.
bool Describer::extension(View bytes, size_t& offset, uint8_t& next) {
    const auto* header = at<Ipv6Extension>(bytes, offset);
    if (header == nullptr) return false;
    size_t length = (header->length + 1u) * 8u;
    const auto name = std::ranges::find(kExtensionNames, next, &ExtensionName::protocol);
    if (next == kFragment) {
        const auto* fragment = at<Ipv6Fragment>(bytes, offset);
        if (fragment == nullptr) return false;
        length = sizeof(Ipv6Fragment);
        ip_.fragmented = true;
        ip_.offset = fragment->offset_more.host() & 0xfff8u;
        ip_.more = (fragment->offset_more.host() & 1) != 0;
        ip_.id = fragment->id.host();
    } else {
        if (next == kAh) length = (header->length + 2u) * 4u;
        if (offset + length > bytes.size()) return false;
        const uint8_t* body = bytes.data() + offset + 2;
        if (next == kHopByHop && body[0] == 5) ip_.router_alert = true;
        const bool zero = next == kRouting && body[0] == 0;
        (ip_.extensions += ip_.extensions.empty() ? "" : " ").append(zero ? "rh0" : name->name);
    }
    next = header->next_header;
    offset += length;
    return true;
}

bool Describer::ipv6(View bytes) {
    const auto* ip = at<Ipv6>(bytes, 0);
    if (ip == nullptr) return false;
    const size_t total = sizeof(Ipv6) + ip->payload_length.host();
    if (total > bytes.size() && !quoted_) return false;
    ip_ = {.source = IpAddress::v6(ip->source.data()),
           .destination = IpAddress::v6(ip->destination.data()),
           .ttl = ip->hop_limit,
           .tos = static_cast<uint8_t>(ip->version_class_flow.host() >> 20)};
    trailing_ = total < bytes.size() ? bytes.size() - total : 0;
    const View packet = bytes.first(std::min(total, bytes.size()));
    size_t offset = sizeof(Ipv6);
    uint8_t next = ip->next_header;
    const auto is_extension = [](uint8_t p) {
        return p == kFragment || std::ranges::find(kExtensionNames, p, &ExtensionName::protocol) !=
                                     kExtensionNames.end();
    };
    for (unsigned i = 0; i < kMostHeaders && is_extension(next) && ip_.offset == 0; ++i)
        if (!extension(packet, offset, next)) return false;
    ip_.protocol = next;
    return upper(packet.subspan(offset));
}

bool Describer::ip(View bytes) {
    if (bytes.empty()) return false;
    if (bytes[0] >> 4 == 4) return ipv4(bytes);
    return bytes[0] >> 4 == 6 && ipv6(bytes);
}

bool Describer::arp(View bytes) {
    const auto* arp = at<Arp>(bytes, 0);
    if (arp == nullptr || arp->hardware.host() != 1 || arp->protocol.host() != kEtherIpv4)
        return false;
    const std::string sender = v4(arp->sender_ip).to_string(),
                      target = v4(arp->target_ip).to_string();
    if (arp->operation.host() == 1)
        add("arp who-has {} tell {}", target, sender);
    else if (arp->operation.host() == 2)
        add("arp {} is-at {} to {}", sender, arp->sender_mac.to_string(), target);
    else
        return false;
    trailing_ = bytes.size() - sizeof(Arp);
    return true;
}

}  // namespace ravelin::net
