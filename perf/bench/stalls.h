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

/// Of so long a run of an empty loop, on `cpu` and by a thread of its own; times from its
/// beginning.
std::vector<Stall> bare_loop(int cpu, double seconds);

/// The clocks that a worker on a thread of its own is given.
class StampedTime {
  public:
    /// Forgets what it saw. No worker may be reading.
    static void begin();
    static Now read();
    static uint64_t read_cycles() noexcept;
    /// Since begin(), CLOCK_MONOTONIC; of a worker that has stopped.
    static std::span<const Stall> stalls();
};

/// As nlohmann wants them: from 20, 50, 100, 200, 500 us, 1, 2, 5 and 10 ms on, how many.
std::vector<uint64_t> histogram_of(std::span<const Stall> stalls);
inline constexpr uint64_t kStallClassesUs[] = {20, 50, 100, 200, 500, 1'000, 2'000, 5'000, 10'000};

}  // namespace ravelin::perf
