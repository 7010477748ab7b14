// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/invocation_queues.h"

#include <algorithm>
#include <bit>

namespace ravelin::sched {
namespace {

bool goes_before(const Waiting& a, const Waiting& b, bool in_order) {
    const Invocation &x = a.invocation, &y = b.invocation;
    if ((x.hops == 0) != (y.hops == 0)) return x.hops != 0;
    if (!in_order && x.deadline_ns != y.deadline_ns) return x.deadline_ns < y.deadline_ns;
    if (x.came_ns != y.came_ns) return x.came_ns < y.came_ns;
    return x.hops != y.hops ? x.hops > y.hops : a.order < b.order;
}

// Else what others have waiting at a later function would come between two of a packet's.
template <typename Queue>
auto& fifo_of(Queue& queue, uint32_t hops) {
    return hops == 0 ? queue.fresh : queue.begun;
}

}  // namespace

InvocationQueues::InvocationQueues(uint32_t principals, uint32_t functions, uint32_t pool)
    : functions_(std::min<uint32_t>(functions, kMaxFunctions)),
      pool_(pool),
      queues_(size_t{principals} * functions_),
      owners_(principals) {}

Refusal InvocationQueues::post(const Invocation& invocation, std::span<void* const> frames,
                               uint64_t now, uint32_t threshold, bool entitled) noexcept {
    const PrincipalId id = invocation.principal;
    Owner& owner = owners_[index(id)];
    Fifo& waiting = fifo_of(queue(id, invocation.function.slot), invocation.hops);
    if (waiting.count >= threshold) return Refusal::kQueueFull;
    if (!pool_.has_room(owner.count, entitled)) return Refusal::kPoolFull;
    Waiting& slot = pool_.push(waiting);
    slot.invocation = invocation;
    if (invocation.came_ns == kWhenPosted) slot.invocation.came_ns = now;
    slot.arrival_ns = now;
    slot.order = ++posted_;
    slot.count = static_cast<uint16_t>(frames.size());
    slot.done = 0;
    std::copy(frames.begin(), frames.end(), slot.frames);
    ++owner.count;
    owner.queues |= uint64_t{1} << invocation.function.slot;
    return Refusal::kNone;
}

Waiting* InvocationQueues::head(PrincipalId id, bool in_order) noexcept {
    Waiting* first = nullptr;
    for (uint64_t left = owners_[index(id)].queues; left != 0; left &= left - 1) {
        const Queue& of = queue(id, static_cast<unsigned>(std::countr_zero(left)));
        Waiting* const head = &pool_.head(of.begun.empty() ? of.fresh : of.begun);
        if (first == nullptr || goes_before(*head, *first, in_order)) first = head;
    }
    return first;
}

void InvocationQueues::pop(const Waiting& head) noexcept {
    const PrincipalId id = head.invocation.principal;
    const unsigned function = head.invocation.function.slot;
    Queue& of = queue(id, function);
    Owner& owner = owners_[index(id)];
    pool_.pop(fifo_of(of, head.invocation.hops));
    --owner.count;
    if (of.fresh.empty() && of.begun.empty()) owner.queues &= ~(uint64_t{1} << function);
}

}  // namespace ravelin::sched
