// SPDX-License-Identifier: Apache-2.0
#include "pipelines/net/reply_frame.h"

#include <cstring>

#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"

namespace ravelin::net {
namespace {

constexpr uint8_t kHops = 64;

}  // namespace

bool is_wire(const WorkerContext& context) noexcept {
    return context.policy->mode == PolicySnapshot::Mode::kWire;
}

bool is_one_host(const IpAddress& a) noexcept {
    if (a.is_multicast() || a.is_unspecified() || a.is_loopback()) return false;
    return !a.is_v4() || (a.bytes[12] != 0 && a.bytes[12] < 240);
}

rte_mbuf* new_reply(const Packet& packet, const PacketMeta& meta,
                    const WorkerContext& context) noexcept {
    const uint32_t l2 = is_wire(context) ? meta.l3_offset : uint32_t{sizeof(Ethernet)};
    const uint8_t* from = packet.bytes(0, meta.l3_offset);
    rte_mbuf* frame =
        from == nullptr || l2 < sizeof(Ethernet) ? nullptr : rte_pktmbuf_alloc(context.pool);
    if (frame == nullptr) return nullptr;
    auto* out = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(frame, static_cast<uint16_t>(l2)));
    std::memcpy(out, from, l2);
    std::memcpy(out, from + 6, 6);
    std::memcpy(out + 6, from, 6);
    const be16 type(meta.source.is_v4() ? kEtherIpv4 : kEtherIpv6);
    std::memcpy(out + l2 - 2, &type, 2);
    return frame;
}

uint16_t ip_header_bytes(const IpAddress& destination) noexcept {
    return destination.is_v4() ? sizeof(Ipv4) : sizeof(Ipv6);
}

void write_ip(uint8_t* out, const IpAddress& source, const IpAddress& destination, uint8_t protocol,
              uint32_t length, uint8_t tos) noexcept {
    if (destination.is_v4()) {
        Ipv4 ip{};
        ip.version_ihl = 0x45;
        ip.tos = tos;
        ip.total_length = be16(static_cast<uint16_t>(sizeof ip + length));
        ip.ttl = kHops;
        ip.protocol = protocol;
        ip.source = be32(source.v4_host());
        ip.destination = be32(destination.v4_host());
        set_header_checksum(ip);
        std::memcpy(out, &ip, sizeof ip);
        return;
    }
    Ipv6 ip{};
    ip.version_class_flow = be32(0x60000000u | uint32_t{tos} << 20);
    ip.payload_length = be16(static_cast<uint16_t>(length));
    ip.next_header = protocol;
    ip.hop_limit = kHops;
    ip.source = source.bytes;
    ip.destination = destination.bytes;
    std::memcpy(out, &ip, sizeof ip);
}

void append_ip(rte_mbuf* frame, const IpAddress& source, const IpAddress& destination,
               uint8_t protocol, uint32_t length, uint8_t tos) noexcept {
    auto* out = rte_pktmbuf_append(frame, ip_header_bytes(destination));
    write_ip(reinterpret_cast<uint8_t*>(out), source, destination, protocol, length, tos);
}

}  // namespace ravelin::net
