// SPDX-License-Identifier: Apache-2.0
#include "dataplane/vxlan.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/chain_checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/packet.h"

namespace ravelin {
namespace {

constexpr uint8_t kHops = 64;
constexpr uint32_t kFirstPort = 49152, kPorts = 16384;  // RFC 7348 section 5: the dynamic range

struct OuterV4 {
    net::Ethernet ethernet;
    net::Ipv4 ip;
    net::Udp udp;
    net::Vxlan vxlan;
};
struct OuterV6 {
    net::Ethernet ethernet;
    net::Ipv6 ip;
    net::Udp udp;
    net::Vxlan vxlan;
};
static_assert(sizeof(OuterV4) == 50 && sizeof(OuterV6) == 70);

/// What the outer header takes from the inner packet.
struct Inner {
    uint8_t tos = 0;
    uint32_t hash = 0;
};

uint32_t mixed(uint32_t hash, const uint8_t* bytes, size_t length) noexcept {
    for (; length >= 4; length -= 4, bytes += 4) {
        uint32_t word;
        std::memcpy(&word, bytes, 4);
        hash = (hash ^ word) * 0x9e3779b1;
        hash ^= hash >> 15;
    }
    return hash;
}

/// Both fragments of a packet and all packets of a flow take one way, so ports count only where
/// every packet has them.
uint32_t with_ports(uint32_t hash, const Packet& packet, uint32_t at, uint8_t protocol) noexcept {
    if (protocol != net::kTcp && protocol != net::kUdp && protocol != net::kSctp) return hash;
    const uint8_t* ports = packet.bytes(at, 4);
    return ports == nullptr ? hash : mixed(hash, ports, 4);
}

Inner look_inside(const Packet& packet) noexcept {
    Inner out;
    const auto* ethernet = packet.at<net::Ethernet>(0);
    if (ethernet == nullptr) return out;
    constexpr uint32_t kAt = sizeof(net::Ethernet);
    const uint16_t type = ethernet->type.host();
    if (type == net::kEtherIpv4) {
        const auto* ip = packet.at<net::Ipv4>(kAt);
        if (ip == nullptr) return out;
        out.tos = ip->tos;
        out.hash = mixed(ip->protocol, reinterpret_cast<const uint8_t*>(&ip->source), 8);
        const bool fragment = (ip->fragment.host() & 0x3fff) != 0;
        if (!fragment)
            out.hash = with_ports(out.hash, packet, kAt + ip->header_length(), ip->protocol);
        return out;
    }
    if (type == net::kEtherIpv6) {
        const auto* ip = packet.at<net::Ipv6>(kAt);
        if (ip == nullptr) return out;
        out.tos = static_cast<uint8_t>(ip->version_class_flow.host() >> 20);
        out.hash = mixed(ip->next_header, ip->source.data(), 32);
        out.hash = with_ports(out.hash, packet, kAt + sizeof *ip, ip->next_header);
        return out;
    }
    out.hash = mixed(type, reinterpret_cast<const uint8_t*>(ethernet), 12);
    return out;
}

void fill(OuterV4& outer, const VxlanEnd& end, const IpAddress& remote, uint8_t tos,
          uint16_t udp_length) noexcept {
    outer.ethernet.type = be16(net::kEtherIpv4);
    net::Ipv4& ip = outer.ip;
    ip.version_ihl = 0x45;
    ip.tos = tos;
    ip.total_length = be16(static_cast<uint16_t>(sizeof ip + udp_length));
    ip.fragment = be16(0x4000);
    ip.ttl = kHops;
    ip.protocol = net::kUdp;
    ip.source = be32(end.local.v4_host());
    ip.destination = be32(remote.v4_host());
    ip.checksum = net::checksum_finish(net::checksum_add(0, &ip, sizeof ip));
}

void fill(OuterV6& outer, const VxlanEnd& end, const IpAddress& remote, uint8_t tos,
          uint16_t udp_length) noexcept {
    outer.ethernet.type = be16(net::kEtherIpv6);
    outer.ip.version_class_flow = be32(0x60000000u | uint32_t{tos} << 20);
    outer.ip.payload_length = be16(udp_length);
    outer.ip.next_header = net::kUdp;
    outer.ip.hop_limit = kHops;
    outer.ip.source = end.local.bytes;
    outer.ip.destination = remote.bytes;
}

template <typename Outer>
bool put_outer(rte_mbuf* frame, const VxlanEnd& end, const IpAddress& remote) noexcept {
    const Inner inner = look_inside(Packet(frame));
    const auto udp_length =
        static_cast<uint16_t>(sizeof(net::Udp) + sizeof(net::Vxlan) + rte_pktmbuf_pkt_len(frame));
    Outer outer{};
    fill(outer, end, remote, inner.tos, udp_length);
    outer.udp.source_port = be16(static_cast<uint16_t>(kFirstPort + (inner.hash >> 8) % kPorts));
    outer.udp.destination_port = be16(end.udp_port);
    outer.udp.length = be16(udp_length);
    outer.vxlan.flags = net::kVxlanHasVni;
    outer.vxlan.vni = be32(end.vni << 8);
    auto* head = rte_pktmbuf_prepend(frame, sizeof outer);
    if (head == nullptr) return false;
    std::memcpy(head, &outer, sizeof outer);
    // RFC 7348 section 5: over IPv4 the checksum SHOULD be zero. Over IPv6 that is for whoever has
    // agreed on it (RFC 6936 section 4).
    if (end.local.is_v4() || end.zero_checksum) return true;
    const auto sum = net::checksum_chain(frame, offsetof(Outer, udp), udp_length);
    if (!sum) return false;
    be16 checksum = net::checksum_finish(
        net::pseudo_header_sum(end.local, remote, net::kUdp, udp_length) + *sum);
    if (checksum.raw() == 0) checksum = be16(0xffff);
    std::memcpy(head + offsetof(Outer, udp) + offsetof(net::Udp, checksum), &checksum, 2);
    return true;
}

}  // namespace

std::span<const IpAddress> VxlanEnd::remotes_of(const MacAddress& mac) const noexcept {
    const auto found = std::ranges::lower_bound(stations, mac.bytes, {},
                                                [](const Station& s) { return s.mac.bytes; });
    if (found == stations.end() || found->mac != mac) return remotes;
    return {&remotes[found->remote], 1};
}

bool encapsulate(rte_mbuf* frame, const VxlanEnd& end, const IpAddress& remote) noexcept {
    return end.local.is_v4() ? put_outer<OuterV4>(frame, end, remote)
                             : put_outer<OuterV6>(frame, end, remote);
}

}  // namespace ravelin
