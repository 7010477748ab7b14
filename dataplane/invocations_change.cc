// SPDX-License-Identifier: Apache-2.0
// What becomes of invocations when the policy changes, or the worker goes.
#include <algorithm>

#include "dataplane/engine_counters.h"
#include "dataplane/functions.h"

namespace ravelin {

using sched::PrincipalId;
using sched::Refusal;

// Its id here; kNoPrincipal where nobody has the name any more.
PrincipalId Invocations::here(PrincipalId id, const Invocations& of) const {
    if (index(id) < sched::kFirstPrincipal) return id;
    const std::string& name = of.principals_->name(index(id));
    return !name.empty() && principals_->name(index(id)) == name ? id : sched::kNoPrincipal;
}

// The same reference is the same function: one that is configured otherwise has another.
void Invocations::keep_state(Invocations& before) noexcept {
    for (const FunctionSpec& spec : functions_)
        if (before.table_.knows(spec.ref)) {
            std::swap(instances_[spec.ref.slot], before.instances_[spec.ref.slot]);
            uses_[spec.ref.slot]->go_on(*before.uses_[spec.ref.slot]);
        }
    load();
    before.load();
}

void Invocations::take_over(Invocations& before, WorkerContext& context) noexcept {
    keep_state(before);
    paused();
    for (uint32_t i = 0; i < std::min(held_.size(), before.held_.size()); ++i)
        if (here(PrincipalId{i}, before) == PrincipalId{i}) {
            scheduler_.go_on(PrincipalId{i}, before.scheduler_, context.now.ns);
            lost_.go_on(PrincipalId{i}, before.lost_);
        }
    for (uint32_t i = 0; i < before.held_.size(); ++i) move(before, PrincipalId{i}, context);
}

void Invocations::move(Invocations& before, PrincipalId id, WorkerContext& context) noexcept {
    const PrincipalId to = here(id, before);
    const auto take = [&](sched::Waiting& waiting) {
        void** const frames = waiting.frames + waiting.done;
        const unsigned n = waiting.left();
        if (waiting.count == 0) return;  // a message: it is lost as a timer is
        before.left(id, n);
        Refusal why = to == sched::kNoPrincipal ? Refusal::kUnknownPrincipal : Refusal::kNone;
        if (why == Refusal::kNone && !has_room(to, n)) why = Refusal::kPoolFull;
        if (why == Refusal::kNone)
            why = scheduler_.post(waiting.invocation, {frames, n}, context.now.ns);
        if (why == Refusal::kNone) return entered(to, n);
        for (unsigned i = 0; i < n; ++i)
            drop(static_cast<rte_mbuf*>(frames[i]),
                 why == Refusal::kUnknownPrincipal ? DropCode{kDropInvokeWithdrawn} : reason(why),
                 context);
    };
    while (before.scheduler_.withdraw(id, take)) {
    }
}

// Takes out all that waits; each frame is given to `end`.
template <typename Fn>
void Invocations::take_all(Fn&& end) noexcept {
    for (uint32_t i = 0; i < held_.size(); ++i) {
        const PrincipalId id{i};
        const auto take = [&](sched::Waiting& waiting) {
            const unsigned n = waiting.count == 0 ? 0 : waiting.left();
            left(id, n);
            for (unsigned k = 0; k < n; ++k)
                end(static_cast<rte_mbuf*>(waiting.frames[waiting.done + k]));
        };
        while (scheduler_.withdraw(id, take)) {
        }
    }
}

void Invocations::withdraw(WorkerContext& context) noexcept {
    take_all([&](rte_mbuf* frame) { drop(frame, kDropInvokeWithdrawn, context); });
}

void Invocations::release_all() noexcept {
    take_all([](rte_mbuf* frame) { rte_pktmbuf_free(frame); });
}

// What is let go outlives its policy until then (InvocationKeeper).
uint64_t follow_functions(WorkerContext& context) noexcept {
    const Functions* const functions = context.policy->functions.get();
    Invocations* const before = context.invocations;
    context.invocations = functions == nullptr ? nullptr : functions->workers[context.worker].get();
    if (context.invocations != nullptr) context.invocations->attach();
    if (before != nullptr && context.invocations != nullptr)
        context.invocations->take_over(*before, context);
    else if (before != nullptr)
        before->withdraw(context);
    if (before != nullptr) before->detach();
    return functions == nullptr ? 0 : functions->serial;
}

}  // namespace ravelin
