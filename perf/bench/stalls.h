// SPDX-License-Identifier: Apache-2.0
// When a machine that is shared takes a CPU away: as a loop that does nothing else sees it, and as
// the clocks of a worker do, between two readings that no application's work lies between.
#pragma once
#include <span>
#include <vector>

#include "dataplane/clock.h"
#include "tests/support/turned_time.h"

namespace ravelin::perf {

using Stall = test::TurnedTime::Stall;

/// No stretch of the engine between two readings of the clock takes so long by itself.
inline constexpr uint64_t kStallNs = 20'000;

/// The clocks that a worker on a thread of its own is given. On demand that thread does nothing but
/// look at them for a while: the empty loop, with the same CPU, thread and neighbours.
class StampedTime {
  public:
    /// Forgets what it saw. No worker may be reading.
    static void begin();
    static Now read();
    /// Without those in loops, which are no work.
    static uint64_t read_cycles() noexcept;
    /// The worker comes by some place between two readings.
    static void pass() noexcept;
    /// From the worker's next reading on, which returns when `ns` are over. Any thread.
    static void loop(uint64_t ns) noexcept;
    [[nodiscard]] static bool loops() noexcept;
    /// What the kernel did to the thread.
    struct Taken {
        uint64_t switches = 0;  ///< to another thread, that it did not ask for
        uint64_t faults = 0;    ///< pages
    };
    static Taken taken();       ///< from the first loop to the last, between loops
    static Taken loop_taken();  ///< in them
    // Since begin(), CLOCK_MONOTONIC; of a worker that has stopped.
    static std::span<const Stall> stalls();       ///< while it worked
    static std::span<const Stall> loop_stalls();  ///< while it looped
};

/// From when until when something went on, ns of one clock.
struct Stretch {
    uint64_t from_ns = 0, to_ns = 0;
};
/// Those within the stretches, with times as if these, in this order, were all there is.
std::vector<Stall> joined(std::span<const Stall> stalls, std::span<const Stretch> stretches);

/// As nlohmann wants them: from 20, 50, 100, 200, 500 us, 1, 2, 5 and 10 ms on, how many.
std::vector<uint64_t> histogram_of(std::span<const Stall> stalls);
inline constexpr uint64_t kStallClassesUs[] = {20, 50, 100, 200, 500, 1'000, 2'000, 5'000, 10'000};

}  // namespace ravelin::perf
