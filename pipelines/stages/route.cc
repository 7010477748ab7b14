// SPDX-License-Identifier: Apache-2.0
// route: where a packet goes, by longest prefix. Router mode, after parse and steering, before the
// firewall, which judges by in_port and out_port. It only decides: what cannot be forwarded becomes
// an ICMP error in `rewrite`, once the firewall has agreed to the packet.
//
// Networks of the ports' addresses and the addresses themselves are routes without being listed.
// Config: routes. Drops: as listed. Cost: one table read per packet, misses of a burst overlapped.
#include "pipelines/stages/route.h"

#include "dataplane/net/headers.h"
#include "pipelines/net/icmp_error.h"
#include "pipelines/stages/route_addresses.h"
#include "pipelines/stages/route_express.h"
#include "pipelines/stages/route_resolve.h"
#include "pipelines/stages/route_schema.h"
#include "pipelines/stages/route_watch.h"

namespace ravelin {
namespace {

enum Drop : unsigned {
    kMulticastDrop,
    kLinkLocalDrop,
    kMartian,
    kBlackholeDrop,
    kOwnSource,
    kSpecialSource,
    kDirectedBroadcast,
    kRpfStrict,
    kRpfLoose,
};
constexpr std::array<CounterDecl, 9> kDrops{{
    {"multicast", "Packets to groups beyond the link; multicast is not routed."},
    {"link_local", "Packets from or to link-local addresses that would have to be forwarded."},
    {"martian",
     "Packets from or to addresses that never stand on a wire: loopback, unspecified, 0.0.0.0/8, "
     "240.0.0.0/4, groups and broadcasts as source."},
    {"blackhole", "Packets to a route of kind blackhole."},
    {"own_source", "Packets from outside with an address of the box as source."},
    {"special_source", "Packets from blocks that belong to nobody, by special-sources: drop."},
    {"directed_broadcast", "Packets to the broadcast address of another port's network."},
    {"rpf_strict", "Packets from a source that no route reaches by the port they came in."},
    {"rpf_loose", "Packets from a source that no route reaches."},
}};
enum Counter : unsigned { kNoRoute, kLearned, kLearnedRefused, kLearnedStale };
constexpr std::array<CounterDecl, 4> kCounters{{
    {"no_route", "Packets for which there is no route."},
    {"learned", "Routes learned from the kernel.", CounterKind::kGauge},
    {"learned_refused", "Routes of the kernel not learned, for want of room."},
    {"learned_stale", "Learned routes removed as no control plane was there for stale-time."},
}};

class Route final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& routes = static_cast<const RoutePolicy&>(policy);
        if (routes.checks_sources()) routes.look_up_sources(burst, context.learned, sources_);
        unsigned v4[Burst::kCapacity]{}, v6[Burst::kCapacity]{}, n4 = 0, n6 = 0;
        uint32_t hosts[Burst::kCapacity], values[Burst::kCapacity];
        const IpAddress* addresses[Burst::kCapacity];
        for (unsigned i = 0; i < burst.count; ++i) {
            if (!burst.live(i) || !by_table(burst, i, routes, context)) continue;
            const PacketMeta& meta = burst.meta[i];
            if (meta.has(PacketMeta::kIpv4)) {
                hosts[n4] = meta.destination.v4_host();
                v4[n4++] = i;
            } else {
                addresses[n6] = &meta.destination;
                v6[n6++] = i;
            }
        }
        unsigned without = 0;
        if (n4 != 0) routes.table().lookup_v4_burst(hosts, values, n4);
        without += decide(burst, v4, values, n4, routes, context);
        if (n6 != 0) routes.table().lookup_v6_burst(addresses, values, n6);
        without += decide(burst, v6, values, n6, routes, context);
        if (without != 0) context.counters.add(counter(kNoRoute), without);
    }
    void express(ExpressBurst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        decide_express(burst, static_cast<const RoutePolicy&>(policy), context);
    }
    void tick(const StagePolicy& policy, WorkerContext& context) noexcept override {
        if (context.worker != 0 || context.now.ms == ticked_ms_) return;
        ticked_ms_ = context.now.ms;  // a busy loop turns many times a millisecond
        if (context.learned != nullptr) {
            context.counters.set(counter(kLearned), context.learned->size());
            context.counters.set(counter(kLearnedRefused), context.learned->refused());
            context.counters.set(counter(kLearnedStale), context.learned->stale());
        }
        watch_.tick(static_cast<const RoutePolicy&>(policy).next_hops(), context);
    }

