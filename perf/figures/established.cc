// SPDX-License-Identifier: Apache-2.0
// established: what a packet of an open connection costs the whole way from a port to a port, and
// what of it is the ports' own. Every packet is of another connection than the one before it, in
// random order, so at a million connections nothing of a flow is left in any cache.
#include <fmt/format.h>

#include "perf/bench/figure.h"
#include "perf/bench/probe_stages.h"
#include "perf/bench/traffic.h"

namespace ravelin::perf {
namespace {

struct Variant {
    const char* name;
    Conversations::Kind kind;
    uint32_t count;
    Target target;
};
const Variant kVariants[] = {
    {"tcp4.10k", Conversations::Kind::kTcp4, 10'000, at_most(100)},
    {"tcp4.1M", Conversations::Kind::kTcp4, 1'000'000, at_most(180)},
    {"tcp6.10k", Conversations::Kind::kTcp6, 10'000, {}},
    {"udp4.10k", Conversations::Kind::kUdp4, 10'000, {}},
};

std::vector<double> windows(Replay& replay, unsigned n, bool ports_alone) {
    std::vector<double> out;
    for (unsigned i = 0; i < n; ++i) out.push_back(replay.window(ports_alone));
    return out;
}

void add_sections(const std::string& name, Report& report) {
    for (size_t i = 1; i < kProbed.size(); ++i)
        if (const Section& s = probes()[i]; s.packets != 0)
            report.add(fmt::format("{}.stage.{}", name, kProbed[i]), "tsc cycles/packet",
                       static_cast<double>(s.cycles) / static_cast<double>(s.packets));
}

void measure(const Variant& v, const Options& options, Report& report) {
    const uint32_t count = options.quick ? 1000 : v.count;
    Box box(router({.flows = count + count / 16 + 1024, .sections = options.sections}));
    Replay replay(box, Conversations(v.kind, count));
    replay.open_all();
    const unsigned n = options.quick ? 20 : 1000;
    // Steady state: both sides of every connection have spoken since it was opened.
    windows(replay, n + 2 * count / Replay::kWindow, false);
    for (unsigned r = 0; r < options.runs; ++r) {
        const double ports = median_of(windows(replay, n / 4, true));
        reset_probes();
        const auto costs = windows(replay, n, false);
        if (options.sections) add_sections(v.name, report);
        const double whole = median_of(costs);
        const std::string name = v.name;
        report.add(name + ".path", "tsc cycles/packet", whole - ports, v.target);
        report.add(name + ".whole", "tsc cycles/packet", whole);
        report.add(name + ".whole.p10", "tsc cycles/packet", quantile_of(costs, 0.1));
        report.add(name + ".whole.p90", "tsc cycles/packet", quantile_of(costs, 0.9));
        report.add(name + ".ports", "tsc cycles/packet", ports);
    }
}

void run(const Options& options, Report& report) {
    for (const Variant& v : kVariants)
        if (options.only.empty() || options.only == v.name) measure(v, options, report);
    report.note(
        fmt::format("60-byte frames (IPv6: 80), router pipeline, both directions; medians over "
                    "windows of {} packets; "
                    "path = whole less the ports' receive and transmit calls",
                    Replay::kWindow));
}

std::vector<std::string> parts() {
    std::vector<std::string> names;
    for (const Variant& v : kVariants) names.emplace_back(v.name);
    return names;
}

const FigureRegistration registration{
    {"established", "cycles of a packet of an open connection, by number of connections", run,
     parts}};

}  // namespace
}  // namespace ravelin::perf
