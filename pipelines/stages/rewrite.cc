// SPDX-License-Identifier: Apache-2.0
// rewrite: the last stage of a router. Answers what cannot go on with ICMP errors, counts the hop,
// cuts IPv4 packets that are too big and may be cut, and writes the Ethernet header. What has no
// MAC yet waits on worker 0 (neighbour). Redirects are never sent.
//
// Config: icmp-rate. Drops: as listed. Cost: one neighbour lookup a packet, two cache lines.
#include <algorithm>
#include <array>

#include "dataplane/charge.h"
#include "dataplane/handoff.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/hop.h"
#include "dataplane/shortcut.h"
#include "pipelines/net/fragment.h"
#include "pipelines/net/icmp_error.h"
#include "pipelines/net/translate.h"
#include "pipelines/stages/firewall_rules.h"
#include "pipelines/stages/neighbour.h"
#include "pipelines/stages/neighbour_protocol.h"
#include "pipelines/stages/rewrite_express.h"
#include "pipelines/stages/rewrite_next_hop.h"
#include "pipelines/stages/rewrite_policy.h"

namespace ravelin {
namespace {

using config::Field;
using config::Schema;
using config::Type;

constexpr std::array kFields{
    Field{.name = "icmp-rate",
          .type = Type::kPacketRate,
          .help = "Most ICMP errors a second of each worker; a tenth of it for one sender.",
          .fallback = "1000pps",
          .minimum = 0,
          .maximum = 1'000'000},
};
constexpr Schema kSchema{
    "stage rewrite", "Makes packets ready for the next hop, or answers that they cannot go there.",
    kFields};

enum Drop : unsigned {
    kNoRoute,
    kUnreachable,
    kProhibited,
    kTtl,
    kTooBig,
    kNonIp,
    kHoldFull,
    kTooManyUnresolved,
    kNeighbourFailed,
    kStaleRoute,
    kNoBuffer,
    kUnfinished,
};
constexpr std::array<CounterDecl, 12> kDrops{{
    {"no_route", "Packets for which there is no route; answered with network unreachable."},
    {"unreachable", "Packets to a route of kind unreachable; answered with host unreachable."},
    {"prohibited",
     "Packets to a route of kind prohibit; answered with administratively prohibited."},
    {"ttl", "Packets whose hop limit ends here; answered with time exceeded."},
    {"too_big",
     "Packets above the MTU of their route or port that must not be cut; answered with the MTU."},
    {"non_ip", "Frames of protocols that are not routed."},
    {"hold_full", "Packets beyond those that may wait for a neighbour's answer."},
    {"too_many_unresolved", "Packets to new neighbours while too many are being looked for."},
    {"neighbour_failed",
     "Packets to a neighbour that did not answer a moment ago; answered with host unreachable."},
    {"stale_route", "Packets handed over whose route has changed meanwhile."},
    {"no_buffer", "Packets not cut because the buffer pool was empty."},
    {"unfinished",
     "First fragments of IPv6 packets that steer held and that never became whole; answered with "
     "reassembly time exceeded."},
}};
enum Counter : unsigned { kIcmpSent, kIcmpLimited, kHeldPackets, kCut };
constexpr std::array<CounterDecl, 4> kCounters{{
    {"icmp_sent", "ICMP errors sent."},
    {"icmp_limited", "ICMP errors not sent because of icmp-rate."},
    {"held", "Packets that wait or waited for a neighbour's answer."},
    {"fragmented", "IPv4 packets cut to the MTU of their route or port."},
}};

void count_hop(const Packet& packet, PacketMeta& meta) {
    if (meta.has(PacketMeta::kIpv6)) {
        if (auto* ip = packet.at<net::Ipv6>(meta.l3_offset)) net::count_hop(*ip);
    } else if (auto* ip = packet.at<net::Ipv4>(meta.l3_offset)) {
        net::count_hop(*ip);
    }
    --meta.ttl;
}

class Rewrite final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& p = static_cast<const RewritePolicy&>(policy);
        gateway_.forget();
        for (unsigned i = 0; i < burst.count; ++i) {
            if (!burst.live(i) || burst.meta[i].out_port == kLocalPort) continue;
            if (burst.meta[i].has(PacketMeta::kFromKernel)) continue;  // whole, MACs and all
            if (!burst.meta[i].has(PacketMeta::kIpv4 | PacketMeta::kIpv6))
                burst.drop(i, drop(kNonIp));
            else if (may_go(burst, i, p, context))
                forward(burst, i, p, context);
        }
    }

