// SPDX-License-Identifier: Apache-2.0
// latency: throughput by RFC 2544 (no loss, and a thousandth: PDR), what is lost beyond it, bursts
// of which nothing is, and how long packets take below it. Arrivals are simulated, work is real
// (simulation.h): a turn that the machine interrupted counts, which is why the load without any
// loss has no goal here.
#include <fmt/format.h>
#include <rte_cycles.h>

#include <algorithm>
#include <cstdio>

#include "perf/bench/figure.h"
#include "perf/bench/search.h"
#include "perf/bench/simulation.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kConversations = 10'000;
constexpr double kPartial = 0.001;

struct Nothing final : Flood {
    PortId next(rte_mbuf*, const Box&) override { give_up("there is no flood here"); }
};

struct Bench {
    Bench()
        : box(router({.flows = 2 * kConversations}), &Simulation::clock),
          established(box, Conversations(Conversations::Kind::kTcp4, kConversations)),
          simulation(box, established, nothing) {
        established.open_all();
    }
    // What is on its way at the end arrives before anything is counted as lost.
    Tally trial(double load, double seconds) {
        Tally tally = simulation.run({.established = load, .flood = 0}, seconds);
        const Tally rest = simulation.run({}, 0.001);
        for (const PortId port : {kLan, kWan}) tally.delivered[port] += rest.delivered[port];
        return tally;
    }
    Box box;
    Replay established;
    Nothing nothing;
    Simulation simulation;
};

double lost(const Tally& tally) { return 1 - tally.delivered_share(); }

/// RFC 2544, 26.4 (RFC 9004): the longest burst at the rate of two wires of 10 Gbit/s of which
/// nothing is lost, in any of several.
double back_to_back(Bench& bench, unsigned bursts) {
    constexpr double kWires = 2 * 10e9 / (84 * 8);  // 64-byte frames a second, and what is between
    const SearchOptions range{.least = 64, .most = 1e6, .width = 0.02};
    const auto loss = [&](double frames, double) {
        double most = 0;
        for (unsigned i = 0; i < bursts; ++i)
            most = std::max(most, lost(bench.trial(kWires, frames / kWires)));
        return most;
    };
    return search(0, range, loss).lower;
}

void add_latencies(Bench& bench, double pdr, double seconds, Report& report) {
    for (const unsigned percent : {10u, 50u, 90u}) {
        const Tally tally = bench.trial(pdr * percent / 100, seconds);
        for (const auto& [name, q] : {std::pair{"p50", 0.5},
                                      {"p90", 0.9},
                                      {"p99", 0.99},
                                      {"p99_9", 0.999},
                                      {"p99_99", 0.9999},
                                      {"max", 1.0}})
            report.add(fmt::format("latency_{}_at_{}", name, percent), "us",
                       static_cast<double>(tally.latency_ns.quantile(q)) / 1e3);
    }
}

void run(const Options& options, Report& report) {
    Bench bench;
    const double hz = static_cast<double>(rte_get_tsc_hz());
    SearchOptions range;
    range.last_seconds = options.quick ? 0.005 : 0.1;
    range.first_seconds = range.last_seconds / 10;
    // Before any trial, in which sequence numbers stand still.
    std::vector<double> costs;
    for (int i = 0; i < 40; ++i) costs.push_back(bench.established.window());
    const double capacity = hz / median_of(costs);
    range.least = capacity / 1000;
    range.most = capacity * 2;
    for (unsigned r = 0; r < options.runs; ++r) {
        const auto loss = [&](double load, double s) { return lost(bench.trial(load, s)); };
        const Throughput partial = search(kPartial, range, loss), none = search(0, range, loss);
        report.add("pdr_mpps", "Mpps", partial.lower / 1e6);
        report.add("ndr_mpps", "Mpps", none.lower / 1e6);
        report.add("pdr_of_capacity", "of the rate in long bursts", partial.lower / capacity);
        for (const double beyond : {1.1, 1.5, 2.0})
            report.add(fmt::format("lost_at_{:.0f}_percent", beyond * 100), "of packets",
                       loss(partial.lower * beyond, range.last_seconds));
        report.add("back_to_back_frames", "frames at two wires' 10 Gbit/s",
                   back_to_back(bench, options.quick ? 1 : 10));
        add_latencies(bench, partial.lower, range.last_seconds, report);
        std::fprintf(stderr, "latency: run %u of %u: PDR %.2f Mpps, NDR %.2f Mpps, %u trials\n",
                     r + 1, options.runs, partial.lower / 1e6, none.lower / 1e6,
                     partial.trials + none.trials);
    }
    report.config()["load"] = {{"flows", kConversations},
                               {"frame_bytes", 64},
                               {"goal", kPartial},
                               {"trial_seconds", range.last_seconds}};
    report.note("latency from wire to wire, at 10, 50 and 90 % of the PDR");
}

const FigureRegistration registration{
    {"latency", "throughput (RFC 2544, PDR 0.1 %), loss beyond it, latency below it", run}};

}  // namespace
}  // namespace ravelin::perf
