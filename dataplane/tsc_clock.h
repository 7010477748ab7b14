// SPDX-License-Identifier: Apache-2.0
// TscClock: CLOCK_MONOTONIC told from the time-stamp counter, so that one reading of that gives a
// worker both the time and what its cycles are charged by. The kernel is asked for its own every
// 3 ms and stays the truth: what the counter says in between is a line on from its last answer, at
// the pace of those before; some 50 ns off where it counts evenly. Never runs backwards: where it
// was ahead it stands until the kernel has come as far.
//
// A counter that did not do as it did before (it jumped, went back, stood still or changed its
// pace: a virtual machine was stopped or moved) is not believed for 2 ms, in which the kernel is
// asked each time; for twice as long the next time. Until that is found out the clock is wrong by
// those 3 ms at the most.
#pragma once
#include <rte_cycles.h>

#include <algorithm>
#include <cstdint>

#include "dataplane/clock.h"

namespace ravelin {

/// Both clocks by one reading.
struct Stamp {
    Now now;
    uint64_t cycles = 0;
};

class TscClock {
  public:
    using Cycles = uint64_t (*)() noexcept;
    constexpr TscClock(Cycles cycles, Clock kernel) noexcept : cycles_(cycles), kernel_(kernel) {}

    /// The counter has just been read.
    [[gnu::always_inline]] Now at(uint64_t cycles) noexcept {
        const uint64_t passed = cycles - known_.cycles;
        if (passed >= good_for_ || --asked_again_in_ == 0) [[unlikely]] {
            ask();
        } else {
            const uint64_t ns = known_.ns + (passed * rate_ >> kShift);
            told_ns_ = std::max(told_ns_, ns);
        }
        return Now::from_ns(told_ns_);
    }

    /// Of the thread that asks, which need not stay on its CPU.
    static Stamp stamp() noexcept;
    static Now now() noexcept;

    static constexpr uint64_t kAskEvery = uint64_t{1} << 23;    ///< cycles
    static constexpr uint64_t kLearnFor = uint64_t{1} << 22;    ///< cycles
    static constexpr uint64_t kFirstTrust = uint64_t{1} << 16;  ///< cycles
    static constexpr uint32_t kReadings = 1 << 16;  ///< a counter that stands is found out by then

  private:
    struct Both {
        uint64_t cycles = 0, ns = 0;
        uint64_t doubt = 0;  ///< cycles that the two may lie apart
    };
    static constexpr unsigned kShift = 32;

    void ask() noexcept;
    void follow(const Both& real) noexcept;
    void learn(const Both& real) noexcept;
    void distrust(const Both& real) noexcept;
    [[nodiscard]] bool agrees(const Both& real) const noexcept;
    [[nodiscard]] Both read_both() const noexcept;

    Both known_;             // when the kernel was asked last; while rate_ is learned: first
    uint64_t good_for_ = 0;  // cycles from there on
    uint64_t rate_ = 0;      // 2^-32 ns a cycle; 0: not known
    uint64_t told_ns_ = 0;   // last
    uint64_t learn_for_ = kLearnFor;
    uint32_t asked_again_in_ = kReadings;
    Cycles cycles_;
    Clock kernel_;
};

extern thread_local constinit TscClock thread_clock;

inline Stamp TscClock::stamp() noexcept {
    const uint64_t cycles = rte_rdtsc();
    return {thread_clock.at(cycles), cycles};
}
inline Now TscClock::now() noexcept { return stamp().now; }

}  // namespace ravelin
