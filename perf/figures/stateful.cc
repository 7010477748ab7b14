// SPDX-License-Identifier: Apache-2.0
// stateful-10k, -100k, -1m: packets of open TCP connections, both ways in turns, behind 1,000
// rules; windows are tracked. police: a limit per source that everything keeps.
#include "perf/bench/forwarding.h"

namespace ravelin::perf {
namespace {

void open_connections(uint32_t flows, Target added, const Options& options, Report& report) {
    measure_forwarding({.work = established(flows, options.layout), .added = added}, options,
                       report);
}

// The limit alone: against the same rule without it.
void principals(const Options& options, Report& report) {
    for (const auto& [name, sources] : {std::pair{"1", 1u}, {"1k", 1000u}, {"64k", 65536u}})
        measure_forwarding(
            {.name = std::string("sources-") + name, .work = police(sources), .added = at_most(12)},
            options, report);
    report.note("a principal is a source address; added cycles are those of the limit alone");
}

const FigureRegistration registrations{
    {"stateful-10k", "10,000 open TCP connections, 1,000 rules",
     [](const Options& o, Report& r) { open_connections(10'000, at_most(30), o, r); }},
    {"stateful-100k", "100,000 open TCP connections, 1,000 rules",
     [](const Options& o, Report& r) { open_connections(100'000, at_most(55), o, r); }},
    {"stateful-1m", "1,000,000 open TCP connections, 1,000 rules",
     [](const Options& o, Report& r) { open_connections(1'000'000, at_most(100), o, r); }},
    {"police", "a rate for each of 1, 1k and 64k sources at random", principals}};

}  // namespace
}  // namespace ravelin::perf
