// SPDX-License-Identifier: Apache-2.0
// What every forwarding figure reports: cycles of the box, of its ports alone, of testpmd.
#pragma once
#include <string>

#include "perf/bench/figure.h"
#include "perf/bench/rig.h"
#include "perf/bench/works.h"

namespace ravelin::perf {

struct Forwarding {
    std::string name = "";  ///< what metrics begin with; empty where there is one variant only
    Work work;              ///< where it has a plain variant, added cycles are counted from there
    Target net = {}, added = {};
};

/// The metrics cycles_per_packet, io_cycles_per_packet, testpmd_io_cycles_per_packet,
/// net_cycles_per_packet (less io) and mpps, and added_cycles_per_packet (net less net of `plain`,
/// in turns). Each run gives one value of each.
void measure_forwarding(const Forwarding& what, const Options& options, Report& report);

/// Says the figure is void where the ports cost us more than a tenth more than testpmd, or less.
void judge_io(const std::string& name, double io, double testpmd, Report& report);

/// What was played, and how many frames of the last measurement were looked at.
nlohmann::json load_of(Rig& rig);

}  // namespace ravelin::perf
