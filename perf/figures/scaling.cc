// SPDX-License-Identifier: Apache-2.0
// scaling: open connections over one worker, two, and so on. Each worker has a queue of either
// port and a CPU of its own; the ports give a flow's packets to the queue that RSS would.
#include <fmt/format.h>
#include <rte_cycles.h>

#include <cstdio>
#include <thread>

#include "perf/bench/forwarding.h"
#include "perf/bench/playlists.h"

namespace ravelin::perf {
namespace {

double one_run(unsigned workers, const Options& options) {
    const uint32_t flows = options.quick ? 2000 : 100'000;
    Rig rig({.flows = flows,
             .write = [](auto to) { write_conversations(to); },
             .program = Program::kBothWays,
             .open = true,
             .workers = workers},
            router({.flows = 2 * flows, .wires = Box::Wires::kReplay, .workers = workers}));
    double mpps = 0;
    for (const double cycles : rig.measure_workers(options.quick ? 0.2 : 1))
        mpps += static_cast<double>(rte_get_tsc_hz()) / 1e6 / cycles;
    return mpps;
}

void run(const Options& options, Report& report) {
    const unsigned cpus = std::thread::hardware_concurrency();
    const unsigned most = options.workers != 0 ? options.workers : cpus;
    double alone = 0;
    for (unsigned n = 1; n <= most; ++n)
        for (unsigned r = 0; r < options.runs; ++r) {
            const double mpps = one_run(n, options);
            report.add(fmt::format("workers_{}.mpps", n), "Mpps", mpps);
            if (n == 1) alone = mpps;
            if (n > 1)
                report.add(fmt::format("workers_{}.each_of_one_alone", n), "", mpps / n / alone);
            std::fprintf(stderr, "scaling: %u workers, run %u of %u: %.2f Mpps\n", n, r + 1,
                         options.runs, mpps);
        }
    if (most > cpus) report.make_void(fmt::format("{} workers on {} CPUs share them", most, cpus));
    report.note("windows of each worker while all run; the sum of their rates");
}

const FigureRegistration registration{{"scaling", "open connections over 1 to --workers", run}};

}  // namespace
}  // namespace ravelin::perf
