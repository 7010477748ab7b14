// SPDX-License-Identifier: Apache-2.0
// What parts of the figure of the founding paper share: its flows, and who executes them.
#pragma once
#include <string>
#include <vector>

#include "perf/bench/figure.h"
#include "tests/support/sched_paths.h"

namespace ravelin::perf {

inline constexpr unsigned kPackets = 50;  ///< of each flow

/// Flows of the figure, each with its split of 100 ms; by who admitted them.
struct FlowSet {
    std::string name;
    std::vector<sched::PathFlow> flows;
    Target misses = exactly(0);  ///< of kPackets each
};

/// As many as the control plane grants, one after another, on the box that the data plane runs.
FlowSet granted_by_control_plane();

/// By a worker in virtual time. Misses of sets that are to have none.
uint64_t run_on_data_plane(const std::vector<FlowSet>& sets, Report& report);

/// By a worker on its own thread.
void run_on_thread(const std::vector<FlowSet>& sets, const Options& options, Report& report);

}  // namespace ravelin::perf
