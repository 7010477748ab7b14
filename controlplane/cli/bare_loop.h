// SPDX-License-Identifier: Apache-2.0
// BareLoop: what a loop that does nothing else gets of one CPU, and how fast that CPU is.
#pragma once
#include <cstdint>

#include "dataplane/result.h"

namespace ravelin::cli {

struct BareLoop {
    double seconds = 0;
    double tsc_hz = 0;   ///< against CLOCK_MONOTONIC_RAW
    double core_hz = 0;  ///< by a fixed loop of one cycle a turn
    double share = 0;    ///< of the time, without the gaps; 0 to 1
    uint64_t gaps_10us = 0, gaps_100us = 0, gaps_1ms = 0;  ///< at least so long
    double longest_us = 0;
    /// TSC cycles a second that a worker there can count on.
    [[nodiscard]] uint64_t cycles_per_second() const {
        return static_cast<uint64_t>(tsc_hz * share);
    }
};

/// Runs on `cpu` for `seconds`; this thread may run where it might before when it returns. Error:
/// it may not run there.
Result<BareLoop> run_bare_loop(int cpu, double seconds);

}  // namespace ravelin::cli
