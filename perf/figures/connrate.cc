// SPDX-License-Identifier: Apache-2.0
// connrate: TCP connections one after the other: handshake, a segment of data each way, close from
// both sides. Fresh tuples all the time; closed connections stand in the table for a second
// (tcp-time-wait), and the clock of the figure starts once as many expire as come.
#include <fmt/format.h>
#include <rte_cycles.h>

#include <cstdio>

#include "perf/bench/forwarding.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kTuples = 1 << 24, kFlows = 4'000'000;
constexpr double kSteady = 3;  // seconds until the table neither grows nor shrinks

void add(double cycles, double io, double testpmd, Report& report) {
    const double hz = static_cast<double>(rte_get_tsc_hz());
    report.add("new_connections_per_second", "connections/s", hz / (cycles * kLife),
               at_least(500'000));
    report.add("new_connections_per_second_without_io", "connections/s",
               hz / ((cycles - io) * kLife));
    report.add("cycles_per_connection", "tsc cycles", cycles * kLife);
    report.add("net_cycles_per_connection", "tsc cycles", (cycles - io) * kLife);
    report.add("io_cycles_per_packet", "tsc cycles/packet", io);
    if (testpmd > 0) report.add("testpmd_io_cycles_per_packet", "tsc cycles/packet", testpmd);
}

void run(const Options& options, Report& report) {
    const Work work =
        connections(options.quick ? 1 << 16 : kTuples, options.quick ? 1 << 17 : kFlows);
    Rig rig(work.playlist, work.yaml);
    rig.head().step_to = kLife;
    rewind_replay();
    const double seconds = options.quick ? 0.05 : 1;
    rig.measure(options.quick ? 0.1 : kSteady);
    std::vector<double> ios, theirs;
    for (unsigned r = 0; r < options.runs; ++r) {
        theirs.push_back(rig.measure_testpmd(seconds));
        ios.push_back(rig.measure_io(seconds));
        rig.measure(options.quick ? 0.1 : kSteady);  // the table emptied meanwhile
        const double cycles = rig.measure(seconds);
        add(cycles, ios.back(), theirs.back(), report);
        std::fprintf(stderr, "connrate: run %u of %u: %.0f cycles a connection, %u flows stand\n",
                     r + 1, options.runs, cycles * kLife, rig.box().worker().flows().size());
    }
    judge_io("connrate", median_of(ios), median_of(theirs), report);
    report.config()["load"] = load_of(rig);
    report.config()["flows_standing"] = rig.box().worker().flows().size();
    report.config()["flow_table"] = rig.box().worker().flow_capacity();
    report.note(fmt::format(
        "the flow table bounds what lasts: with tcp-time-wait at its default of 120 s, N entries "
        "carry N/120 closed connections a second (65,536: {}; 1,000,000: {})",
        65'536 / 120, 1'000'000 / 120));
}

const FigureRegistration registration{
    {"connrate", "TCP connections with data and close, a second and worker", run}};

}  // namespace
}  // namespace ravelin::perf