    void express(ExpressBurst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        ways_.find(burst, static_cast<const RewritePolicy&>(policy), context);
    }

    void tick(const StagePolicy& policy, WorkerContext& context) noexcept override {
        const auto& p = static_cast<const RewritePolicy&>(policy);
        if (p.tunnels == nullptr || context.shortcut == nullptr) return;
        if (p.tunnels->version() == tunnels_seen_) return;
        tunnels_seen_ = p.tunnels->version();
        context.shortcut->start_anew(context);
    }

  private:
    void refuse(Burst& burst, unsigned i, Drop reason, IcmpError error, const RewritePolicy& p,
                WorkerContext& context, uint32_t mtu = 0) {
        const auto outcome =
            replies_.icmp(burst.packet(i), burst.meta[i], error, p.icmp_rate, context, mtu);
        if (outcome == Replies::Outcome::kSent) context.counters.add(counter(kIcmpSent));
        if (outcome == Replies::Outcome::kLimited) context.counters.add(counter(kIcmpLimited));
        burst.drop(i, drop(reason));
    }

    // Route, hop limit and size allow it. Order as RFC 1812 section 5.2.1.
    bool may_go(Burst& burst, unsigned i, const RewritePolicy& p, WorkerContext& context) {
        const PacketMeta& meta = burst.meta[i];
        const auto no = [&](Drop reason, IcmpError error, uint32_t mtu = 0) {
            refuse(burst, i, reason, error, p, context, mtu);
            return false;
        };
        const bool passing = !meta.has(PacketMeta::kLocalOrigin);
        if (meta.has(PacketMeta::kUnfinished)) return no(kUnfinished, IcmpError::kReassemblyTime);
        if (passing && meta.ttl <= 1) return no(kTtl, IcmpError::kTimeExceeded);
        switch (static_cast<RouteKind>(meta.route_kind)) {
            case RouteKind::kForward:
                break;
            case RouteKind::kUnreachable:
                return no(kUnreachable, IcmpError::kHostUnreachable);
            case RouteKind::kProhibit:
                return no(kProhibited, IcmpError::kAdminProhibited);
            default:
                return no(kNoRoute, IcmpError::kNetUnreachable);
        }
        if (meta.out_port >= context.policy->ports.size())
            return no(kNoRoute, IcmpError::kNetUnreachable);
        return true;
    }

    // The packet's way; null (and dropped) if its route is gone.
    const NextHop* next_hop_of(Burst& burst, unsigned i, const RewritePolicy& p,
                               const WorkerContext& context) {
        const PacketMeta& meta = burst.meta[i];
        const NextHop* hop = rewrite::next_hop_of(meta, *p.route, context);
        const bool out = hop != nullptr && hop->port == meta.out_port &&
                         (hop->kind == RouteKind::kForward || hop->kind == RouteKind::kBroadcast);
        if (!out) burst.drop(i, drop(kStaleRoute));
        return out ? hop : nullptr;
    }
    bool resolve(const NextHop& hop, const PacketMeta& meta, const WorkerContext& context,
                 MacAddress& to) {
        if (meta.destination.is_multicast())
            to = group_mac(meta.destination);
        else if (hop.kind == RouteKind::kBroadcast)
            to.bytes.fill(0xff);
        else
            return gateway_.resolve(hop, meta.destination, *context.neighbours, to);
        return true;
    }
    // A router on the way to the end of a tunnel would tell the same, so the box tells itself.
    void too_big(Burst& burst, unsigned i, uint32_t mtu, const RewritePolicy& p,
                 WorkerContext& context) {
        const PacketMeta& meta = burst.meta[i];
        const bool outer = meta.has(PacketMeta::kLocalOrigin) && meta.has(PacketMeta::kTunnelled);
        if (outer && p.tunnels != nullptr && !context.dry_run)
            p.tunnels->lower(meta.source, meta.destination, mtu, context.now);
        refuse(burst, i, kTooBig, IcmpError::kTooBig, p, context, mtu);
    }
    void forward(Burst& burst, unsigned i, const RewritePolicy& p, WorkerContext& context) {
        PacketMeta& meta = burst.meta[i];
        const NextHop* way = next_hop_of(burst, i, p, context);
        if (way == nullptr) return;
        const NextHop& hop = *way;
        const PortPolicy& port = context.policy->ports[meta.out_port];
        MacAddress to;
        const bool resolved = resolve(hop, meta, context, to);
        const uint32_t mtu = rewrite::mtu_of(hop, port, to, p.tunnels.get(), context.now);
        if (meta.l3_total > mtu && meta.has(PacketMeta::kDontFragment | PacketMeta::kIpv6))
            return too_big(burst, i, mtu, p, context);
        if (!resolved)
            return wait(burst, i, hop.on_link ? meta.destination : hop.gateway, mtu, p, context);
        if (meta.nat_source != 0) translate_source(burst.packet(i), meta);
        if (context.dry_run) return;
        if (!meta.has(PacketMeta::kLocalOrigin)) count_hop(burst.packet(i), meta);
        if (!write_ethernet(burst.frames[i], meta, port.mac, to))
            return burst.drop(i, drop(kNonIp));
        if (meta.l3_total > mtu) return cut(burst, i, mtu, context);
        if (meta.flow_state == firewall::kStateEstablished && context.shortcut != nullptr &&
            hop.kind == RouteKind::kForward)
            context.shortcut->learn(burst.packet(i), meta,
                                    {hop.on_link ? meta.destination : hop.gateway, mtu}, context);
    }

