// SPDX-License-Identifier: Apache-2.0
// invoke: gives the packets of principals that have a function to that function. They leave the
// pipeline here, wait on this worker, or on that which the function names, until its scheduler runs
// it (dataplane/invocations.h) and go on there behind this stage. So it stands behind `classify`
// and whatever knows flows, and before whatever works on what leaves.
//
// A burst's packets of one flow and principal are one invocation. Those of the box itself, for it,
// ARP and what has no way out pass by. Config: none; `functions` and `principals` say all.
// Drops: drop.invoke.*, the engine's. Cost: a table read for each packet where functions are
// declared; else a compare a burst.
#include "dataplane/engine_counters.h"
#include "dataplane/express.h"
#include "dataplane/functions.h"
#include "dataplane/stage.h"
#include "pipelines/stages/route.h"

namespace ravelin {
namespace {

constexpr config::Schema kSchema{
    "stage invoke", "Gives packets to their principals' functions.", {}};

struct InvokePolicy final : StagePolicy {
    std::shared_ptr<const Functions> functions;  // null: none
    uint16_t self = 0;                           // resume here
};

class Invoke final : public Stage {
  public:
    void process(Burst& burst, const StagePolicy& policy,
                 WorkerContext& context) noexcept override {
        const auto& p = static_cast<const InvokePolicy&>(policy);
        // A dry run's frame is whoever asked's, and may come with a worker's own context.
        if (p.functions == nullptr || context.invocations == nullptr || context.dry_run) return;
        for (unsigned i = 0; i < burst.count; ++i)
            if (const FunctionSpec* function = function_of(burst, i, *p.functions, context))
                invoke(burst, i, *function, p, context);
    }

    // Packets of a principal with a function are the pipeline's.
    void express(ExpressBurst& b, const StagePolicy& policy, WorkerContext&) noexcept override {
        const auto& p = static_cast<const InvokePolicy&>(policy);
        if (p.functions == nullptr) return;
        for_each_bit(b.going, [&](unsigned i) {
            if (p.functions->of(sched::PrincipalId{b.principal[i]}) != nullptr) b.leave(i);
        });
    }

  private:
    static const FunctionSpec* function_of(const Burst& burst, unsigned i,
                                           const Functions& functions,
                                           const WorkerContext& context) noexcept {
        const PacketMeta& meta = burst.meta[i];
        const bool forwarded = meta.has(PacketMeta::kIpv4 | PacketMeta::kIpv6) &&
                               !meta.has(PacketMeta::kLocalOrigin) &&
                               meta.out_port < context.policy->ports.size();
        return forwarded && burst.live(i) ? functions.of(meta.principal) : nullptr;
    }

    static_assert(RoutePolicy::kLookUpAgain == Invocations::kLookUpAgain);

    // With those behind it in the burst of the same flow and principal, so their order stays.
    static void invoke(Burst& burst, unsigned first, const FunctionSpec& function,
                       const InvokePolicy& policy, WorkerContext& context) noexcept {
        const PacketMeta& like = burst.meta[first];
        rte_mbuf* frames[Burst::kCapacity];
        unsigned at[Burst::kCapacity], n = 0;
        for (unsigned i = first; i < burst.count; ++i) {
            const PacketMeta& meta = burst.meta[i];
            if (meta.principal != like.principal || meta.hash != like.hash ||
                function_of(burst, i, *policy.functions, context) == nullptr)
                continue;
            PacketMeta* const travelling = travelling_meta(burst.frames[i]);
            *travelling = meta;
            travelling->resume = policy.self;
            travelling->next_hop = Invocations::kLookUpAgain;
            at[n] = i;
            frames[n++] = burst.frames[i];
        }
        const uint64_t now_ns = context.now.ns, deadline_ns = function.due(now_ns);
        if (function.is_elsewhere(context)) {
            Invocations::hand_over(function, {frames, n}, deadline_ns, now_ns, context);
            for (unsigned k = 0; k < n; ++k) burst.hand_on(at[k]);
            return;
        }
        // Who shares cycles waits where those are; reservations change without a new `policy`.
        const sched::PrincipalId payer = context.policy->functions->payers[index(like.principal)];
        const sched::Refusal refusal = context.invocations->post({.function = function.ref,
                                                                  .principal = payer,
                                                                  .flow = like.hash,
                                                                  .deadline_ns = deadline_ns},
                                                                 {frames, n}, now_ns);
        for (unsigned k = 0; k < n; ++k) {
            if (refusal == sched::Refusal::kNone)
                burst.hand_on(at[k]);
            else
                burst.drop(at[k], Invocations::reason(refusal));
        }
        if (refusal == sched::Refusal::kNone) context.counters.add(kInvoked, n);
    }
};

Result<std::shared_ptr<const StagePolicy>> compile(const config::Node&, CompileContext& context) {
    auto policy = std::make_shared<InvokePolicy>();
    policy->functions = context.snapshot.functions;
    policy->self = static_cast<uint16_t>(StageRegistry::get().index("invoke"));
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

constexpr StageDecl kStage{.name = "invoke",
                           .help = "Gives packets to their principals' functions.",
                           .schema = &kSchema,
                           .drops = {},
                           .counters = {},
                           .compile = compile,
                           .create = [](WorkerId, WorkerId) -> std::unique_ptr<Stage> {
                               return std::make_unique<Invoke>();
                           },
                           // What comes back from a function teaches no way (Shortcut::learn).
                           .repeats = [](const StagePolicy&) { return true; },
                           .express = [](const StagePolicy&) { return true; }};
REGISTER_STAGE(kStage);

}  // namespace
}  // namespace ravelin
