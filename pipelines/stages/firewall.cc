// SPDX-License-Identifier: Apache-2.0
// firewall: lets packets pass that belong to an accepted flow, and asks the rules about the others.
// Router mode: after route, so that rules know the way out; wire mode: last. Default: drop.
//
// Config: firewall_schema.h. Drops and counters: below. Cost: one flow lookup per packet while
// there are flows, misses of a burst overlapped; a packet without one costs a classification, those
// of packets that stateless rules accept overlapped too, and an insert if a stateful rule accepts
// it. Not asked: frames of the box itself, and what is neither IP nor ARP (judged by `wire`).
// Frames of the kernel open flows without a rule.
#include <array>

#include "dataplane/engine_counters.h"
#include "pipelines/stages/firewall_alone.h"
#include "pipelines/stages/firewall_express.h"
#include "pipelines/stages/firewall_judge.h"
#include "pipelines/stages/firewall_schema.h"

namespace ravelin::firewall {
namespace {

constexpr std::array<CounterDecl, static_cast<size_t>(Outcome::kPass)> kDrops{{
    {"rule", "Packets that a rule drops."},
    {"default", "Packets that no rule matches, where the default is to drop."},
    {"reject", "Packets that a rule or the default rejects; the sender is told if it may be."},
    {"tcp_flags", "TCP segments with flags that no host sends together."},
    {"tcp_state", "TCP segments that their connection cannot have in its state."},
    {"tcp_window", "TCP segments outside the window of their connection."},
    {"tcp_no_flow", "TCP segments in mid-stream of a connection that is not known."},
    {"flow_table_full", "New packets without room for a flow: every flow in the table is proven."},
    {"flow_cut", "Packets of flows that a new policy does not accept; the flow is removed."},
    {"icmp_unrelated", "ICMP errors about packets that no flow has under way."},
    {"icmp_no_flow", "ICMP echo replies that nobody asked for."},
    {"fragment", "Later fragments of packets that were not accepted or not seen."},
    {"ports_exhausted",
     "New packets to be translated for which the worker has no outer port left, or the out port no "
     "address."},
    {"nat_unsupported",
     "Packets whose source is to share an outer address, of protocols that have no ports, or "
     "accepted without a flow."},
    {"nat_mismatch",
     "Packets that came to another address than their flow is translated to, or to one whose flow "
     "is gone."},
    {"unproven_budget", "New packets while unanswered flows fill their part of the flow table."},
    {"unproven_source", "New packets of a source network with its number of unanswered flows."},
    {"syn_proxy_forged",
     "TCP segments without a flow to a server behind the SYN proxy that bring back no cookie."},
    {"syn_proxy_expired", "The same with a cookie of more than one to two minutes ago: replayed."},
    {"syn_proxy_unanswered",
     "Packets the SYN proxy cannot answer: to or from no single host, or the buffer pool is "
     "empty."},
    {"principal_flows", "New packets of a principal that has as many flows as it may."},
    {"principal_memory",
     "New packets of a principal whose flows take as much memory as it may have."},
}};
constexpr std::array<CounterDecl, kCounters> kCounterDecls{{
    {"judged_again", "Flows judged again under a new policy."},
    {"kept", "Flows that go on by keep-established though the policy does not accept them."},
    {"picked_up", "TCP connections taken up in mid-stream."},
    {"answered", "Rejected packets whose sender was told."},
    {"unanswered", "Rejected packets not answered: forbidden, over the rate, or no buffer."},
    {"ports_kept", "Translated flows that leave with the port they came with."},
    {"ports_changed", "Translated flows whose port was taken or belongs to another worker."},
    {"loose", "TCP segments outside the window that passed by tcp-window."},
    {"limit_full", "Packets taken to be beyond a limit that had no room for their address."},
    {"syn_cookies", "SYNs answered with a cookie."},
    {"syn_proxied", "Connections opened by a cookie that came back."},
    {"syn_proxy_mismatch",
     "Servers that did not agree to what syn-proxy promises: another window scale, no SACK or no "
     "timestamps."},
}};

constexpr unsigned kExpireBudget = 256;  // a few microseconds a turn
constexpr uint32_t kPublishMs = 100;

class Firewall final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& p = static_cast<const FirewallPolicy&>(policy);
        Lookup lookup;
        if (context.flows->size() != 0) prepare(burst, p, context, lookup);
        const Alone alone(burst, lookup.unknown, p, context);
        Tally tally;
        if (p.proxies()) cookies_.set_time(context.now.ns);
        Judge judge(p, context, replies_, cookies_, tally, drop(0));
        unsigned next = 0;
        for (unsigned i = 0; i < burst.count; ++i) {
            if (!asked(burst, i)) continue;
            if (alone.decides(i) && !judge.table_changed()) {
                judge.obey_alone(burst.meta[i], alone.slot(i));
                if (alone.outcome(i) != Outcome::kPass)
                    burst.drop(i, drop(static_cast<unsigned>(alone.outcome(i))));
                ++next;
                continue;
            }
            Subject subject{burst.packet(i), &burst.meta[i]};
            subject.first = alone.first(i);
            const Outcome outcome = one(judge, subject, p, context, lookup, next);
            burst.frames[i] = subject.packet.frame();  // the SYN proxy may have made a new one
            // What the kernel sends is followed, so that answers come in, and never refused.
            if (outcome == Outcome::kAnswered)
                finish(burst, i, context);
            else if (outcome != Outcome::kPass && !burst.meta[i].has(PacketMeta::kFromKernel))
                burst.drop(i, drop(static_cast<unsigned>(outcome)));
        }
        for (RuleTally* of : {static_cast<RuleTally*>(&tally), &tally.sources, &tally.destinations})
            of->flush(context.counters);
        for (unsigned c = 0; c < kCounters; ++c)
            if (tally.events[c] != 0) context.counters.add(counter(c), tally.events[c]);
    }

