// SPDX-License-Identifier: Apache-2.0
// stages: what each stage takes of a packet of an open connection, by packets in a burst and by how
// much memory the connections fill: as much as L1, L2, L3 and DRAM hold. Probes between the stages
// see every packet, so there is no shortcut; what a probe itself takes is taken off.
#include <fmt/format.h>
#include <rte_cycles.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "perf/bench/figure.h"
#include "perf/bench/playlists.h"
#include "perf/bench/probe_stages.h"
#include "perf/bench/rig.h"

namespace ravelin::perf {
namespace {

constexpr std::array kBursts{1u, 8u, 32u, 64u};  // received at once; a burst is 32 of them
struct Size {
    const char* name;
    uint32_t flows;  // some 200 bytes each
};
constexpr Size kSizes[] = {{"l1", 1 << 6}, {"l2", 1 << 12}, {"l3", 1 << 16}, {"dram", 1 << 20}};

// Between two readings of the clock with nothing between them.
double empty_probe() {
    std::vector<double> taken;
    for (int i = 0; i < 1001; ++i) {
        const uint64_t start = rte_rdtsc();
        taken.push_back(static_cast<double>(rte_rdtsc() - start));
    }
    return median_of(std::move(taken));
}

void add(const std::string& where, double empty, Report& report) {
    const Section& first = probes()[1];
    report.data()[where] = {{"packets_a_burst", static_cast<double>(first.packets) /
                                                    static_cast<double>(first.bursts)}};
    for (size_t i = 1; i < kProbed.size(); ++i) {
        const Section& s = probes()[i];
        if (s.packets == 0) continue;
        const double cycles = static_cast<double>(s.cycles) - empty * static_cast<double>(s.bursts);
        report.add(fmt::format("{}.{}", kProbed[i], where), "tsc cycles/packet",
                   cycles / static_cast<double>(s.packets));
    }
}

void measure(const Size& size, const Options& options, Report& report) {
    const uint32_t flows = options.quick ? std::min(size.flows, 1u << 12) : size.flows;
    Rig rig({.flows = flows,
             .write = [](auto to) { write_conversations(to); },
             .program = Program::kBothWays,
             .open = true},
            router({.flows = flows + flows / 16 + 1024,
                    .rules = rule_text(mixed_rules(999)) + ", {name: out, action: accept, in: lan}",
                    .sections = true,
                    .wires = Box::Wires::kReplay}));
    rig.play(2 * lap_of(rig.playlist()));
    for (unsigned r = 0; r < options.runs; ++r)
        for (const unsigned burst : kBursts) {
            rig.head().burst = burst;
            reset_probes();
            const double whole = rig.measure(options.quick ? 0.02 : 0.2);
            add(fmt::format("{}.burst_{}", size.name, burst), empty_probe(), report);
            std::fprintf(stderr, "stages: %s, %u at once: %.0f cycles a packet with probes\n",
                         size.name, burst, whole);
        }
}

void run(const Options& options, Report& report) {
    for (const Size& size : kSizes)
        if (options.only.empty() || options.only == size.name) measure(size, options, report);
    report.note(
        "means, so what the machine interrupted is in them; packets of 1,048,576 (dram), 65,536 "
        "(l3), 4,096 (l2) and 64 (l1) open connections at random, 1,000 rules, windows tracked");
}

std::vector<std::string> parts() {
    std::vector<std::string> names;
    for (const Size& size : kSizes) names.emplace_back(size.name);
    return names;
}

const FigureRegistration registration{
    {"stages", "cycles of each stage, by packets at once and by memory of the flows", run, parts}};

}  // namespace
}  // namespace ravelin::perf