    void cut(Burst& burst, unsigned i, uint32_t mtu, WorkerContext& context) {
        const PacketMeta& meta = burst.meta[i];
        // The pieces leave at once, so what came before them in their flow must go first.
        for (unsigned j = 0; j < i; ++j) {
            if (!burst.live(j) || burst.meta[j].hash != meta.hash ||
                burst.meta[j].out_port != meta.out_port)
                continue;
            context.transmit(burst.frames[j], meta.out_port, payer_of(burst.meta[j]));
            burst.consume(j);
        }
        burst.consume(i);
        const bool sent = send_fragments(burst.frames[i], meta.l3_total, mtu, meta.out_port,
                                         context, payer_of(meta)) != 0;
        context.counters.add(sent ? counter(kCut) : drop(kNoBuffer));
        if (!sent) context.charge_drop(meta);
    }

    void wait(Burst& burst, unsigned i, const IpAddress& next, uint32_t mtu, const RewritePolicy& p,
              WorkerContext& context) {
        PacketMeta& meta = burst.meta[i];
        const auto view = context.neighbours->view(meta.out_port, next);
        if (view && view->state == NeighbourState::kFailed)
            return refuse(burst, i, kNeighbourFailed, IcmpError::kHostUnreachable, p, context);
        if (context.dry_run) return burst.consume(i);
        if (context.worker != 0) {
            // Not yet changed: worker 0 does all of this stage again, under its own policy.
            meta.next_hop = RoutePolicy::kLookUpAgain;
            context.handoff->send(0, burst.frames[i], meta, p.before);
            return burst.hand_on(i);
        }
        // A held packet is finished but for its MACs, so the hop is counted first.
        translate_source(burst.packet(i), meta);
        if (!meta.has(PacketMeta::kLocalOrigin)) count_hop(burst.packet(i), meta);
        switch (hold_for_neighbour(burst.frames[i], meta, next, mtu, context)) {
            case Held::kHeld:
                burst.consume(i);
                if (meta.l3_total > mtu) context.counters.add(counter(kCut));
                return context.counters.add(counter(kHeldPackets));
            case Held::kQueueFull:
                return burst.drop(i, drop(kHoldFull));
            default:
                return burst.drop(i, drop(kTooManyUnresolved));
        }
    }

    Replies replies_;
    rewrite::GatewayMac gateway_;
    rewrite::ExpressWays ways_;
    uint32_t tunnels_seen_ = 0;
};

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Rewrite>(); }

constexpr StageDecl kStage{
    .name = "rewrite",
    .help = "Makes packets ready for the next hop, or answers that they cannot go there.",
    .schema = &kSchema,
    .drops = kDrops,
    .counters = kCounters,
    .compile = compile_rewrite,
    .create = create,
    .repeats = [](const StagePolicy&) { return true; },
    .express = [](const StagePolicy&) { return true; }};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
