// SPDX-License-Identifier: Apache-2.0
// steer: behind parse. Gives each packet the hash of its flow and hands it to the worker that owns
// the flow, if the NIC has not chosen it already. Fragments first go to the worker of their
// address pair, learn their ports from the first fragment there, then go where their flow is.
// ICMP errors go where the quoted flow is; ARP and neighbour discovery to worker 0.
//
// Config: none. Drops: fragment_no_first, fragment_timeout, fragment_overlap, fragment_table_full.
// Cost: the hash (three multiplications); for a packet of another worker two cache lines of
// metadata.
#include "pipelines/stages/steer.h"

#include <array>

#include "dataplane/engine_counters.h"
#include "dataplane/handoff.h"
#include "dataplane/stage.h"
#include "pipelines/stages/nat_policy.h"
#include "pipelines/stages/steer_fragments.h"

namespace ravelin {
namespace {

constexpr config::Schema kSchema{"stage steer", "Brings all packets of a flow to one worker.", {}};

enum Drop : unsigned { kNoFirst, kTimeout, kOverlap, kTableFull };
constexpr std::array<CounterDecl, 4> kDrops{{
    {"fragment_no_first",
     "Fragments that came before their first one when too many were held already."},
    {"fragment_timeout", "Held fragments whose first one did not come within 30 seconds."},
    {"fragment_overlap", "Fragments of a datagram in which two overlap (RFC 5722)."},
    {"fragment_table_full",
     "Fragments of more datagrams, or with more gaps, than can be followed."},
}};
enum Counter : unsigned { kHandedOverCount, kHeldCount };
constexpr std::array<CounterDecl, 2> kCounters{{
    {"handed_over", "Packets given to the worker that owns their flow."},
    {"fragments_held", "Fragments held until their first one came."},
}};

struct SteerPolicy final : StagePolicy {
    uint16_t self = 0;    ///< resume here: steering is done
    uint16_t before = 0;  ///< resume here: steer again
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node&, CompileContext& context) {
    if (context.snapshot.steps.empty()) return Error{"stands first; it needs parse before it"};
    auto policy = std::make_shared<SteerPolicy>();
    policy->before = context.snapshot.steps.back().stage;
    policy->self = static_cast<uint16_t>(StageRegistry::get().index("steer"));
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

class Steer final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& steer = static_cast<const SteerPolicy&>(policy);
        handed_over_ = held_ = 0;
        nat_ = nat::policy_of(*context.policy);
        for (unsigned i = 0; i < burst.count; ++i) {
            if (!burst.live(i)) continue;
            PacketMeta& meta = burst.meta[i];
            set_hash(burst.packet(i), meta);
            // The kernel's frames belong to flows, the box's own answers to what they answer.
            const bool answer =
                meta.has(PacketMeta::kLocalOrigin) && !meta.has(PacketMeta::kFromKernel);
            if (context.dry_run) meta.resume = owner_of(burst.packet(i), meta, context, nat_);
            if (context.dry_run || answer) continue;
            if (meta.has(PacketMeta::kFragment))
                fragment(burst, i, steer, context);
            else
                hand_over(burst, i, steer.self, context);
        }
        if (handed_over_ != 0) context.counters.add(counter(kHandedOverCount), handed_over_);
        if (held_ != 0) context.counters.add(counter(kHeldCount), held_);
    }

    void tick(const StagePolicy&, WorkerContext& context) noexcept override {
        if (const unsigned lost = fragments_.expire(context.now.ms); lost != 0)
            context.counters.add(drop(kTimeout), lost);
    }

  private:
    void hand_over(Burst& burst, unsigned i, uint16_t resume, WorkerContext& context) noexcept {
        if (context.workers == 1) return;
        const WorkerId owner = owner_of(burst.packet(i), burst.meta[i], context, nat_);
        if (owner == context.worker) return;
        context.handoff->send(owner, burst.frames[i], burst.meta[i], resume);
        burst.consume(i);
        ++handed_over_;
    }

    void fragment(Burst& burst, unsigned i, const SteerPolicy& steer,
                  WorkerContext& context) noexcept {
        PacketMeta& meta = burst.meta[i];
        if (const WorkerId meeting = meeting_worker(meta, context); meeting != context.worker) {
            context.handoff->send(meeting, burst.frames[i], meta, steer.before);
            burst.consume(i);
            ++handed_over_;
            return;
        }
        FragmentTable::Released released;
        const auto answer = fragments_.take(burst.frames[i], meta, context.now.ms, released);
        // The first fragment goes ahead of those that waited for it: it opens the flow.
        if (judge(burst, i, answer)) hand_over(burst, i, steer.self, context);
        const bool spoiled = answer == FragmentTable::Answer::kOverlap;
        for (unsigned k = 0; k < released.count; ++k) {
            if (spoiled)
                rte_pktmbuf_free(released.frames[k]);
            else
                release(released.frames[k], steer, context);
        }
        if (spoiled && released.count != 0) context.counters.add(drop(kOverlap), released.count);
    }

    /// False when the fragment has left the burst. Otherwise its hash is now that of its flow.
    bool judge(Burst& burst, unsigned i, FragmentTable::Answer answer) noexcept {
        switch (answer) {
            case FragmentTable::Answer::kPass:
                set_hash(burst.packet(i), burst.meta[i]);
                return true;
            case FragmentTable::Answer::kHeld:
                burst.consume(i);
                ++held_;
                return false;
            case FragmentTable::Answer::kOverlap:
                burst.drop(i, drop(kOverlap));
                return false;
            case FragmentTable::Answer::kFull:
                burst.drop(i, drop(kTableFull));
                return false;
            case FragmentTable::Answer::kNoFirst:
                burst.drop(i, drop(kNoFirst));
                return false;
        }
        return false;
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
                           .create = create};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
