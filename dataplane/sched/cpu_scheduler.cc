// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/cpu_scheduler.h"

#include <algorithm>

namespace ravelin::sched {

CpuScheduler::CpuScheduler(const PrincipalTable& principals, const FunctionTable& functions,
                           Usage& usage, const Config& config, Release release, uint64_t now_ns)
    : functions_(functions),
      usage_(usage),
      config_(config),
      release_(release),
      queues_(principals.size(), config.functions, config.invocations),
      servers_(principals.size()),
      shares_(principals,
              {.most_cost = config.max_run,
               .cap_burst = config.cap_burst,
               .cap_divisor = config.workers,
               .cap = &PrincipalCaps::cycles_per_s},
              now_ns),
      timer_wheel_(config.timers, now_ns),
      timers_(config.timers),
      timers_of_(principals.size()) {
    for (uint32_t i = config.timers; i != 0; --i) free_timers_.push_back(i - 1);
}

Refusal CpuScheduler::post(const Invocation& invocation, std::span<void* const> frames,
                           uint64_t now) noexcept {
    const PrincipalId id = invocation.principal;
    if (index(id) >= timers_of_.size() || id == kIdlePrincipal) return Refusal::kUnknownPrincipal;
    const auto refuse = [&](Refusal why) {
        usage_.add(id, Use::kRejected, std::max<size_t>(frames.size(), 1));
        return why;
    };
    if (frames.size() > limits::kBurst) return refuse(Refusal::kTooMany);
    const unsigned slot = invocation.function.slot;
    if (slot >= queues_.functions() || !functions_.knows(invocation.function))
        return refuse(Refusal::kStaleReference);
    auto& queue = queues_.queue(id, slot);
    if (queue.generation != invocation.function.generation) [[unlikely]] {
        queue.generation = invocation.function.generation;
        queue.discipline = {};
    }
    if (queue.discipline.suspended()) return refuse(Refusal::kSuspended);
    const bool first = !queues_.any(id), admitted = servers_.admitted(id);
    const Refusal refusal = queues_.post(invocation, frames, now, functions_.limits(slot).queue,
                                         admitted || id == kCorePrincipal);
    if (refusal != Refusal::kNone) return refuse(refusal);
    if (first && id != kCorePrincipal) {
        shares_.activate(id, now);
        if (admitted) arm(id, *head_of(id), now);
    }
    return Refusal::kNone;
}

Refusal CpuScheduler::start_timer(const Invocation& invocation, uint64_t when_ns) noexcept {
    if (index(invocation.principal) >= timers_of_.size()) return Refusal::kUnknownPrincipal;
    if (!functions_.knows(invocation.function)) return Refusal::kStaleReference;
    uint32_t& own = timers_of_[index(invocation.principal)];
    if (own >= free_timers_.size()) return Refusal::kTooMany;
    ++own;
    const uint32_t timer = free_timers_.back();
    free_timers_.pop_back();
    timers_[timer] = invocation;
    timer_wheel_.add(timer, when_ns);
    return Refusal::kNone;
}

// A timer that finds its queue full is lost and counted as rejected, like any post.
void CpuScheduler::run_timers(uint64_t now) noexcept {
    timer_wheel_.advance(now, kTimersATurn, [&](uint32_t timer) {
        --timers_of_[index(timers_[timer].principal)];
        free_timers_.push_back(timer);  // within the constructor's capacity
        post(timers_[timer], {}, now);
    });
}

Slice CpuScheduler::next(uint64_t now) noexcept {
    if (timer_wheel_.waiting() != 0) run_timers(now);
    drops_left_ = kDropsATurn;
    if (queues_.any(kCorePrincipal))
        if (Waiting* work = servable(kCorePrincipal, now))
            return slice_of(Slice::By::kCore, *work, now);
    if (Slice slice = by_reservation(now)) return slice;
    return by_share(now);
}

Slice CpuScheduler::by_reservation(uint64_t now) noexcept {
    for (;;) {
        const auto turn = servers_.earliest(now);
        if (turn.principal == kNoPrincipal) return {};
        const unsigned drops = drops_left_;
        Waiting* work = servable(turn.principal, now);
        if (work == nullptr && drops_left_ == 0) return {};
        if (work == nullptr) continue;
        if (drops != drops_left_) {  // it was armed for what is gone
            arm(turn.principal, *work, now);
            continue;
        }
        Slice slice = slice_of(Slice::By::kReservation, *work, now);
        fit_to(turn, slice, now);
        return slice;
    }
}

// Several jobs in one run only if they would follow each other anyway and the first, which is
// finished when the run is, does not come late by it. One packet where another function follows:
// that runs on what is left of the same job.
void CpuScheduler::fit_to(const DeadlineServers::Turn& turn, Slice& slice, uint64_t now) noexcept {
    const uint64_t reserved = servers_.contract(turn.principal).work;
    const bool passes_on = functions_.limits(slice.work->invocation.function.slot).passes_on;
    if (turn.budget > reserved || turn.deadline_ns <= now || passes_on) slice.count = 1;
    if (slice.count > 1) {
        const unsigned slot = slice.work->invocation.function.slot;
        const uint64_t each =
            queues_.queue(turn.principal, slot).discipline.expected(functions_.limits(slot).work);
        const uint64_t slack = (turn.deadline_ns - now) * config_.cycles_per_us / 1000;
        const uint64_t fit = std::clamp<uint64_t>(slack / each, 1, slice.count);
        slice.count = static_cast<unsigned>(servers_.jobs_in_a_row(turn, fit, now));
    }
    // What is around the run is spent of the budget too.
    const uint64_t budget = turn.budget + (slice.count - 1) * reserved;
    slice.limit =
        std::min(slice.limit, std::max(budget - std::min(config_.around, budget), uint64_t{1}));
    slice.release_ns = turn.release_ns;
    slice.deadline_ns = turn.deadline_ns;
}

Slice CpuScheduler::by_share(uint64_t now) noexcept {
    while (drops_left_ != 0) {
        const PrincipalId id = shares_.pick(now);
        if (id == kNoPrincipal) return {};
        const unsigned drops = drops_left_;
        Waiting* work = servable(id, now);
        if (work != nullptr && drops != drops_left_ && servers_.admitted(id)) arm(id, *work, now);
        if (work != nullptr) return slice_of(Slice::By::kShare, *work, now);
        shares_.charge(0, now);
    }
    return {};
}

// The principal's first work that is worth a cycle. What is not is dropped here: its function is
// unloaded or suspended, its deadline has passed, or it is beyond a cap.
Waiting* CpuScheduler::servable(PrincipalId id, uint64_t now) noexcept {
    while (Waiting* head = head_of(id)) {
        const Invocation& invocation = head->invocation;
        const unsigned slot = invocation.function.slot;
        Refusal why = Refusal::kNone;
        if (!functions_.knows(invocation.function))
            why = Refusal::kStaleReference;
        else if (queues_.queue(id, slot).discipline.suspended())
            why = Refusal::kSuspended;
        else if (invocation.deadline_ns < now && functions_.limits(slot).drop_stale)
            why = Refusal::kStale;
        else if (beyond_(id))
            why = Refusal::kOverCap;
        if (why == Refusal::kNone) return head;
        if (drops_left_ == 0) return nullptr;
        --drops_left_;
        discard(*head, why);
    }
    servers_.disarm(id);
    shares_.deactivate(id);
    return nullptr;
}

void CpuScheduler::discard(Waiting& waiting, Refusal why) noexcept {
    const PrincipalId id = waiting.invocation.principal;
    releasing_ = waiting.invocation.function.slot;
    release_(waiting.frames + waiting.done, static_cast<unsigned>(waiting.count - waiting.done), id,
             why);
    usage_.add(id, Use::kDrops, waiting.left());
    if (why == Refusal::kStale) usage_.add(id, Use::kStale, waiting.left());
    queues_.pop(waiting);
}

uint64_t CpuScheduler::run_limit(const Waiting& work) const noexcept {
    const uint64_t own = functions_.limits(work.invocation.function.slot).max_run;
    return own != 0 ? own : config_.max_run;
}

uint64_t CpuScheduler::head_owes(const Waiting& work) noexcept {
    const unsigned slot = work.invocation.function.slot;
    return config_.around + queues_.queue(work.invocation.principal, slot)
                                .discipline.owed(functions_.limits(slot).work);
}

Slice CpuScheduler::slice_of(Slice::By by, Waiting& work, uint64_t now) noexcept {
    const PrincipalId id = work.invocation.principal;
    const unsigned slot = work.invocation.function.slot;
    const Discipline& discipline = queues_.queue(id, slot).discipline;
    const uint64_t limit = run_limit(work), left = work.left();
    const uint64_t stated = functions_.limits(slot).work, fit = limit / discipline.expected(stated);
    // The core is measured, not disciplined.
    const bool single = id != kCorePrincipal && discipline.single(stated);
    Slice slice{.by = by,
                .work = &work,
                .principal = id,
                .first = work.done,
                .limit = limit,
                .started_ns = now};
    slice.count = single ? 1 : static_cast<unsigned>(std::clamp<uint64_t>(fit, 1, left));
    return slice;
}

// How many jobs its first packet takes, by what was stated or by what it took of late.
void CpuScheduler::arm(PrincipalId id, const Waiting& head, uint64_t now) noexcept {
    const uint64_t reserved = servers_.contract(id).work;
    const uint64_t owed = std::max<uint64_t>(head_owes(head), 1);
    if (head.invocation.hops != 0 && servers_.resume(id, owed)) return;
    const uint64_t jobs = (owed + reserved - 1) / reserved;
    servers_.arm(id, head.invocation.came_ns, jobs, now);
}

}  // namespace ravelin::sched