    void express(ExpressBurst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        decide_express(burst, static_cast<const FirewallPolicy&>(policy), drop(0), context);
    }

    void tick(const StagePolicy&, WorkerContext& context) noexcept override {
        context.flows->expire(context.now.ms, kExpireBudget);
        if (context.now.ms - published_ms_ < kPublishMs) return;
        published_ms_ = context.now.ms;
        publish(*context.flows, context.counters);
    }

  private:
    // Keys of the burst's packets in order, but for ARP and ICMP errors; not filled while there are
    // no flows, as where all rules are stateless.
    struct Lookup {
        bool filled = false;
        uint32_t unknown = ~0u;  ///< bit i: packet i has no flow
        unsigned count = 0;
        FlowKey keys[Burst::kCapacity];
        uint32_t hashes[Burst::kCapacity];
        bool swapped[Burst::kCapacity];
        unsigned of[Burst::kCapacity];  ///< the packet's place in the burst
        Flow* flows[Burst::kCapacity];
    };

    static void finish(Burst& burst, unsigned i, const WorkerContext& context) noexcept {
        if (!context.dry_run) rte_pktmbuf_free(burst.frames[i]);
        burst.consume(i);
    }
    static bool asked(const Burst& burst, unsigned i) noexcept {
        const PacketMeta& meta = burst.meta[i];
        if (!burst.live(i)) return false;
        if (meta.has(PacketMeta::kLocalOrigin))
            return meta.has(PacketMeta::kFromKernel) &&
                   meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6);
        return meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6 | PacketMeta::kArp);
    }
    static bool has_own_key(const PacketMeta& meta) noexcept {
        return !meta.has(PacketMeta::kArp | PacketMeta::kIcmpError);
    }
    static uint16_t zone(const PacketMeta& meta, const FirewallPolicy& p,
                         const WorkerContext& context) noexcept {
        if (!p.wire) return 0;
        const auto& ports = context.policy->ports;
        return zone_of(meta, meta.in_port < ports.size() ? ports[meta.in_port].wire_peer : kNoPort);
    }

    static void prepare(Burst& burst, const FirewallPolicy& p, const WorkerContext& context,
                        Lookup& lookup) noexcept {
        for (unsigned i = 0; i < burst.count; ++i) {
            if (!asked(burst, i) || !has_own_key(burst.meta[i])) continue;
            const unsigned at = lookup.count++;
            lookup.of[at] = i;
            lookup.hashes[at] = key_of(burst.meta[i], zone(burst.meta[i], p, context),
                                       lookup.keys[at], lookup.swapped[at]);
        }
        lookup.filled = true;
        context.flows->find_burst(lookup.keys, lookup.hashes, lookup.flows, lookup.count);
        for (unsigned at = 0; at < lookup.count; ++at)
            if (lookup.flows[at] != nullptr) lookup.unknown &= ~(1u << lookup.of[at]);
    }

    static Outcome one(Judge& judge, Subject& subject, const FirewallPolicy& p,
                       const WorkerContext& context, const Lookup& lookup,
                       unsigned& next) noexcept {
        const PacketMeta& meta = *subject.meta;
        if (meta.has(PacketMeta::kArp)) return judge.judge_arp(subject);
        if (meta.has(PacketMeta::kIcmpError))
            return judge.judge_error(subject, zone(meta, p, context));
        const unsigned at = next++;
        Flow* flow = nullptr;
        if (lookup.filled) {
            subject.key = lookup.keys[at];
            subject.hash = lookup.hashes[at];
            subject.swapped = lookup.swapped[at];
            flow = lookup.flows[at];
        } else {
            subject.hash = key_of(meta, zone(meta, p, context), subject.key, subject.swapped);
        }
        // An earlier packet of this burst may have opened this flow, or evicted it.
        if (judge.table_changed()) flow = context.flows->find(subject.key, subject.hash);
        return judge.judge(subject, flow);
    }

    void publish(const FlowTable& flows, const WorkerCounters& counters) noexcept {
        const FlowTableStats& now = flows.stats();
        counters.set(kFlows, flows.size());
        counters.set(kFlowsUnproven, flows.unproven());
        counters.add(kFlowsCreated, now.inserted - published_.inserted);
        counters.add(kFlowsExpired, now.expired - published_.expired);
        counters.add(kFlowsShed, now.shed_unproven - published_.shed_unproven);
        counters.add(kFlowsRefused, now.refused_full - published_.refused_full);
        published_ = now;
    }

    Replies replies_;
    SynCookies cookies_{flow_hash_secret};
    FlowTableStats published_;
    uint32_t published_ms_ = 0;
};

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Firewall>(); }

constexpr StageDecl kStage{
    .name = "firewall",
    .help = "Accepts, drops or rejects by state and rules.",
    .schema = &kSchema,
    .drops = kDrops,
    .counters = kCounterDecls,
    .compile = compile_firewall,
    .create = create,
    .repeats =
        [](const StagePolicy& policy) { return !static_cast<const FirewallPolicy&>(policy).wire; },
    .express =
        [](const StagePolicy& policy) {
            return decides_express(static_cast<const FirewallPolicy&>(policy));
        }};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin::firewall
