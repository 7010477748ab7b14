// SPDX-License-Identifier: Apache-2.0
// InvocationQueues: what waits on one worker, by principal and function, so that the pending work
// of everybody is known at all times (S28). All memory is taken at construction: a pool of
// invocations, of which a queue holds at most its threshold and a principal without a reservation
// no more than are free.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/sched/discipline.h"
#include "dataplane/sched/fifo_pool.h"
#include "dataplane/sched/invocation.h"

namespace ravelin::sched {

class InvocationQueues {
  public:
    struct Queue {
        Fifo fresh, begun;        ///< begun: what has gone through functions already
        uint32_t generation = 0;  ///< of the function that the discipline is about
        Discipline discipline;
    };
    InvocationQueues(uint32_t principals, uint32_t functions, uint32_t pool);

    /// `threshold`: of this queue, of what is begun as of what is not; `entitled`: has a
    /// reservation, may use the pool up.
    Refusal post(const Invocation& invocation, std::span<void* const> frames, uint64_t now,
                 uint32_t threshold, bool entitled) noexcept;
    [[nodiscard]] bool any(PrincipalId id) const { return owners_[index(id)].queues != 0; }
    /// What the principal does next: what has gone through functions already, so that a pipeline
    /// finishes what it began, of these and of others the earliest deadline unless they go `in
    /// order`, then what came first, then what has gone furthest. Null: nothing waits.
    [[nodiscard]] Waiting* head(PrincipalId id, bool in_order) noexcept;
    /// Takes out what was a head(); it is free from here on.
    void pop(const Waiting& head) noexcept;
    [[nodiscard]] Queue& queue(PrincipalId id, unsigned function) {
        return queues_[size_t{index(id)} * functions_ + function];
    }
    [[nodiscard]] uint32_t depth(PrincipalId id, unsigned function) const {
        const Queue& of = queues_[size_t{index(id)} * functions_ + function];
        return of.fresh.count + of.begun.count;
    }
    [[nodiscard]] uint32_t depth(PrincipalId id) const { return owners_[index(id)].count; }
    [[nodiscard]] uint32_t total() const { return pool_.used(); }
    [[nodiscard]] uint32_t functions() const { return functions_; }

  private:
    struct Owner {
        uint64_t queues = 0;  ///< bit: function with something waiting
        uint32_t count = 0;
    };
    uint32_t functions_;
    uint64_t posted_ = 0;
    FifoPool<Waiting> pool_;
    std::vector<Queue> queues_;
    std::vector<Owner> owners_;
};

}  // namespace ravelin::sched
