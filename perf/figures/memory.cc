// SPDX-License-Identifier: Apache-2.0
// memory: what a million open connections take.
#include <fmt/format.h>

#include "perf/bench/figure.h"
#include "perf/bench/machine.h"
#include "perf/bench/traffic.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kMillion = 1'000'000;

void run(const Options& options, Report& report) {
    const uint32_t count = options.quick ? 10'000 : kMillion;
    for (unsigned r = 0; r < options.runs; ++r) {
        double small = 0;
        {
            Box box(router({.flows = 1024}));
            small = resident_mib();
        }
        Box box(router({.flows = count}));
        Replay replay(box, Conversations(Conversations::Kind::kTcp4, count));
        const double generator = static_cast<double>(count) * 4 / (1 << 20);
        replay.open_all();
        if (box.worker().flows().size() != count) give_up("flows are missing");
        report.add("flow table", "MiB", double(box.worker().flow_memory()) / (1 << 20),
                   at_most(256));
        report.add("whole process, more than with 1024 flows", "MiB",
                   resident_mib() - small - generator, at_most(256));
    }
    report.note(fmt::format("{} TCP connections, all established", count));
}

const FigureRegistration registration{{"memory", "what a million connections take", run}};

}  // namespace
}  // namespace ravelin::perf
