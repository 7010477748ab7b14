// SPDX-License-Identifier: Apache-2.0
// What every forwarding figure reports: cycles of the box, of its ports alone, of testpmd.
#pragma once
#include <string>

#include "perf/bench/figure.h"
#include "perf/bench/rig.h"
#include "perf/bench/rounds.h"
#include "perf/bench/works.h"

namespace ravelin::perf {

struct Forwarding {
    std::string name = "";  ///< what metrics begin with; empty where there is one variant only
    Work work;              ///< where it has a plain variant, added cycles are counted from there
    Target net = {}, added = {};
};

/// The metrics cycles_per_packet, io_cycles_per_packet, testpmd_io_cycles_per_packet,
/// net_cycles_per_packet (less io) and mpps, and added_cycles_per_packet (net less net of `plain`,
/// in turns). Each run gives one value of each, the median of its good rounds.
void measure_forwarding(const Forwarding& what, const Options& options, Report& report);

/// `options.runs` of them, a few good rounds each, those without one left out. The figure is void
/// where none had any, or there is no testpmd to check io against.
std::vector<Rounds> take_runs(const std::string& name, const Options& options, Report& report,
                              const std::function<Round()>& take);
/// Makes `work.plain` the rig's generation before, for take_round().
void have_plain(Rig& rig, const Work& work);
/// testpmd, io, the plain variant if there is one, the box, io again.
Round take_round(Rig& rig, const Work& work, const Options& options);

/// What was played, and how many frames of the last measurement were looked at.
nlohmann::json load_of(Rig& rig);

}  // namespace ravelin::perf
