// SPDX-License-Identifier: Apache-2.0
// TurnedTime: the clocks of a worker that is turned by hand, in virtual time: what costs time says
// so, nothing else does. One for the process, one thread.
#pragma once
#include <rte_cycles.h>

#include <cstdint>
#include <span>

#include "dataplane/clock.h"
#include "dataplane/sched/pace.h"

namespace ravelin::test {

class TurnedTime {
  public:
    static constexpr uint64_t kReading = 20;  ///< cycles that looking at the clock takes
    /// From when on the machine stands still, and for how long.
    struct Stall {
        uint64_t at_ns = 0, ns = 0;
        bool interrupt = false;  ///< the kernel counts it as the thread's own
    };

    /// It is a second past the beginning, and the machine never stands still.
    static void begin() {
        spent_ = rte_get_tsc_hz();
        stalls_ = {};
        stood_ = 0;
        next_ = UINT64_MAX;
    }
    /// It does so then, in this order; they outlive the run.
    static void stall(std::span<const Stall> stalls) {
        stalls_ = stalls;
        arm();
    }
    /// Another worker's time, who may be behind or ahead.
    static void go_to(uint64_t cycles) noexcept { spent_ = cycles; }
    static void pass(uint64_t cycles) noexcept {
        spent_ += cycles;
        if (spent_ >= next_) [[unlikely]]
            stand_still();
    }
    [[nodiscard]] static uint64_t cycles() noexcept { return spent_; }
    [[nodiscard]] static uint64_t ns() noexcept { return ns_of(spent_); }
    [[nodiscard]] static uint64_t ns_of(uint64_t cycles) noexcept {
        return static_cast<uint64_t>(sched::Wide{cycles} * 1'000'000'000 / rte_get_tsc_hz());
    }
    [[nodiscard]] static uint64_t cycles_of(uint64_t ns) noexcept {
        return static_cast<uint64_t>(sched::Wide{ns} * rte_get_tsc_hz() / 1'000'000'000);
    }

    // What a worker reads.
    /// ns without those that the machine stood still.
    static uint64_t had_ns() noexcept { return ns_of(spent_ - stood_); }
    static Now read() { return Now::from_ns(ns()); }
    static uint64_t read_cycles() noexcept {
        pass(kReading);
        return spent_;
    }

  private:
    static void arm() noexcept {
        next_ = stalls_.empty() ? UINT64_MAX : cycles_of(stalls_.front().at_ns);
    }
    static void stand_still() noexcept {
        spent_ += cycles_of(stalls_.front().ns);
        if (!stalls_.front().interrupt) stood_ += cycles_of(stalls_.front().ns);
        stalls_ = stalls_.subspan(1);
        arm();
    }
    static inline uint64_t spent_ = 0, stood_ = 0, next_ = UINT64_MAX;
    static inline std::span<const Stall> stalls_;
};

}  // namespace ravelin::test
