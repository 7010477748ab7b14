// SPDX-License-Identifier: Apache-2.0
// steer: behind parse. Gives each packet the hash of its flow and hands it to the worker that owns
// the flow, if the NIC has not chosen it already. Fragments first go to the worker of their
// address pair, learn their ports from the first fragment there, then go where their flow is.
// ICMP errors go where the quoted flow is; ARP and neighbour discovery to worker 0.
//
// Config: fragments. Drops: those of FragmentDrop. Cost: the hash (three multiplications); for a
// packet of another worker two cache lines of metadata.
#include "pipelines/stages/steer.h"

#include <array>

#include "dataplane/engine_counters.h"
#include "dataplane/express.h"
#include "dataplane/flow_table.h"
#include "dataplane/handoff.h"
#include "dataplane/net/headers.h"
#include "dataplane/stage.h"
#include "pipelines/stages/nat_policy.h"
#include "pipelines/stages/steer_fragments.h"

namespace ravelin {
namespace {

constexpr std::array<std::string_view, 2> kFragmentWords{"track", "reassemble"};
constexpr std::array kFields{
    config::Field{.name = "fragments",
                  .type = config::Type::kEnum,
                  .help = "track passes fragments on as they come once the first one is known; "
                          "reassemble holds them until all are here and none overlap, then passes "
                          "them on as they came.",
                  .fallback = "track",
                  .words = kFragmentWords}};
constexpr config::Schema kSchema{"stage steer", "Brings all packets of a flow to one worker.",
                                 kFields};

constexpr std::array<CounterDecl, static_cast<size_t>(FragmentDrop::kCount)> kDrops{{
    {"fragment_timeout",
     "Held fragments whose datagram did not become whole in time: 30 s, IPv6 60 s."},
    {"fragment_overlap", "Fragments of a datagram in which two overlap (RFC 5722)."},
    {"fragment_duplicate", "Fragments whose bytes have all come before; their datagram goes on."},
    {"fragment_length", "Fragments of a datagram that ends in two places."},
    {"fragment_pieces", "Fragments of a datagram with more than 128 gaps or held fragments."},
    {"fragment_source_share", "Held fragments of a source that has more of them than its share."},
    {"fragment_table_full", "Held fragments given up for newer ones of others."},
}};
enum Counter : unsigned { kHandedOverCount, kHeldCount, kGivenUpCount };
constexpr std::array<CounterDecl, 3> kCounters{{
    {"handed_over", "Packets given to the worker that owns their flow."},
    {"fragments_held", "Fragments held until their first one, or all of them, came."},
    {"fragments_given_up", "Datagrams in fragments forgotten before their end, for newer ones."},
}};

struct SteerPolicy final : StagePolicy {
    uint16_t self = 0;    ///< resume here: steering is done
    uint16_t before = 0;  ///< resume here: steer again
    bool whole = false;   ///< datagrams leave whole or not at all
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node& config,
                                                   CompileContext& context) {
    if (context.snapshot.steps.empty()) return Error{"stands first; it needs parse before it"};
    auto policy = std::make_shared<SteerPolicy>();
    policy->before = context.snapshot.steps.back().stage;
    policy->self = static_cast<uint16_t>(StageRegistry::get().index("steer"));
    policy->whole = config["fragments"].as_text() == kFragmentWords[1];
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

class Steer final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& steer = static_cast<const SteerPolicy&>(policy);
        handed_over_ = held_ = 0;
        nat_ = nat::policy_of(*context.policy);
        const bool flows = context.flows->size() != 0;
        for (unsigned i = 0; i < burst.count; ++i) {
            if (!burst.live(i)) continue;
            PacketMeta& meta = burst.meta[i];
            // The kernel's frames belong to flows, the box's own answers to what they answer.
            const bool answer =
                meta.has(PacketMeta::kLocalOrigin) && !meta.has(PacketMeta::kFromKernel);
            if (meta.has(PacketMeta::kFragment) && !context.dry_run && !answer) {
                fragment(burst, i, steer, context);
                continue;
            }
            set_hash(burst.packet(i), meta);
            if (flows) context.flows->prefetch_bucket(meta.hash);
            if (context.dry_run) meta.resume = owner_of(burst.packet(i), meta, context, nat_);
            if (!context.dry_run && !answer) hand_over(burst, i, steer.self, context);
        }
        // Stages before the firewall have their work to do while these come.
        for (unsigned i = 0; flows && i < burst.count; ++i)
            if (burst.live(i)) (void)context.flows->prefetch_flow(burst.meta[i].hash);
        if (handed_over_ != 0) context.counters.add(counter(kHandedOverCount), handed_over_);
        if (held_ != 0) context.counters.add(counter(kHeldCount), held_);
        if (fragments_.size() != 0) count_given_up(context);
    }

    // The NICs have brought most to where their flow is, not all.
    void express(ExpressBurst& burst, const StagePolicy&,
                 WorkerContext& context) noexcept override {
        if (context.workers == 1) return;
        for_each_bit(burst.going, [&](unsigned i) {
            const uint32_t ports = burst.ports[i];
            const WorkerId owner =
                owner_of_plain(burst.source[i], burst.destination[i], ports, context);
            if (owner != context.worker) burst.leave(i);
        });
    }

