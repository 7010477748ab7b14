// SPDX-License-Identifier: Apache-2.0
// Making ARP and neighbour discovery frames.
#include <cstring>

#include "dataplane/charge.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"
#include "pipelines/net/icmp_error.h"
#include "pipelines/stages/neighbour_messages.h"

namespace ravelin {
namespace {

constexpr uint8_t kNdHops = 255;       // RFC 4861 section 7.1: proves that no router passed it on
constexpr uint8_t kEthernetUnits = 1;  // option length in 8 bytes

struct NdFrame {
    net::Ethernet ethernet;
    net::Ipv6 ip;
    net::NeighbourMessage message;
    uint8_t option, option_length;
    MacAddress mac;
};
static_assert(sizeof(NdFrame) == 14 + 40 + 24 + 8);

struct ArpFrame {
    net::Ethernet ethernet;
    net::Arp arp;
};

template <typename T>
bool send(const T& content, PortId port, WorkerContext& context) {
    rte_mbuf* frame = rte_pktmbuf_alloc(context.pool);
    if (frame == nullptr) return false;
    std::memcpy(rte_pktmbuf_append(frame, sizeof content), &content, sizeof content);
    context.transmit(frame, port, kBoxFrames);
    return true;
}

}  // namespace

MacAddress group_mac(const IpAddress& group) noexcept {
    const auto& b = group.bytes;
    if (group.is_v4())
        return {{0x01, 0x00, 0x5e, static_cast<uint8_t>(b[13] & 0x7f), b[14], b[15]}};
    return {{0x33, 0x33, b[12], b[13], b[14], b[15]}};
}

IpAddress solicited_node(const IpAddress& a) noexcept {
    IpAddress group;
    group.bytes = {0xff, 2, 0, 0, 0,    0,           0,           0,
                   0,    0, 0, 1, 0xff, a.bytes[13], a.bytes[14], a.bytes[15]};
    return group;
}

bool send_arp(const ArpMessage& m, PortId port, WorkerContext& context) noexcept {
    const MacAddress& own = context.policy->ports[port].mac;
    ArpFrame f{};
    f.ethernet = {m.to, own, be16(net::kEtherArp)};
    f.arp.hardware = be16(1);
    f.arp.protocol = be16(net::kEtherIpv4);
    f.arp.hardware_length = 6;
    f.arp.protocol_length = 4;
    f.arp.operation = be16(m.operation);
    f.arp.sender_mac = own;
    f.arp.sender_ip = be32(m.sender.v4_host());
    f.arp.target_mac = m.target_mac;
    f.arp.target_ip = be32(m.target.v4_host());
    return send(f, port, context);
}

bool send_nd(const NdMessage& m, PortId port, WorkerContext& context) noexcept {
    const MacAddress& own = context.policy->ports[port].mac;
    NdFrame f{};
    f.ethernet = {m.to, own, be16(net::kEtherIpv6)};
    constexpr uint16_t kLength = sizeof f - sizeof f.ethernet - sizeof f.ip;
    f.ip.version_class_flow = be32(0x60000000u);
    f.ip.payload_length = be16(kLength);
    f.ip.next_header = net::kIcmpv6;
    f.ip.hop_limit = kNdHops;
    f.ip.source = m.source.bytes;
    f.ip.destination = m.destination.bytes;
    f.message = {m.type, 0, be16(), be32(m.flags), m.target.bytes};
    f.option = m.type == kSolicitation ? kSourceLinkLayer : kTargetLinkLayer;
    f.option_length = kEthernetUnits;
    f.mac = own;
    const uint64_t pseudo = net::pseudo_header_sum(m.source, m.destination, net::kIcmpv6, kLength);
    f.message.checksum = net::checksum_finish(net::checksum_add(pseudo, &f.message, kLength));
    return send(f, port, context);
}

bool send_request(PortId port, const IpAddress& address, const MacAddress* to,
                  WorkerContext& context) noexcept {
    constexpr MacAddress kAll{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    IpAddress from;
    if (!source_address(*context.policy, port, address, from)) return false;
    if (address.is_v4())
        return send_arp({kArpRequest, to == nullptr ? kAll : *to, from, address, {}}, port,
                        context);
    const IpAddress group = solicited_node(address);
    return send_nd({kSolicitation, 0, to == nullptr ? group_mac(group) : *to, from,
                    to == nullptr ? group : address, address},
                   port, context);
}

bool send_announcement(PortId port, const IpAddress& address, WorkerContext& context) noexcept {
    constexpr MacAddress kAll{{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
    if (address.is_v4()) return send_arp({kArpRequest, kAll, address, address, {}}, port, context);
    return send_nd({kAdvertisement, kRouterFlag | kOverrideFlag, group_mac(all_nodes()), address,
                    all_nodes(), address},
                   port, context);
}

}  // namespace ravelin
