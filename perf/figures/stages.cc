// SPDX-License-Identifier: Apache-2.0
// stages: what each stage takes of a packet of an open connection, by packets in a burst and by how
// much memory the connections fill: as much as L1, L2, L3 and DRAM hold. Probes between the stages
// see every packet, so there is no shortcut; what a probe itself takes is taken off. And what the
// shortcut takes of such a packet, and the express of one without a firewall, instead of all
// stages.
#include <fmt/format.h>
#include <rte_cycles.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>

#include "perf/bench/figure.h"
#include "perf/bench/playlists.h"
#include "perf/bench/probe_stages.h"
#include "perf/bench/rig.h"
#include "perf/bench/rounds.h"
#include "perf/bench/works.h"

namespace ravelin::perf {
namespace {

constexpr std::array kBursts{1u, 8u, 32u, 64u};  // received at once; a burst is 32 of them
struct Size {
    const char* name;
    uint32_t flows;   // some 200 bytes each
    uint32_t routes;  // some 1 KiB each
};
constexpr Size kSizes[] = {
    {"l1", 1 << 6, 8}, {"l2", 1 << 12, 400}, {"l3", 1 << 16, 16'000}, {"dram", 1 << 20, 131'072}};

// Not in every policy, or with more to do in that which has these.
bool is_more(std::string_view stage) {
    return stage == "nat" || stage == "classify" || stage == "rewrite";
}

// Between two readings of the clock with nothing between them.
double empty_probe() {
    std::vector<double> taken;
    for (int i = 0; i < 1001; ++i) {
        const uint64_t start = rte_rdtsc();
        taken.push_back(static_cast<double>(rte_rdtsc() - start));
    }
    return median_of(std::move(taken));
}

/// `more`: those of is_more() alone; else those of every policy.
void add(const std::string& where, double empty, bool more, Report& report) {
    const Section& first = probes()[1];
    report.data()[where] = {{"packets_a_burst", static_cast<double>(first.packets) /
                                                    static_cast<double>(first.bursts)}};
    for (size_t i = 1; i < kProbed.size(); ++i) {
        const Section& s = probes()[i];
        if (s.packets == 0 || (more && !is_more(kProbed[i]))) continue;
        const double cycles = static_cast<double>(s.cycles) - empty * static_cast<double>(s.bursts);
        const bool translates = more && std::string_view(kProbed[i]) == "rewrite";
        report.add(fmt::format("{}{}.{}", kProbed[i], translates ? "_translated" : "", where),
                   "tsc cycles/packet", cycles / static_cast<double>(s.packets));
    }
}

std::string policy(uint32_t flows, bool sections) {
    return router({.flows = flows + flows / 16 + 1024,
                   .rules = rule_text(mixed_rules(999)) + ", {name: out, action: accept, in: lan}",
                   .sections = sections,
                   .wires = Box::Wires::kReplay});
}

// The same with these in it, which change what others take: the source of every connection is
// translated, to one of 256 addresses, and back; and all of it is one principal's.
std::string policy_with_more(uint32_t flows) {
    std::string yaml = policy(flows, true);
    const auto put_before = [&](const char* place, const char* what) {
        yaml.insert(yaml.find(place), what);
    };
    put_before("  - route:",
               "  - nat: {rules: [{name: out, kind: source, out: wan, from: 10.0.0.0/8, "
               "address: 203.0.113.0/24}]}\n  - after_nat\n");
    put_before("  - neighbour:", "  - classify\n  - after_classify\n");
    return yaml + "principals:\n  - {name: all, prefixes: 10.0.0.0/8}\n";
}

Playlist conversations(uint32_t flows, bool translated = false) {
    return {.flows = flows,
            .write = [](auto to) { write_conversations(to); },
            .program = Program::kBothWays,
            .open = true,
            .translated = translated};
}

void measure(const Size& size, uint32_t flows, bool more, const Options& options, Report& report) {
    Rig rig(conversations(flows, more), more ? policy_with_more(flows) : policy(flows, true));
    rig.play(2 * lap_of(rig.playlist()));
    for (unsigned r = 0; r < options.runs; ++r)
        for (const unsigned burst : kBursts) {
            rig.head().burst = burst;
            reset_probes();
            const double whole = rig.measure(options.quick ? 0.02 : 0.2);
            add(fmt::format("{}.burst_{}", size.name, burst), empty_probe(), more, report);
            std::fprintf(stderr, "stages: %s, %u at once: %.0f cycles a packet with probes\n",
                         size.name, burst, whole);
        }
}

// Of all that is instead of the stages, less io with as many at once.
void measure_instead(const char* name, const Size& size, const Work& work, const Options& options,
                     Report& report) {
    const double seconds = options.quick ? 0.02 : 0.1;
    Rig rig(work.playlist, work.yaml);
    rig.play(2 * lap_of(rig.playlist()));
    for (unsigned r = 0; r < options.runs; ++r)
        for (const unsigned burst : kBursts) {
            rig.head().burst = burst;
            const Rounds rounds = take_rounds(1, 4, [&] {
                Round round;
                round.io_before = rig.measure_io(seconds / 2);
                round.box = rig.measure(seconds);
                round.io_after = rig.measure_io(seconds / 2);
                return round;
            });
            report.count_rounds(rounds.taken(), rounds.discarded);
            const double net = rounds.median([](const Round& one) { return one.box - one.io(); });
            report.add(fmt::format("{}.{}.burst_{}", name, size.name, burst), "tsc cycles/packet",
                       net);
            std::fprintf(stderr, "stages: %s, %s, %u at once: %.0f cycles a packet less io\n", name,
                         size.name, burst, net);
        }
}

void measure_all(const Size& size, const Options& options, Report& report) {
    const uint32_t flows = options.quick ? std::min(size.flows, 1u << 12) : size.flows;
    measure(size, flows, false, options, report);
    measure(size, flows, true, options, report);
    measure_instead("shortcut", size,
                    {.playlist = conversations(flows), .yaml = policy(flows, false)}, options,
                    report);
    Work express =
        l3_routes(mixed_prefixes(options.quick ? std::min(size.routes, 400u) : size.routes));
    if (options.quick) express.playlist.flows = 1 << 12;
    measure_instead("express", size, express, options, report);
}

void run(const Options& options, Report& report) {
    for (const Size& size : kSizes)
        if (options.only.empty() || options.only == size.name) measure_all(size, options, report);
    report.note(
        "stages: means, so what the machine interrupted is in them; packets of 1,048,576 (dram), "
        "65,536 (l3), 4,096 (l2) and 64 (l1) open connections at random, 1,000 rules, windows "
        "tracked");
    report.note(
        "nat, rewrite_translated and classify: in a policy of their own, in which the source of "
        "every connection is translated and all are one principal's");
    report.note(
        "shortcut and express: all of a turn, less io, where no stage sees a packet; the same "
        "connections without probes, and packets to 131,072 (dram), 16,000 (l3), 400 (l2) and 8 "
        "(l1) random prefixes without a firewall");
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