    void tick(const StagePolicy& policy, WorkerContext& context) noexcept override {
        if (fragments_.size() == 0) return;
        FragmentTable::Released unfinished;
        fragments_.expire(context.now.ms, unfinished);
        for (unsigned i = 0; i < unfinished.count; ++i)
            report(unfinished.frames[i], static_cast<const SteerPolicy&>(policy), context);
        count_given_up(context);
    }

  private:
    void hand_over(Burst& burst, unsigned i, uint16_t resume, WorkerContext& context) noexcept {
        if (context.workers == 1) return;
        const WorkerId owner = owner_of(burst.packet(i), burst.meta[i], context, nat_);
        if (owner == context.worker) return;
        context.handoff->send(owner, burst.frames[i], burst.meta[i], resume);
        burst.hand_on(i);
        ++handed_over_;
    }

    void fragment(Burst& burst, unsigned i, const SteerPolicy& steer,
                  WorkerContext& context) noexcept {
        PacketMeta& meta = burst.meta[i];
        if (const WorkerId meeting = meeting_worker(meta, context); meeting != context.worker) {
            context.handoff->send(meeting, burst.frames[i], meta, steer.before);
            burst.hand_on(i);
            ++handed_over_;
            return;
        }
        fragments_.limit_held(FragmentTable::held_limit(context.pool->size, context.workers));
        FragmentTable::Released released;
        const auto ruling = fragments_.take(burst.frames[i], meta,
                                            {.zone = zone_of(meta, *context.policy),
                                             .now_ms = context.now.ms,
                                             .whole = steer.whole},
                                            released);
        switch (ruling.kind) {
            case FragmentTable::Ruling::Kind::kPass:  // its hash is now that of its flow
                set_hash(burst.packet(i), meta);
                hand_over(burst, i, steer.self, context);
                break;
            case FragmentTable::Ruling::Kind::kHeld:
                burst.hand_on(i);
                ++held_;
                break;
            case FragmentTable::Ruling::Kind::kDrop:
                burst.drop(i, drop(static_cast<unsigned>(ruling.drop)));
                break;
        }
        // The first fragment goes ahead of those that waited for it: it opens the flow.
        for (unsigned k = 0; k < released.count; ++k) release(released.frames[k], steer, context);
    }

    /// Equal addresses on two wires or in two VLANs are two conversations; to a router they are
    /// one, whose fragments may take different ways.
    static uint32_t zone_of(const PacketMeta& meta, const PolicySnapshot& policy) noexcept {
        if (policy.mode == PolicySnapshot::Mode::kRouter) return 0;
        return uint32_t{meta.in_port} << 24 | (uint32_t{meta.vlan_outer} & net::kVlanIdMask) << 12 |
               (uint32_t{meta.vlan_inner} & net::kVlanIdMask);
    }

    void count_given_up(WorkerContext& context) noexcept {
        const FragmentTable::Drops drops = fragments_.take_drops();
        for (unsigned i = 0; i < drops.size(); ++i)
            if (drops[i] != 0) {
                context.counters.add(drop(i), drops[i]);
                context.charge_lost(drops[i]);
            }
        if (const unsigned n = fragments_.take_given_up(); n != 0)
            context.counters.add(counter(kGivenUpCount), n);
    }

    /// A router tells the sender if the rules let the packet pass, hence in `rewrite`. A wire has
    /// no address to tell it from.
    void report(rte_mbuf* first, const SteerPolicy& steer, WorkerContext& context) noexcept {
        PacketMeta& meta = *travelling_meta(first);
        if (context.policy->mode == PolicySnapshot::Mode::kRouter &&
            !meta.has(PacketMeta::kLocalOrigin)) {
            nat_ = nat::policy_of(*context.policy);
            meta.flags |= PacketMeta::kUnfinished;
            return release(first, steer, context);
        }
        if (!meta.has(PacketMeta::kLocalOrigin)) context.charge_lost(1);
        rte_pktmbuf_free(first);
        context.counters.add(drop(static_cast<unsigned>(FragmentDrop::kTimeout)));
    }

    // A burst has no room for frames that were held: they take the way of frames handed over, to
    // this very worker too.
    void release(rte_mbuf* frame, const SteerPolicy& steer, WorkerContext& context) const noexcept {
        PacketMeta meta = *travelling_meta(frame);
        set_hash(Packet(frame), meta);
        context.handoff->send(owner_of(Packet(frame), meta, context, nat_), frame, meta,
                              steer.self);
    }

    FragmentTable fragments_;
    const nat::NatPolicy* nat_ = nullptr;  // of this burst; null without that stage
    unsigned handed_over_ = 0, held_ = 0;
};

std::unique_ptr<Stage> create(WorkerId, WorkerId) { return std::make_unique<Steer>(); }

constexpr StageDecl kStage{.name = "steer",
                           .help = "Brings all packets of a flow to one worker.",
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
