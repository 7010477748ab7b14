// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/invocation_queues.h"

#include <algorithm>

namespace ravelin::sched {

InvocationQueues::InvocationQueues(uint32_t principals, uint32_t functions, uint32_t pool)
    : functions_(std::min<uint32_t>(functions, kMaxFunctions)),
      pool_(pool),
      queues_(size_t{principals} * functions_),
      owners_(principals),
      free_(pool) {
    for (uint32_t i = 0; i < pool; ++i) pool_[i].next = i + 1 < pool ? i + 1 : kNone;
    if (pool == 0) free_head_ = kNone;
}

Refusal InvocationQueues::post(const Invocation& invocation, std::span<void* const> frames,
                               uint64_t now, uint32_t threshold, bool entitled) noexcept {
    const PrincipalId id = invocation.principal;
    Owner& owner = owners_[index(id)];
    Queue& waiting = queue(id, invocation.function.slot);
    if (waiting.count >= threshold) return Refusal::kQueueFull;
    if (free_ == 0 || (!entitled && owner.count >= free_)) return Refusal::kPoolFull;
    const uint32_t at = free_head_;
    Waiting& slot = pool_[at];
    free_head_ = slot.next;
    --free_;
    slot.invocation = invocation;
    slot.arrival_ns = now;
    slot.next = kNone;
    slot.count = static_cast<uint16_t>(frames.size());
    slot.done = 0;
    std::copy(frames.begin(), frames.end(), slot.frames);
    if (waiting.head == kNone)
        waiting.head = at;
    else
        pool_[waiting.tail].next = at;
    waiting.tail = at;
    ++waiting.count;
    ++owner.count;
    owner.queues |= uint64_t{1} << invocation.function.slot;
    return Refusal::kNone;
}

Waiting* InvocationQueues::head(PrincipalId id) noexcept {
    Waiting* first = nullptr;
    for (uint64_t left = owners_[index(id)].queues; left != 0; left &= left - 1) {
        Waiting* head = &pool_[queue(id, static_cast<unsigned>(std::countr_zero(left))).head];
        if (first == nullptr || head->invocation.deadline_ns < first->invocation.deadline_ns ||
            (head->invocation.deadline_ns == first->invocation.deadline_ns &&
             head->arrival_ns < first->arrival_ns))
            first = head;
    }
    return first;
}

void InvocationQueues::pop(PrincipalId id, unsigned function) noexcept {
    Queue& waiting = queue(id, function);
    Owner& owner = owners_[index(id)];
    const uint32_t at = waiting.head;
    waiting.head = pool_[at].next;
    if (waiting.head == kNone) {
        waiting.tail = kNone;
        owner.queues &= ~(uint64_t{1} << function);
    }
    pool_[at].next = free_head_;
    free_head_ = at;
    --waiting.count;
    --owner.count;
    ++free_;
}

}  // namespace ravelin::sched
