// SPDX-License-Identifier: Apache-2.0
// connrate: TCP connections one after the other: handshake, a segment of data each way, close from
// both sides. Fresh tuples all the time; closed connections stand in the table for a second
// (tcp-time-wait), and the clock of the figure starts once as many expire as come.
#include <fmt/format.h>
#include <rte_cycles.h>

#include "perf/bench/forwarding.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kTuples = 1 << 24, kFlows = 4'000'000;
constexpr double kSteady = 3;  // seconds until the table neither grows nor shrinks

void add(const Rounds& rounds, Report& report) {
    const double hz = static_cast<double>(rte_get_tsc_hz());
    const double cycles = rounds.median(&Round::box), io = rounds.median(&Round::io);
    report.add("new_connections_per_second", "connections/s", hz / (cycles * kLife),
               at_least(500'000));
    report.add("new_connections_per_second_without_io", "connections/s",
               hz / ((cycles - io) * kLife));
    report.add("cycles_per_connection", "tsc cycles", cycles * kLife);
    report.add("net_cycles_per_connection", "tsc cycles", (cycles - io) * kLife);
    report.add("io_cycles_per_packet", "tsc cycles/packet", io);
    if (Testpmd::installed())
        report.add("testpmd_io_cycles_per_packet", "tsc cycles/packet",
                   rounds.median(&Round::testpmd));
}

void run(const Options& options, Report& report) {
    const Work work =
        connections(options.quick ? 1 << 16 : kTuples, options.quick ? 1 << 17 : kFlows);
    Rig rig(work.playlist, work.yaml);
    rig.head().step_to = kLife;
    rewind_replay();
    rig.measure(options.quick ? 0.1 : kSteady);
    // Connections close, and none opens, while the ports alone are measured: that has to be short.
    const double seconds = options.quick ? 0.05 : 0.5, ports = options.quick ? 0.02 : 0.05;
    const auto runs = take_runs("connrate", options, report, [&] {
        Round round;
        round.testpmd = rig.measure_testpmd(ports);
        round.io_before = rig.measure_io(ports);
        round.box = rig.measure(seconds);
        round.io_after = rig.measure_io(ports);
        return round;
    });
    for (const Rounds& rounds : runs) add(rounds, report);
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
