// SPDX-License-Identifier: Apache-2.0
#include "dataplane/invocations.h"

#include <algorithm>

#include "dataplane/engine_counters.h"
#include "dataplane/pipeline.h"
#include "dataplane/transmitter.h"
#include "dataplane/tsc.h"

namespace ravelin {

using sched::PrincipalId;
using sched::Refusal;
using sched::Slice;
using sched::Use;

namespace {

constexpr uint64_t kStallNs = 10'000;  // shorter ones hold up little

}  // namespace

void PacketRun::pass(rte_mbuf* frame) noexcept { owner_.pass(frame); }

void PacketRun::drop(rte_mbuf* frame, DropCode why) noexcept {
    Invocations::drop(frame, why, worker_);
}

bool PacketRun::mirror(rte_mbuf* frame, PortId port) noexcept {
    rte_mbuf* copy = rte_pktmbuf_copy(frame, worker_.pool, 0, UINT32_MAX);
    if (copy == nullptr) {
        worker_.counters.add(kDropNoBuffer);
        return false;
    }
    worker_.counters.add(kInvokeCopies);
    worker_.transmit(copy, port, meta(frame).principal);
    return true;
}

Invocations::Invocations(InvocationPlan plan)
    : principals_(std::move(plan.principals)),
      functions_(std::move(plan.functions)),
      usage_(principals_->table.size()),
      entitled_(principals_->table.size()),
      held_(principals_->table.size()),
      aside_(plan.aside),
      free_(plan.frames),
      scheduler_(principals_->table, table_, usage_, plan.scheduler, {release, this}, 0),
      lost_(principals_->table.size()),
      usual_(tsc_hz()) {
    for (size_t i = 0; i < functions_.size(); ++i) {
        instances_[functions_[i].ref.slot] = std::move(plan.instances[i]);
        const auto next = std::ranges::find(functions_, functions_[i].next, &FunctionSpec::ref);
        next_[functions_[i].ref.slot] = next == functions_.end() ? nullptr : &*next;
        uses_[functions_[i].ref.slot] = std::make_unique<sched::FunctionUse>();
    }
    load();
    scheduler_.drop_if({beyond_cap, this});
    entitled_[index(sched::kCorePrincipal)] = true;
    for (const CyclePromise& one : plan.promises) {
        entitled_[index(one.principal)] = true;
        scheduler_.reserve(one.principal, one.contract, 0);
    }
}

void Invocations::load() noexcept {
    for (const FunctionSpec& spec : functions_) {
        table_.unload(spec.ref);
        table_.load(spec.ref, instances_[spec.ref.slot].get(), spec.limits);
    }
}

DropCode Invocations::reason(Refusal why) noexcept {
    switch (why) {
        case Refusal::kQueueFull:
            return kDropInvokeQueueFull;
        case Refusal::kPoolFull:
            return kDropInvokePoolFull;
        case Refusal::kStaleReference:
            return kDropInvokeStaleReference;
        case Refusal::kSuspended:
            return kDropInvokeSuspended;
        case Refusal::kStale:
            return kDropInvokeLate;
        case Refusal::kOverCap:
            return kDropOverCpu;
        default:
            return kDropInvokeRefused;
    }
}

// Who has reserved nothing may hold no more than are free, so that the greedy leave room.
bool Invocations::has_room(PrincipalId id, size_t frames) const noexcept {
    return frames <= free_ && (entitled_[index(id)] || held_[index(id)] + frames + aside_ <= free_);
}

Refusal Invocations::post(const sched::Invocation& invocation, std::span<rte_mbuf* const> frames,
                          uint64_t now_ns) noexcept {
    const PrincipalId principal = invocation.principal;
    if (index(principal) >= held_.size()) return Refusal::kUnknownPrincipal;
    Refusal refusal = Refusal::kPoolFull;
    if (has_room(principal, frames.size()))
        refusal = scheduler_.post(
            invocation, {reinterpret_cast<void* const*>(frames.data()), frames.size()}, now_ns);
    if (refusal == Refusal::kNone)
        entered(principal, frames.size());
    else if (const auto& use = uses_[invocation.function.slot]; use != nullptr)
        use->not_run(static_cast<unsigned>(frames.size()));
    return refusal;
}

void Invocations::drop(rte_mbuf* frame, DropCode why, WorkerContext& context) noexcept {
    context.counters.add(why);
    if (context.account != nullptr) context.account->end(*travelling_meta(frame));
    rte_pktmbuf_free(frame);
}

// Neither its principal's nor of the core's envelope: nobody in the box did it.
uint64_t Invocations::lost_of(const Slice& slice, uint64_t cycles, uint64_t now_ns,
                              LostTime::Clock had) noexcept {
    const uint64_t stated = table_.limits(slice.work->invocation.function.slot).work;
    const uint64_t lost = lost_.of_run(slice.principal, cycles, stated * std::max(slice.count, 1u),
                                       slice.by == Slice::By::kReservation, now_ns, had);
    if (lost == 0) [[likely]]
        return 0;
    note_stall(lost, cycles, now_ns);
    usage_.add(sched::kCorePrincipal, Use::kCycles, lost);
    context_->counters.add(kInvokeLostUs, lost_.us_of(lost));
    if (context_->account != nullptr) context_->account->ran(sched::kCorePrincipal, lost);
    return lost;
}

// What the machine took of it is nobody's, as of a run. What the kernel does not know of is a stall
// all the same, though it stays the core's: else who sends what costs more than usual would have
// an envelope that is wider for a while.
void Invocations::charge_core(uint64_t cycles, unsigned moved, uint64_t now_ns,
                              LostTime::Clock had) noexcept {
    const uint64_t lost = lost_.of_core(cycles, now_ns, had);
    note_stall(lost + usual_.beyond(cycles - lost, moved), cycles, now_ns);
    if (moved == 0) return;
    if (lost != 0) usage_.add(sched::kCorePrincipal, Use::kCycles, lost);
    scheduler_.charge_core(cycles - lost, now_ns);
}

// Of a stretch of so many `cycles` that ends now.
void Invocations::note_stall(uint64_t lost, uint64_t cycles, uint64_t now_ns) noexcept {
    const uint64_t ns = lost_.us_of(lost) * 1'000;
    if (ns >= kStallNs) [[unlikely]]
        held_up_.note(now_ns - lost_.us_of(cycles) * 1'000, now_ns, ns);
}

// What is around a run, its choice and what becomes of its packets, is nobody's beyond what is
// reckoned for it; but the machine may stall there as well.
void Invocations::note_around(uint64_t cycles, unsigned packets, const Clocks& clocks) noexcept {
    const uint64_t surely = usual_.surely(cycles, packets);
    if (surely == 0) [[likely]]
        return;
    const uint64_t now_ns = clocks.now().ns, lost = lost_.of_core(cycles, now_ns, clocks.had);
    note_stall(std::max(lost, surely), cycles, now_ns);
}

// From when the packets of a run are released at a port with a rate: from when they come, but where
// it ended late by the machine alone, from when they were due here. Else a stall would move all
// jobs which the principal has there. Where the box did it, it would be a burst there that nobody
// admitted: so later by what runs went beyond their limits since nothing reserved waited, which
// delays nobody by more; and where the core did beyond its envelope, by no more than was left to be
// worked off of stalls.
uint64_t Invocations::released_from(const Slice& slice, uint64_t now_ns) const noexcept {
    const uint64_t from = slice.deadline_ns + overran_ns_;
    if (from >= now_ns || !scheduler_.envelope().was_beyond(slice.release_ns)) return from;
    const uint64_t held = held_up_.of(slice.release_ns, slice.deadline_ns);
    return held == 0 ? UINT64_MAX : std::max(from, now_ns - std::min(now_ns, held));
}

// What was held up otherwise is made good there when that is no burst.
sched::CountsFrom Invocations::counts_from(const Slice& slice, uint64_t now_ns) const noexcept {
    if (slice.by != Slice::By::kReservation) return {};
    return {.ns = released_from(slice, now_ns), .due_ns = slice.deadline_ns};
}

unsigned Invocations::run(Pipeline& pipeline, WorkerContext& context, const Clocks& clocks,
                          Core core) noexcept {
    context_ = &context;
    const auto& [clock, cycles, had] = clocks;
    const uint64_t began_ns = clock().ns, began = cycles();
    if (core_until_ != 0) charge_core(began - core_until_, core.moved, began_ns, had);
    core_until_ = began;
    if (core.waits && !scheduler_.envelope().sheds_generic(began_ns)) return 0;
    const Slice slice = scheduler_.next(began_ns);
    if (!slice) return 0;
    const sched::Invocation ran = slice.work->invocation;
    lost_.begin(began_ns, had);
    PacketRun run(scheduler_, ran, began_ns, cycles, *this, context);
    const uint64_t from = cycles();
    table_.function(ran.function.slot).run(ran, slice.frames(), run);
    const uint64_t passed = cycles() - from, now_ns = clock().ns;
    const uint64_t took = passed - lost_of(slice, passed, now_ns, had);
    if (slice.by == Slice::By::kShare) overran_ns_ = 0;
    if (took > slice.limit) overran_ns_ += lost_.ns_of(took - slice.limit) + 1;
    if (context.account != nullptr) context.account->ran(slice.principal, took);
    context.counters.add(kInvokeRuns);
    uses_[ran.function.slot]->ran(took, slice.count);
    left(slice.principal, slice.count);
    const unsigned on = send_on(ran, context, now_ns);
    scheduler_.done(slice, took, slice.count, now_ns, on);
    if (passed_count_ != 0) {
        context.transmitter->count_from(counts_from(slice, now_ns));
        pipeline.resume(passed_, std::exchange(passed_count_, 0), context);
        context.transmitter->count_from({});
    }
    core_until_ = cycles();
    note_around(core_until_ - began - passed, std::max(slice.count, 1u), clocks);
    return std::max(slice.count, 1u);
}

// To the next function, under the same flow, principal and deadline, if there is one. How many go
// on here: with those that another worker has from here on this one is done.
unsigned Invocations::send_on(const sched::Invocation& ran, WorkerContext& context,
                              uint64_t now_ns) noexcept {
    const FunctionSpec* const next = next_[ran.function.slot];
    if (passed_count_ == 0 || next == nullptr) return 0;
    const unsigned n = std::exchange(passed_count_, 0);
    if (next->is_elsewhere(context)) {
        hand_over(*next, {passed_, n}, ran.deadline_ns, now_ns, context);
        return 0;
    }
    sched::Invocation onward = ran;
    onward.function = next->ref;
    ++onward.hops;
    Refusal refusal = has_room(ran.principal, n) ? Refusal::kNone : Refusal::kPoolFull;
    if (refusal == Refusal::kNone)
        refusal = scheduler_.post(onward, {reinterpret_cast<void**>(passed_), n}, now_ns);
    if (refusal == Refusal::kNone) {
        entered(ran.principal, n);
        return n;
    }
    uses_[next->ref.slot]->not_run(n);
    for (unsigned i = 0; i < n; ++i) drop(passed_[i], reason(refusal), context);
    return 0;
}

// Else who has much waiting would use it up at once, whatever the cap.
bool Invocations::beyond_cap(void* self, PrincipalId principal) noexcept {
    const WorkerContext* const context = static_cast<Invocations*>(self)->context_;
    return context != nullptr && context->account != nullptr &&
           context->account->caps().cycles().beyond(principal);
}

// Called by the scheduler, of what it will not run.
void Invocations::release(void* self, void* const* frames, unsigned n, PrincipalId principal,
                          Refusal why) noexcept {
    auto& own = *static_cast<Invocations*>(self);
    own.left(principal, n);
    // One that is gone has been counted for nothing.
    if (const auto& use = own.uses_[own.scheduler_.releasing()]; use != nullptr) use->not_run(n);
    for (unsigned i = 0; i < n; ++i)
        own.drop(static_cast<rte_mbuf*>(frames[i]), reason(why), *own.context_);
}

}  // namespace ravelin
