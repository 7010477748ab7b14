// SPDX-License-Identifier: Apache-2.0
// CpuScheduler's other half: what follows a run, and what is asked of it from outside.
#include <algorithm>

#include "dataplane/sched/cpu_scheduler.h"

namespace ravelin::sched {

void CpuScheduler::done(const Slice& slice, uint64_t cycles, unsigned completed, uint64_t now,
                        unsigned handed_on) noexcept {
    Waiting& work = *slice.work;
    account(slice, cycles, completed, now, handed_on);
    if (slice.by == Slice::By::kCore)
        config_.envelope.charge(cycles, now);
    else
        judge(slice, cycles, completed);
    work.done = static_cast<uint16_t>(work.done + completed);
    const bool finished = work.left() == 0, interrupted = completed < slice.count;
    if (finished) queues_.pop(work);
    if (slice.by != Slice::By::kCore) settle(slice, cycles, finished, interrupted, now);
}

void CpuScheduler::account(const Slice& slice, uint64_t cycles, unsigned completed, uint64_t now,
                           unsigned handed_on) noexcept {
    const PrincipalId id = slice.principal;
    usage_.add(id, Use::kCycles, cycles);
    usage_.add(id, Use::kRuns);
    if (slice.work->count != 0) usage_.add(id, Use::kPackets, completed);
    const uint64_t waited = slice.started_ns - slice.work->arrival_ns;
    usage_.add(id, Use::kQueueNs, waited * completed);
    if (slice.by != Slice::By::kReservation || now <= slice.deadline_ns) return;
    const uint64_t period = std::max<uint64_t>(servers_.contract(id).period_ns, 1);
    // What goes on is due where it ends, and counted there.
    const uint64_t ended = completed - std::min(completed, handed_on);
    const uint64_t late = std::min<uint64_t>(ended, 1 + (now - slice.deadline_ns - 1) / period);
    usage_.add(id, Use::kMisses, late);
    if (config_.envelope.was_beyond(slice.release_ns)) usage_.add(id, Use::kCoreMisses, late);
}

void CpuScheduler::judge(const Slice& slice, uint64_t cycles, unsigned completed) noexcept {
    const unsigned slot = slice.work->invocation.function.slot;
    Discipline& discipline = queues_.queue(slice.principal, slot).discipline;
    const bool interrupted = completed < slice.count;
    // A function that states nothing has at least its principal's contract to keep.
    uint64_t stated = functions_.limits(slot).work;
    if (stated == 0 && slice.by == Slice::By::kReservation)
        stated = servers_.contract(slice.principal).work;
    const bool was_suspended = discipline.suspended();
    if (discipline.judge(stated, cycles, slice.count, interrupted, config_.discipline))
        usage_.add(slice.principal, Use::kOverruns);
    if (discipline.suspended() && !was_suspended) usage_.add(slice.principal, Use::kSuspensions);
}

// The principal's place in both orders, for what it has now.
void CpuScheduler::settle(const Slice& slice, uint64_t cycles, bool finished, bool interrupted,
                          uint64_t now) noexcept {
    const PrincipalId id = slice.principal;
    const Waiting* head = head_of(id);
    uint64_t left = 0;
    if (slice.by == Slice::By::kReservation) {
        left = servers_.spend(id, cycles + config_.around);
        shares_.charge_caps(id, cycles, now);
    }
    if (head == nullptr) shares_.deactivate(id);
    if (slice.by == Slice::By::kShare) shares_.charge(cycles, now);
    if (head == nullptr) return servers_.disarm(id);
    if (!servers_.admitted(id)) return;
    if (slice.by == Slice::By::kShare) {
        if (finished || head != slice.work) arm(id, *head, now);
        return;
    }
    const uint64_t owed = std::max<uint64_t>(head_owes(*head), 1);
    if (left != 0 && (interrupted || left >= owed))
        servers_.keep(id);
    else
        arm(id, *head, now);
}

void CpuScheduler::charge_core(uint64_t cycles, uint64_t now) noexcept {
    usage_.add(kCorePrincipal, Use::kCycles, cycles);
    config_.envelope.charge(cycles, now);
}

void CpuScheduler::reserve(PrincipalId id, const Contract& contract, uint64_t now) noexcept {
    servers_.set(id, contract, now);
    if (contract.work == 0) return;
    if (const Waiting* head = head_of(id)) arm(id, *head, now);
}

void CpuScheduler::pardon(PrincipalId id, unsigned function) noexcept {
    queues_.queue(id, function).discipline = {};
}

uint64_t CpuScheduler::wake_at(uint64_t now) const noexcept {
    if (queues_.any(kCorePrincipal) || shares_.anything_queued() || servers_.anything_ready())
        return now;
    return std::min({servers_.next_ns(), shares_.next_ns(), timer_wheel_.next_ns()});
}

Refusal FunctionContext::post_for(uint32_t flow, FunctionRef function,
                                  std::span<void* const> frames, uint64_t argument) noexcept {
    return scheduler_.post({.function = function,
                            .principal = current_.principal,
                            .flow = flow,
                            .deadline_ns = current_.deadline_ns,
                            .argument = argument,
                            .came_ns = current_.came_ns,
                            .hops = current_.hops + 1},
                           frames, now_);
}

Refusal FunctionContext::start_timer(FunctionRef function, uint64_t when_ns,
                                     uint64_t argument) noexcept {
    return scheduler_.start_timer({.function = function,
                                   .principal = current_.principal,
                                   .flow = current_.flow,
                                   .argument = argument},
                                  when_ns);
}

}  // namespace ravelin::sched
