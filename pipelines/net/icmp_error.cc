// SPDX-License-Identifier: Apache-2.0
#include "pipelines/net/icmp_error.h"

#include <algorithm>
#include <cstring>

#include "dataplane/flow_table.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"
#include "pipelines/net/reply_frame.h"
#include "pipelines/net/tcp_segment.h"
#include "pipelines/net/translate.h"

namespace ravelin {
namespace {

constexpr uint32_t kLargestV4 = 576, kLargestV6 = 1280;
constexpr uint8_t kControlTos = 0xc0;  // RFC 1812 section 4.3.2.5: internetwork control
constexpr uint8_t kNextHeaderAt = 6;   // of an IPv6 header: what RFC 4443 section 3.4 points to

struct Code {
    uint8_t type, code;
};
constexpr std::array<Code, 8> kCodesV4{
    {{3, 0}, {3, 1}, {3, 2}, {3, 3}, {3, 13}, {11, 0}, {3, 4}, {11, 1}}};
constexpr std::array<Code, 8> kCodesV6{
    {{1, 0}, {1, 3}, {4, 1}, {1, 4}, {1, 1}, {3, 0}, {2, 0}, {3, 1}}};

/// A segment that the SYN proxy has shifted goes back with the numbers its sender knows. Not on
/// another worker, which has no such flow, nor once the source is translated: its sender then takes
/// the error for a stranger's (RFC 5927 section 4.1).
void undo_proxy(const Packet& packet, const PacketMeta& meta, const WorkerContext& context) {
    if (!meta.has(PacketMeta::kSequenceTranslated) || meta.has(PacketMeta::kSourceTranslated))
        return;
    bool swapped = false;
    const FlowKey key = FlowKey::make(meta.source, meta.destination, meta.source_port,
                                      meta.destination_port, meta.protocol, 0, swapped);
    const Flow* flow = context.flows->find(key, key.hash());
    if (flow == nullptr || (flow->flags & kFlowProxied) == 0) return;
    shift_tcp(packet, meta, {.sequence = 0 - context.flows->proxy(*flow).sequence});
}

uint32_t second_word(const PacketMeta& meta, IcmpError error, uint32_t mtu) {
    if (error == IcmpError::kTooBig)  // RFC 1191 section 4: the low 16 bits; RFC 4443 3.2: all 32
        return meta.source.is_v4() ? std::min(mtu, 0xffffu) : mtu;
    if (error == IcmpError::kProtocolUnreachable && !meta.source.is_v4()) return kNextHeaderAt;
    return 0;
}

}  // namespace

bool icmp_error_allowed(const PacketMeta& m, IcmpError error) noexcept {
    using F = PacketMeta;
    if (!m.has(F::kIpv4 | F::kIpv6) || m.has(F::kLaterFragment | F::kIcmpError | F::kLocalOrigin))
        return false;
    constexpr uint8_t kRedirectV4 = 5, kRedirectV6 = 137;
    if (m.protocol == net::kIcmp && m.has(F::kIpv4))
        if (m.icmp_type == 3 || m.icmp_type == 4 || m.icmp_type == kRedirectV4 ||
            m.icmp_type == 11 || m.icmp_type == 12)
            return false;
    if (m.protocol == net::kIcmpv6 && m.has(F::kIpv6))
        if (m.icmp_type < 128 || m.icmp_type == kRedirectV6) return false;
    if (!net::is_one_host(m.source)) return false;
    if (m.has(F::kIpv6) && error == IcmpError::kTooBig) return true;
    return !m.has(F::kL2Multicast) && net::is_one_host(m.destination);
}

IpAddress link_local_of(const MacAddress& mac) noexcept {
    const auto& m = mac.bytes;
    IpAddress a;
    a.bytes = {0xfe, 0x80, 0,    0,    0,    0,    0,   0, static_cast<uint8_t>(m[0] ^ 2),
               m[1], m[2], 0xff, 0xfe, m[3], m[4], m[5]};
    return a;
}

bool owns(const PortPolicy& port, const IpAddress& address) noexcept {
    bool v6 = false;
    for (const Prefix& own : port.addresses) {
        if (own.address == address) return true;
        v6 |= !own.is_v4();
    }
    return v6 && !address.is_v4() && address.is_link_local() && address == link_local_of(port.mac);
}

bool source_address(const PolicySnapshot& policy, PortId port, const IpAddress& peer,
                    IpAddress& out) noexcept {
    const bool v4 = peer.is_v4();
    const Prefix* best = nullptr;
    int score = 0;
    for (size_t p = 0; p < policy.ports.size(); ++p) {
        for (const Prefix& own : policy.ports[p].addresses) {
            if (own.is_v4() != v4) continue;
            int s = 1;
            if (p == port) s = own.contains(peer) ? 4 : 2;
            // A link-local address means nothing beyond its link (RFC 4443 section 2.2).
            if (own.address.is_link_local() != peer.is_link_local()) s = p == port && v4 ? 1 : 0;
            if (s > score) {
                score = s;
                best = &own;
            }
        }
    }
    if (!v4 && peer.is_link_local() && score < 2 && port < policy.ports.size()) {
        out = link_local_of(policy.ports[port].mac);
        return true;
    }
    if (best != nullptr) out = best->address;
    return best != nullptr;
}

rte_mbuf* build_icmp_error(const Packet& packet, const PacketMeta& meta, IcmpError error,
                           uint32_t mtu, const WorkerContext& context) noexcept {
    const bool v4 = meta.source.is_v4();
    IpAddress from = meta.destination;
    if (!net::is_wire(context) && !source_address(*context.policy, meta.in_port, meta.source, from))
        return nullptr;
    const uint32_t room = v4 ? kLargestV4 - sizeof(net::Ipv4) - sizeof(net::Icmp)
                             : kLargestV6 - sizeof(net::Ipv6) - sizeof(net::Icmp);
    if (packet.length() <= meta.l3_offset) return nullptr;
    const uint32_t quoted = std::min({meta.l3_total, room, packet.length() - meta.l3_offset});
    rte_mbuf* frame = net::new_reply(packet, meta, context);
    if (frame == nullptr) return nullptr;
    net::append_ip(frame, from, meta.source, v4 ? net::kIcmp : net::kIcmpv6,
                   sizeof(net::Icmp) + quoted, v4 ? kControlTos : 0);
    const auto length = static_cast<uint16_t>(sizeof(net::Icmp) + quoted);
    auto* icmp = reinterpret_cast<uint8_t*>(rte_pktmbuf_append(frame, length));
    if (icmp == nullptr) {
        rte_pktmbuf_free(frame);
        return nullptr;
    }
    const Code code = (v4 ? kCodesV4 : kCodesV6)[static_cast<size_t>(error)];
    const be32 word(second_word(meta, error, mtu));
    const uint8_t head[4] = {code.type, code.code, 0, 0};
    std::memcpy(icmp, head, 4);
    std::memcpy(icmp + 4, &word, 4);
    const void* quote = rte_pktmbuf_read(packet.frame(), meta.l3_offset, quoted, icmp + 8);
    if (quote != icmp + 8) std::memcpy(icmp + 8, quote, quoted);
    const uint64_t pseudo =
        v4 ? 0 : net::pseudo_header_sum(from, meta.source, net::kIcmpv6, length);
    const be16 sum = net::checksum_finish(net::checksum_add(pseudo, icmp, length));
    std::memcpy(icmp + 2, &sum, 2);
    return frame;
}

rte_mbuf* build_tcp_reset(const Packet& packet, const PacketMeta& meta,
                          const WorkerContext& context) noexcept {
    using F = PacketMeta;
    const auto* tcp = packet.at<net::Tcp>(meta.l4_offset);
    const bool answered = meta.protocol == net::kTcp &&
                          !meta.has(F::kFragment | F::kLocalOrigin | F::kL2Multicast) &&
                          net::is_one_host(meta.source) && net::is_one_host(meta.destination);
    if (!answered || tcp == nullptr || (tcp->flags & net::kRst) != 0) return nullptr;
    TcpDraft reset{.flags = net::kRst};
    if ((tcp->flags & net::kAck) != 0) {
        reset.sequence = tcp->acknowledgement.host();
    } else {
        const uint32_t flags =
            ((tcp->flags & net::kSyn) != 0 ? 1u : 0u) + ((tcp->flags & net::kFin) != 0 ? 1u : 0u);
        reset.acknowledgement = tcp->sequence.host() + meta.payload_length + flags;
        reset.flags |= net::kAck;
    }
    return build_tcp(packet, meta, ends_of_answer(meta), reset, context);
}

bool Replies::paced(const IpAddress& to, uint32_t rate, const WorkerContext& context) noexcept {
    constexpr uint64_t kHashFactor = 0x9e3779b97f4a7c15u;
    const uint64_t hash = (to.high() * 31 + to.low()) * kHashFactor;
    const uint64_t each = std::clamp<uint64_t>(rate / 10, std::min<uint64_t>(10, rate), 100);
    return each_[hash >> 56].take(context.now.ns, each, std::max<uint64_t>(each / 2, 6)) &&
           total_.take(context.now.ns, rate, std::max<uint64_t>(rate / 10, 10));
}

Replies::Outcome Replies::icmp(const Packet& packet, const PacketMeta& judged, IcmpError error,
                               uint32_t rate, WorkerContext& context, uint32_t mtu) noexcept {
    PacketMeta meta = judged;
    if (!context.dry_run) {
        undo_proxy(packet, meta, context);
        undo_translation(packet, meta);
    }
    if (context.dry_run || !icmp_error_allowed(meta, error)) return Outcome::kForbidden;
    if (!paced(meta.source, rate, context)) return Outcome::kLimited;
    rte_mbuf* frame = build_icmp_error(packet, meta, error, mtu, context);
    if (frame == nullptr) return Outcome::kNoFrame;
    context.emit(frame, meta.in_port);
    return Outcome::kSent;
}

Replies::Outcome Replies::reset(const Packet& packet, const PacketMeta& judged, uint32_t rate,
                                WorkerContext& context) noexcept {
    if (context.dry_run) return Outcome::kForbidden;
    PacketMeta meta = judged;
    undo_translation(packet, meta);
    if (!paced(meta.source, rate, context)) return Outcome::kLimited;
    rte_mbuf* frame = build_tcp_reset(packet, meta, context);
    if (frame == nullptr) return Outcome::kForbidden;
    context.emit(frame, meta.in_port);
    return Outcome::kSent;
}

}  // namespace ravelin
