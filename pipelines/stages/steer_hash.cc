// SPDX-License-Identifier: Apache-2.0
// The hash of steer: of the flow key without zone, so that tagged replies to untagged packets meet.
#include <optional>

#include "dataplane/flow.h"
#include "dataplane/net/headers.h"
#include "dataplane/rss.h"
#include "pipelines/stages/nat_policy.h"
#include "pipelines/stages/steer.h"

namespace ravelin {
namespace {

struct Tuple {
    IpAddress source, destination;
    uint16_t source_port = 0, destination_port = 0;
    uint8_t protocol = 0;
};

constexpr uint8_t kFirstDiscovery = 133, kLastDiscovery = 137;

/// Ports of the quoted transport header; for echo the identifier twice, as parse does.
void quoted_ports(const Packet& packet, uint32_t offset, Tuple& tuple) noexcept {
    if (tuple.protocol == net::kTcp || tuple.protocol == net::kUdp ||
        tuple.protocol == net::kSctp) {
        if (const auto* udp = packet.at<net::Udp>(offset); udp != nullptr) {
            tuple.source_port = udp->source_port.host();
            tuple.destination_port = udp->destination_port.host();
        }
        return;
    }
    const auto* icmp = packet.at<net::Icmp>(offset);
    if (icmp == nullptr) return;
    const bool echo4 = tuple.protocol == net::kIcmp && (icmp->type == 0 || icmp->type == 8);
    const bool echo6 = tuple.protocol == net::kIcmpv6 && (icmp->type == 128 || icmp->type == 129);
    if (echo4 || echo6) tuple.source_port = tuple.destination_port = icmp->id.host();
}

Tuple quoted_tuple(const Packet& packet, const PacketMeta& meta) noexcept {
    Tuple tuple;
    if (meta.has(PacketMeta::kIpv4)) {
        const auto* ip = packet.at<net::Ipv4>(meta.inner_offset);
        if (ip == nullptr) return tuple;
        tuple = {IpAddress::v4(ip->source.host()), IpAddress::v4(ip->destination.host()), 0, 0,
                 ip->protocol};
        if ((ip->fragment.host() & 0x1fff) == 0)
            quoted_ports(packet, meta.inner_offset + ip->header_length(), tuple);
        return tuple;
    }
    const auto* ip = packet.at<net::Ipv6>(meta.inner_offset);
    if (ip == nullptr) return tuple;
    tuple = {IpAddress{ip->source}, IpAddress{ip->destination}, 0, 0, ip->next_header};
    quoted_ports(packet, meta.inner_offset + static_cast<uint32_t>(sizeof *ip), tuple);
    return tuple;
}

/// As the flow key sees it; without ports while they are unknown.
Tuple tuple_of(const PacketMeta& meta) noexcept {
    const bool ports = meta.has(PacketMeta::kPorts);
    return {meta.source, meta.destination, ports ? meta.source_port : uint16_t{0},
            ports ? meta.destination_port : uint16_t{0}, meta.protocol};
}

/// Where a NIC sends a whole packet of this tuple: ports count only for TCP and UDP.
WorkerId queue_of(const Tuple& t, const WorkerContext& context) noexcept {
    const bool ports = t.protocol == net::kTcp || t.protocol == net::kUdp;
    const uint32_t hash =
        rss::toeplitz(t.source, t.destination, ports ? t.source_port : uint16_t{0},
                      ports ? t.destination_port : uint16_t{0});
    return static_cast<WorkerId>(hash % context.rss_entries % context.workers);
}

/// Where the flow between these inner ends is, or will be.
WorkerId owner_of_flow(const nat::Tuple& inner, const WorkerContext& context) noexcept {
    if (context.rss_entries != 0)
        return queue_of({IpAddress::v4(inner.source), IpAddress::v4(inner.destination),
                         inner.source_port, inner.destination_port, inner.protocol},
                        context);
    bool swapped = false;
    return static_cast<WorkerId>(inner.key(swapped).hash() % context.workers);
}

/// A packet that a rule translates belongs where its inner flow does, without state; an answer to a
/// translated source to the worker whose share of outer ports it is for.
std::optional<WorkerId> translated_owner(const Packet& packet, const PacketMeta& meta,
                                         const WorkerContext& context,
                                         const nat::NatPolicy& nat) noexcept {
    const auto shared = [](uint32_t known, const nat::Tuple& t) {
        return (known & nat::NatPolicy::kDynamic) != 0 && t.ports &&
               nat::has_translated_ports(t.protocol);
    };
    // What the kernel sends from an outer address belongs where the answers to it go.
    if (meta.has(PacketMeta::kFromKernel)) {
        const nat::Tuple t = nat::tuple_of(meta);
        if (!shared(nat.known(t.source), t)) return std::nullopt;
        return nat::NatPolicy::owner_of_port(t.source_port, context.workers);
    }
    const uint32_t known = nat.known(meta.destination.v4_host());
    if (known == 0) return std::nullopt;
    const bool error = meta.has(PacketMeta::kIcmpError);
    auto tuple = error ? nat::answered_by(packet, meta) : nat::tuple_of(meta);
    if (!tuple || tuple->destination != meta.destination.v4_host()) return std::nullopt;
    if (const auto inner = nat.inner_destination(*tuple, known)) {
        tuple->destination = inner->address;
        tuple->destination_port = inner->port;
        return owner_of_flow(*tuple, context);
    }
    if (!shared(known, *tuple)) return std::nullopt;
    return nat::NatPolicy::owner_of_port(tuple->destination_port, context.workers);
}

uint32_t mac_hash(const Packet& packet) noexcept {
    const auto* ethernet = packet.at<net::Ethernet>(0);
    if (ethernet == nullptr) return 0;
    FlowKey key;
    bool swapped = false;
    IpAddress source, destination;
    std::memcpy(source.bytes.data(), ethernet->source.bytes.data(), 6);
    std::memcpy(destination.bytes.data(), ethernet->destination.bytes.data(), 6);
    key = FlowKey::make(source, destination, 0, 0, 0, 0, swapped);
    return key.hash();
}

}  // namespace

bool is_neighbour_traffic(const PacketMeta& meta) noexcept {
    if (meta.has(PacketMeta::kArp)) return true;
    return meta.has(PacketMeta::kIpv6) && meta.protocol == net::kIcmpv6 &&
           meta.icmp_type >= kFirstDiscovery && meta.icmp_type <= kLastDiscovery;
}

WorkerId owner_of(const Packet& packet, const PacketMeta& meta, const WorkerContext& context,
                  const nat::NatPolicy* nat) noexcept {
    if (nat != nullptr && meta.has(PacketMeta::kIpv4))
        if (const auto owner = translated_owner(packet, meta, context, *nat)) return *owner;
    if (is_neighbour_traffic(meta)) return 0;
    if (context.rss_entries == 0 || !meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6))
        return static_cast<WorkerId>(meta.hash % context.workers);
    return queue_of(meta.has(PacketMeta::kIcmpError) ? quoted_tuple(packet, meta) : tuple_of(meta),
                    context);
}