  private:
    // Decides what needs no table; true if it does.
    bool by_table(Burst& burst, unsigned i, const RoutePolicy& routes,
                  const WorkerContext& context) const {
        PacketMeta& meta = burst.meta[i];
        if (meta.has(PacketMeta::kFromKernel))  // routed by the kernel, and finished
            return go_on_link(meta, meta.in_port), false;
        if (meta.has(PacketMeta::kArp)) return go_local(meta, RouteKind::kGroup), false;
        if (!meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6)) return false;
        if (meta.in_port >= context.policy->ports.size()) return true;
        return meta.has(PacketMeta::kLocalOrigin) ? own(meta) : received(burst, i, routes, context);
    }
    static bool own(PacketMeta& meta) {
        if (meta.out_port != kNoPort && meta.out_port != kLocalPort)
            return true;  // apply() keeps it
        const bool v6_link = !meta.destination.is_v4() && meta.destination.is_link_local();
        if (!meta.destination.is_multicast() && !v6_link) return true;
        go_on_link(meta, meta.in_port);
        return false;
    }
    bool received(Burst& burst, unsigned i, const RoutePolicy& routes,
                  const WorkerContext& context) const {
        PacketMeta& meta = burst.meta[i];
        const IpAddress &source = meta.source, &destination = meta.destination;
        if (meta.has(PacketMeta::kIpv4) && ordinary_v4(source.v4_host()) &&
            ordinary_v4(destination.v4_host()))
            return believable(burst, i, routes, context);
        if (nowhere(destination) || source.is_multicast() || source.is_loopback())
            return burst.drop(i, drop(kMartian)), false;
        if (destination.is_multicast()) {
            if (link_scope_group(destination))
                go_local(meta, RouteKind::kGroup);
            else
                burst.drop(i, drop(kMulticastDrop));
            return false;
        }
        // A host without an address asks for one (RFC 2131): to all, and no further than here.
        if (limited_broadcast(destination)) return go_local(meta, RouteKind::kGroup), false;
        if (source.is_unspecified() || (odd(meta, destination) && routes.drops_martians()))
            return burst.drop(i, drop(kMartian)), false;
        if (destination.is_link_local()) {
            if (owns(context.policy->ports[meta.in_port], destination))
                go_local(meta, RouteKind::kLocal);
            else
                burst.drop(i, drop(kLinkLocalDrop));
            return false;
        }
        return believable(burst, i, routes, context);
    }
    // The source alone, and then whether routes lead back to it.
    bool believable(Burst& burst, unsigned i, const RoutePolicy& routes,
                    const WorkerContext& context) const {
        const PacketMeta& meta = burst.meta[i];
        const auto own = routes.own().find(meta.source);
        if (own != OwnAddresses::Kind::kNone) [[unlikely]] {
            const bool host = own == OwnAddresses::Kind::kHost;
            return burst.drop(i, drop(host ? kOwnSource : kMartian)), false;
        }
        return routes.takes_any_source() || leads_back(burst, i, routes, context);
    }
    bool leads_back(Burst& burst, unsigned i, const RoutePolicy& routes,
                    const WorkerContext& context) const {
        const PacketMeta& meta = burst.meta[i];
        if (routes.drops_special_sources() && is_special_source(meta.source))
            return burst.drop(i, drop(kSpecialSource)), false;
        if (!routes.checks_sources()) return true;
        const ReversePath rpf = context.policy->ports[meta.in_port].rpf;
        // Link-local sources have no route: they come no further than the box (apply).
        if (rpf == ReversePath::kOff || meta.source.is_link_local()) return true;
        const bool strict = rpf == ReversePath::kStrict;
        const PortId port = strict ? meta.in_port : kNoPort;
        if (routes.forwards(sources_[i], port, context.learned) ||
            routes.feasible(meta.source, port))
            return true;
        return burst.drop(i, drop(strict ? kRpfStrict : kRpfLoose)), false;
    }
    // What the learned routes and then the rules make of the main table's values.
    static void choose_table(const Burst& burst, const unsigned* which, uint32_t* values,
                             unsigned n, const RoutePolicy& routes, const WorkerContext& context) {
        if (context.learned == nullptr && !routes.has_rules()) return;
        const IpAddress* addresses[Burst::kCapacity] = {};
        for (unsigned k = 0; k < n; ++k) addresses[k] = &burst.meta[which[k]].destination;
        RoutePolicy::prefer_learned(addresses, values, n, context.learned);
        if (!routes.has_rules()) return;
        for (unsigned k = 0; k < n; ++k)
            if (const PacketMeta& meta = burst.meta[which[k]]; !meta.has(PacketMeta::kLocalOrigin))
                values[k] = routes.by_rules(meta, values[k]);
    }
    static void go_by(PacketMeta& meta, const NextHop& hop, uint32_t index) {
        meta.out_port = hop.port;
        meta.next_hop = index;
        meta.route_kind = static_cast<uint8_t>(hop.kind);
    }
    // What most packets need: one next hop to send them to. False: ask apply().
    static bool forward(PacketMeta& meta, uint32_t value, const RoutePolicy& routes) {
        const uint32_t index = RoutePolicy::value_of(value);
        if (index >= routes.next_hops().size()) return false;  // none, learned or a group
        const NextHop& hop = routes.next_hops()[index];
        if (hop.kind != RouteKind::kForward || meta.has(PacketMeta::kLocalOrigin) ||
            meta.source.is_link_local())
            return false;
        go_by(meta, hop, index);
        return true;
    }
    // How many have no route.
    unsigned decide(Burst& burst, const unsigned* which, uint32_t* values, unsigned n,
                    const RoutePolicy& routes, const WorkerContext& context) const {
        unsigned without = 0;
        choose_table(burst, which, values, n, routes, context);
        for (unsigned k = 0; k < n; ++k)
            if (!forward(burst.meta[which[k]], values[k], routes))
                without += apply(burst, which[k], values[k], routes, context);
        return without;
    }
    // 1 if there is no route.
    unsigned apply(Burst& burst, unsigned i, uint32_t value, const RoutePolicy& routes,
                   const WorkerContext& context) const {
        PacketMeta& meta = burst.meta[i];
        const bool preset = meta.has(PacketMeta::kLocalOrigin) && meta.out_port != kNoPort;
        uint32_t index = 0;
        const NextHop* found = route::resolve(burst.packet(i), meta, value, routes, context, index);
        if (found == nullptr) {
            if (preset) return go_on_link(meta, meta.out_port), 0;
            meta.out_port = kNoPort;
            meta.route_kind = static_cast<uint8_t>(RouteKind::kNone);
            return 1;
        }
        const NextHop& hop = *found;
        if (preset && (hop.kind != RouteKind::kForward || hop.port != meta.out_port))
            return go_on_link(meta, meta.out_port), 0;
        if (hop.kind == RouteKind::kBlackhole) return burst.drop(i, drop(kBlackholeDrop)), 0;
        if (hop.kind == RouteKind::kBroadcast) return broadcast(burst, i, index, routes), 0;
        // Own addresses and broadcasts are taken from anywhere; through the box nothing link-local
        // goes (RFC 3927 section 7, RFC 4291 section 2.5.6).
        if (hop.port != kLocalPort && meta.source.is_link_local() &&
            !meta.has(PacketMeta::kLocalOrigin))
            return burst.drop(i, drop(kLinkLocalDrop)), 0;
        go_by(meta, hop, index);
        return 0;
    }
    // To all on a network: of its own port for the box, of another one a directed broadcast.
    void broadcast(Burst& burst, unsigned i, uint32_t index, const RoutePolicy& routes) const {
        PacketMeta& meta = burst.meta[i];
        const PortId port = routes.next_hops()[index].port;
        const bool passing = !meta.has(PacketMeta::kLocalOrigin);
        if (passing && meta.in_port == port) return go_local(meta, RouteKind::kGroup);
        if (passing && !routes.directs_broadcasts()) return burst.drop(i, drop(kDirectedBroadcast));
        if (passing && meta.source.is_link_local()) return burst.drop(i, drop(kLinkLocalDrop));
        meta.out_port = port;
        meta.next_hop = index;
        meta.route_kind = static_cast<uint8_t>(RouteKind::kForward);
        meta.flags |= PacketMeta::kL2Multicast;  // nobody is told of errors (RFC 1812 4.3.2.7)
    }
    uint32_t sources_[Burst::kCapacity];  // RoutePolicy::look_up_sources
    GatewayWatch watch_;
    uint32_t ticked_ms_ = 0;
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& node,
                                                   CompileContext& context) {
    if (context.snapshot.mode != PolicySnapshot::Mode::kRouter)
        return Error{"needs mode: router; in mode: wire frames leave by wire"};
    if (context.unchanged != nullptr) return context.unchanged;
    auto policy = RoutePolicy::build(node, context.snapshot);
    if (!policy) return std::move(policy.error());
    return std::shared_ptr<const StagePolicy>(std::move(*policy));
}

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Route>(); }

constexpr StageDecl kStage{.name = "route",
                           .help = "Chooses the port and next hop by destination address.",
                           .schema = &route_schema::kSchema,
                           .drops = kDrops,
                           .counters = kCounters,
                           .compile = compile,
                           .create = create,
                           .repeats =
                               [](const StagePolicy& policy) {
                                   return !static_cast<const RoutePolicy&>(policy).has_rules();
                               },
                           .express =
                               [](const StagePolicy& policy) {
                                   const auto& routes = static_cast<const RoutePolicy&>(policy);
                                   return !routes.has_rules() && routes.takes_any_source();
                               }};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
