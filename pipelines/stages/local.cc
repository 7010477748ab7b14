// SPDX-License-Identifier: Apache-2.0
// local: the end of packets for the box itself. Echo requests are answered. What else came by a
// port with a TAP goes to the kernel (BGP, SSH, OSPF), at most so many a second; by another port it
// is refused as a host refuses a closed port (RFC 1122 section 3.2.2.1). Router mode, after
// neighbour.
//
// Config: ping, ping-rate, icmp-rate, kernel-rate. Drops: as listed. Cost: a compare a packet for
// others' packets.
#include <array>
#include <cstring>

#include "dataplane/engine_counters.h"
#include "dataplane/kernel_path.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"
#include "pipelines/net/icmp_error.h"
#include "pipelines/net/reply_frame.h"
#include "pipelines/net/tags.h"
#include "pipelines/stages/route.h"

namespace ravelin {
namespace {

using config::Field;
using config::Schema;
using config::Type;

constexpr std::array kFields{
    Field{.name = "ping",
          .type = Type::kBool,
          .help = "Whether the box answers echo requests to its addresses.",
          .fallback = "true"},
    Field{.name = "ping-rate",
          .type = Type::kPacketRate,
          .help = "Most echo replies a second of each worker.",
          .fallback = "1000pps",
          .minimum = 0,
          .maximum = 10'000'000},
    Field{
        .name = "icmp-rate",
        .type = Type::kPacketRate,
        .help = "Most unreachable messages a second of each worker; a tenth of it for one sender.",
        .fallback = "1000pps",
        .minimum = 0,
        .maximum = 1'000'000},
    Field{.name = "kernel-rate",
          .type = Type::kPacketRate,
          .help = "Most packets a second that each worker gives the kernel from one port: so many "
                  "of proven flows, and so many of all others.",
          .fallback = "5000pps",
          .minimum = 0,
          .maximum = 10'000'000},
};
constexpr Schema kSchema{"stage local", "Answers pings to the box; the kernel gets the rest.",
                         kFields};

enum Drop : unsigned {
    kNoService,
    kFragmentDrop,
    kPingOff,
    kPingRate,
    kPingGroup,
    kPingBroken,
    kGroupDrop,
    kKernelRate,
    kKernelFull
};
constexpr std::array<CounterDecl, 9> kDrops{{
    {"no_service",
     "Packets to the box that nothing in it serves; answered with an ICMP unreachable or a TCP "
     "reset."},
    {"fragment", "Fragments addressed to the box, which does not reassemble."},
    {"ping_off", "Echo requests, which ping: false forbids."},
    {"ping_rate", "Echo requests beyond ping-rate."},
    {"ping_group", "Echo requests to a group or broadcast address."},
    {"ping_broken", "Echo requests too long, or not answered as there was no buffer."},
    {"group", "Packets to link-scope groups and broadcasts that nothing in the box listens to."},
    {"kernel_rate", "Packets for the kernel beyond kernel-rate."},
    {"kernel_full", "Packets for the kernel, which did not take those before them in time."},
}};
enum Counter : unsigned { kPongs, kIcmpSent };
constexpr std::array<CounterDecl, 2> kCounters{{
    {"echo_replies", "Echo requests answered."},
    {"icmp_sent", "Unreachable messages and TCP resets sent."},
}};

constexpr uint8_t kEchoV4 = 8, kReplyV4 = 0, kEchoV6 = 128, kReplyV6 = 129;

struct LocalPolicy final : StagePolicy {
    bool ping = true;
    uint32_t ping_rate = 0, icmp_rate = 0, kernel_rate = 0;
};
constexpr uint32_t kPublishMs = 100;

bool is_ping(const PacketMeta& m) {
    if (m.has(PacketMeta::kIpv4)) return m.protocol == net::kIcmp && m.icmp_type == kEchoV4;
    return m.protocol == net::kIcmpv6 && m.icmp_type == kEchoV6;
}

// The IP header in front of the copied ICMP message; options are not echoed (RFC 7126).

// A copy of the message with type and checksum changed (its sum survives swapped addresses), so a
// message that arrived damaged leaves damaged, and the sender sees it.
rte_mbuf* echo_reply(const Packet& packet, const PacketMeta& m, rte_mempool* pool) {
    const uint32_t before = m.l4_offset - uint32_t{m.l3_offset};
    const auto* ethernet = packet.at<net::Ethernet>(0);
    if (ethernet == nullptr || m.l3_total < before + sizeof(net::Icmp)) return nullptr;
    const uint32_t length = m.l3_total - before;
    rte_mbuf* frame = rte_pktmbuf_copy(packet.frame(), pool, m.l4_offset, length);
    if (frame == nullptr) return nullptr;
    const bool v4 = m.has(PacketMeta::kIpv4);
    const auto head = static_cast<uint16_t>(sizeof(net::Ethernet) + net::ip_header_bytes(m.source));
    auto* icmp = Packet(frame).at<net::Icmp>(0);
    auto* out = reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(frame, head));
    if (out == nullptr || icmp == nullptr || rte_pktmbuf_pkt_len(frame) != head + length) {
        rte_pktmbuf_free(frame);
        return nullptr;
    }
    const be16 was(static_cast<uint16_t>(icmp->type << 8 | icmp->code));
    icmp->type = v4 ? kReplyV4 : kReplyV6;
    const be16 is(static_cast<uint16_t>(icmp->type << 8 | icmp->code));
    icmp->checksum = net::updated_checksum(icmp->checksum, was.raw(), is.raw());
    const net::Ethernet reply{ethernet->source, ethernet->destination,
                              be16(v4 ? net::kEtherIpv4 : net::kEtherIpv6)};
    std::memcpy(out, &reply, sizeof reply);
    net::write_ip(out + sizeof reply, m.destination, m.source, v4 ? net::kIcmp : net::kIcmpv6,
                  length, m.tos);
    return frame;
}

class Local final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& p = static_cast<const LocalPolicy&>(policy);
        for (unsigned i = 0; i < burst.count; ++i) {
            if (!burst.live(i) || burst.meta[i].out_port != kLocalPort) continue;
            const PacketMeta& meta = burst.meta[i];
            if (meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6) && is_ping(meta) &&
                !meta.has(PacketMeta::kFragment))
                pong(burst, i, p, context);
            else if (has_tap(meta, context))
                punt(burst, i, p, context);
            else if (meta.has(PacketMeta::kFragment))
                burst.drop(i, drop(kFragmentDrop));
            else
                refuse(burst, i, p, context);
        }
    }
    void tick(const StagePolicy&, WorkerContext& context) noexcept override {
        if (context.worker != 0 || context.kernel == nullptr) return;
        if (context.now.ms - published_ms_ < kPublishMs) return;
        published_ms_ = context.now.ms;
        context.counters.set(kKernelRefused, context.kernel->refused());
        context.counters.set(kKernelLost, context.kernel->lost());
    }

  private:
    void pong(Burst& burst, unsigned i, const LocalPolicy& p, WorkerContext& context) {
        const PacketMeta& meta = burst.meta[i];
        const bool group = static_cast<RouteKind>(meta.route_kind) == RouteKind::kGroup;
        if (group || meta.has(PacketMeta::kL2Multicast)) return burst.drop(i, drop(kPingGroup));
        if (!p.ping) return burst.drop(i, drop(kPingOff));
        if (context.dry_run) return burst.consume(i);
        if (!rate_.take(context.now.ns, p.ping_rate, p.ping_rate / 10 + 8))
            return burst.drop(i, drop(kPingRate));
        rte_mbuf* reply = echo_reply(burst.packet(i), meta, context.pool);
        if (reply == nullptr) return burst.drop(i, drop(kPingBroken));
        context.emit(reply, meta.in_port);
        context.counters.add(counter(kPongs));
        rte_pktmbuf_free(burst.frames[i]);
        burst.consume(i);
    }

    static bool has_tap(const PacketMeta& meta, const WorkerContext& context) {
        const auto& ports = context.policy->ports;
        return meta.in_port < ports.size() && !ports[meta.in_port].tap.empty();
    }
    // A flood of new flows must not starve the sessions that stand.
    void punt(Burst& burst, unsigned i, const LocalPolicy& p, WorkerContext& context) {
        const PacketMeta& meta = burst.meta[i];
        if (context.dry_run) return burst.consume(i);
        Buckets& buckets = kernel_[meta.in_port];
        RateLimit& limit = meta.has(PacketMeta::kProvenFlow) ? buckets.proven : buckets.others;
        if (!limit.take(context.now.ns, p.kernel_rate, p.kernel_rate / 10 + 8))
            return burst.drop(i, drop(kKernelRate));
        net::strip_tags(burst.frames[i], meta);
        if (!context.to_kernel(burst.frames[i], meta.in_port))
            return burst.drop(i, drop(kKernelFull));
        burst.consume(i);
    }

    void refuse(Burst& burst, unsigned i, const LocalPolicy& p, WorkerContext& context) {
        const PacketMeta& meta = burst.meta[i];
        const bool group = static_cast<RouteKind>(meta.route_kind) == RouteKind::kGroup;
        if (group || meta.has(PacketMeta::kL2Multicast)) return burst.drop(i, drop(kGroupDrop));
        const bool ports =
            meta.protocol == net::kTcp || meta.protocol == net::kUdp || meta.protocol == net::kSctp;
        // Unknown ICMP is dropped in silence: RFC 1122 section 3.2.2, RFC 4443 section 2.4 (b).
        const bool icmp = meta.protocol == net::kIcmp || meta.protocol == net::kIcmpv6;
        Replies::Outcome outcome = Replies::Outcome::kForbidden;
        if (meta.protocol == net::kTcp) {
            outcome = replies_.reset(burst.packet(i), meta, p.icmp_rate, context);
        } else if (!icmp && meta.protocol != net::kNoNext) {
            const IcmpError error =
                ports ? IcmpError::kPortUnreachable : IcmpError::kProtocolUnreachable;
            outcome = replies_.icmp(burst.packet(i), meta, error, p.icmp_rate, context);
        }
        if (outcome == Replies::Outcome::kSent) context.counters.add(counter(kIcmpSent));
        burst.drop(i, drop(kNoService));
    }

    struct Buckets {
        RateLimit proven, others;
    };
    Replies replies_;
    RateLimit rate_;
    std::array<Buckets, limits::kMaxPorts> kernel_;
    uint32_t published_ms_ = 0;
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& node,
                                                   CompileContext& context) {
    if (context.snapshot.mode != PolicySnapshot::Mode::kRouter) return Error{"needs mode: router"};
    if (context.unchanged != nullptr) return context.unchanged;
    auto policy = std::make_shared<LocalPolicy>();
    policy->ping = node["ping"].as_bool();
    policy->ping_rate = static_cast<uint32_t>(node["ping-rate"].as_integer());
    policy->icmp_rate = static_cast<uint32_t>(node["icmp-rate"].as_integer());
    policy->kernel_rate = static_cast<uint32_t>(node["kernel-rate"].as_integer());
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Local>(); }

constexpr StageDecl kStage{.name = "local",
                           .help = "Answers pings to the box; the kernel gets the rest.",
                           .schema = &kSchema,
                           .drops = kDrops,
                           .counters = kCounters,
                           .compile = compile,
                           .create = create,
                           .repeats = [](const StagePolicy&) { return true; },
                           .express = [](const StagePolicy&) { return true; }};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