WorkerId owner_of_plain(uint32_t source, uint32_t destination, uint32_t ports,
                        const WorkerContext& context) noexcept {
    return queue_of({IpAddress::v4(source), IpAddress::v4(destination),
                     static_cast<uint16_t>(ports >> 16), static_cast<uint16_t>(ports), net::kTcp},
                    context);
}

WorkerId meeting_worker(const PacketMeta& meta, const WorkerContext& context) noexcept {
    if (context.rss_entries != 0)
        return queue_of({.source = meta.source, .destination = meta.destination}, context);
    uint64_t mixed = (meta.source.high() ^ meta.destination.high()) * 0x9e3779b97f4a7c15;
    mixed = (mixed ^ meta.source.low() ^ meta.destination.low()) * 0xbf58476d1ce4e5b9;
    return static_cast<WorkerId>((mixed >> 32) % context.workers);
}

void set_other_hash(const Packet& packet, PacketMeta& meta) noexcept {
    if (!meta.has(PacketMeta::kIcmpError)) {
        meta.hash = mac_hash(packet);
        return;
    }
    const Tuple t = quoted_tuple(packet, meta);
    bool swapped = false;
    meta.hash = FlowKey::make(t.source, t.destination, t.source_port, t.destination_port,
                              t.protocol, 0, swapped)
                    .hash();
}

}  // namespace ravelin
