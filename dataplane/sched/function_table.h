// SPDX-License-Identifier: Apache-2.0
// The functions loaded on a worker, by reference: a slot and the generation it was loaded in. Once
// unloaded a reference never means anything else: it is stale and posting through it fails with a
// named reason (S57, S58).
#pragma once
#include <array>
#include <compare>
#include <cstdint>

#include "dataplane/sched/principal.h"

namespace ravelin::sched {

inline constexpr unsigned kMaxFunctions = 64;  ///< one bit each in a principal's mask of queues

struct FunctionRef {
    uint16_t slot = UINT16_MAX;
    uint32_t generation = 0;
    auto operator<=>(const FunctionRef&) const = default;
};

/// What a function states about itself; enforced by CpuScheduler.
struct FunctionLimits {
    uint64_t work = 0;     ///< cycles a packet; 0: unstated, measured instead
    uint64_t max_run = 0;  ///< cycles of one uninterrupted run; 0: the scheduler's own
    uint32_t queue = 64;   ///< invocations that may wait for each principal
    bool drop_stale = true;
    bool passes_on = false;  ///< to another function, on the same budget
};

class Function;

/// One worker's slots. Written between bursts on the worker's own thread.
class FunctionTable {
  public:
    /// False: the slot is taken or there is none of that number.
    bool load(FunctionRef ref, Function* function, const FunctionLimits& limits) noexcept {
        if (ref.slot >= kMaxFunctions || slots_[ref.slot].function != nullptr) return false;
        slots_[ref.slot] = {function, limits, ref.generation};
        return true;
    }
    /// What waits for it is dropped when its turn comes (CpuScheduler::servable).
    void unload(FunctionRef ref) noexcept {
        if (knows(ref)) slots_[ref.slot].function = nullptr;
    }
    [[nodiscard]] bool knows(FunctionRef ref) const noexcept {
        return ref.slot < kMaxFunctions && slots_[ref.slot].function != nullptr &&
               slots_[ref.slot].generation == ref.generation;
    }
    [[nodiscard]] Function& function(unsigned slot) const { return *slots_[slot].function; }
    [[nodiscard]] const FunctionLimits& limits(unsigned slot) const { return slots_[slot].limits; }

  private:
    struct Slot {
        Function* function = nullptr;
        FunctionLimits limits;
        uint32_t generation = 0;
    };
    std::array<Slot, kMaxFunctions> slots_{};
};

}  // namespace ravelin::sched
