// SPDX-License-Identifier: Apache-2.0
// accounts: what it costs to know whose an established packet's bytes and cycles are, on top of the
// same box without principals; and how far the cycles of turns of which one in 64 is timed are from
// those of turns that are all timed.
#include <fmt/format.h>

#include <array>
#include <cmath>
#include <numeric>

#include "perf/bench/forwarding.h"
#include "perf/bench/playlists.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kConversations = 16'000, kHosts = kConversations / 16;

/// Clients are 10.1.0.0 and on, sixteen conversations each, all in random order: with a thousand
/// principals each packet is another's than the one before it.
std::string declared(uint32_t principals) {
    if (principals == 0) return "  - {name: nobody}\n";
    if (principals == 1) return "  - {name: all, prefixes: 10.0.0.0/8}\n";
    std::string out;
    for (uint32_t p = 0; p < principals; ++p) {
        out += fmt::format("  - name: p{}\n    prefixes: [", p);
        for (uint32_t client = p; client < kHosts; client += principals)
            out += fmt::format("10.1.{}.{}/32, ", client >> 8, client & 255);
        out += "]\n";
    }
    return out;
}

void measure_cost(const std::string& name, uint32_t principals, Target target,
                  const Options& options, Report& report) {
    Work work = established(kConversations);
    work.plain = work.yaml;
    work.yaml = with_principals(work.yaml, declared(principals));
    work.plain_follows = true;
    Rig rig(work.playlist, work.yaml);
    have_plain(rig, work);
    const auto runs =
        take_runs(name, options, report, [&] { return take_round(rig, work, options); });
    for (const Rounds& rounds : runs) {
        report.add(name + ".added_cycles_per_packet", "tsc cycles/packet",
                   rounds.median([](const Round& r) { return r.box - r.plain; }), target);
        report.add(name + ".cycles_per_packet", "tsc cycles/packet", rounds.median(&Round::box));
    }
}

// --- the split

/// Packets that take the shortcut, that a rule drops, and that all stages see.
constexpr std::array<const char*, 3> kNames{"talker", "denied", "stateless"};
constexpr const char* kThree = R"(  - {name: talker, prefixes: 10.1.0.0/23}
  - {name: denied, prefixes: 10.1.2.0/24}
  - {name: stateless, prefixes: 10.1.3.0/24}
)";
constexpr const char* kRules =
    "{name: no, action: drop, from: 10.1.2.0/24}, "
    "{name: to, action: accept, in: lan, from: 10.1.3.0/24, stateful: false}, "
    "{name: back, action: accept, in: wan, to: 10.1.3.0/24, stateful: false}, "
    "{name: out, action: accept, in: lan}";

using Cycles = std::array<double, kNames.size()>;

Cycles charged(Box& box) {
    const auto& table = box.worker().context().policy->principals->table;
    Cycles out;
    for (size_t i = 0; i < kNames.size(); ++i)
        out[i] = static_cast<double>(box.appliance().use_of(table.find(kNames[i])).cycles);
    return out;
}

Cycles charged_while(Rig& rig, bool every_turn, double seconds) {
    rig.box().worker().context().account->time_every_turn(every_turn);
    const Cycles before = charged(rig.box());
    rig.measure(seconds, true);
    Cycles out = charged(rig.box());
    for (size_t i = 0; i < out.size(); ++i) out[i] -= before[i];
    return out;
}

void measure_split(const Options& options, Report& report) {
    const Playlist playlist{.flows = kConversations,
                            .write = [](auto flows) { write_conversations(flows, net::kUdp); },
                            .program = Program::kBothWays};
    const RouterOptions with{.rules = kRules, .wires = Box::Wires::kReplay};
    Rig rig(playlist, with_principals(router(with), kThree));
    rig.play(64 * lap_of(playlist));
    constexpr unsigned kTurns = 8;
    const double seconds = (options.quick ? 0.2 : 2.0) / kTurns;
    for (unsigned r = 0; r < options.runs; ++r) {
        Cycles split{}, timed{};
        for (unsigned turn = 0; turn < kTurns; ++turn) {
            const Cycles a = charged_while(rig, false, seconds),
                         b = charged_while(rig, true, seconds);
            for (size_t i = 0; i < a.size(); ++i) split[i] += a[i], timed[i] += b[i];
        }
        const auto part = [](const Cycles& of, size_t i) {
            return of[i] / std::accumulate(of.begin(), of.end(), 0.0);
        };
        for (size_t i = 0; i < kNames.size(); ++i) {
            const double error = std::abs(part(split, i) / part(timed, i) - 1);
            report.add(fmt::format("split.{}.error", kNames[i]), "%", 100 * error, at_most(5));
            report.add(fmt::format("split.{}.part", kNames[i]), "%", 100 * part(timed, i));
        }
    }
}

struct Part {
    const char* name;
    uint32_t principals;
    Target target;
};
const Part kParts[] = {
    {"nobody", 0, at_most(3)}, {"1", 1, at_most(3)},       {"2", 2, at_most(3)},
    {"8", 8, at_most(3)},      {"1k", kHosts, at_most(3)},
};

void run(const Options& options, Report& report) {
    const auto wanted = [&](const char* name) {
        return options.only.empty() || options.only == name;
    };
    for (const Part& p : kParts)
        if (wanted(p.name))
            measure_cost(fmt::format("principals-{}", p.name), p.principals, p.target, options,
                         report);
    if (wanted("split")) measure_split(options, report);
    report.note(
        "the same box and 1,000 rules with and without principals, in turns; 16,000 connections. "
        "split: turns of which one in 64 is timed against turns that are all timed, in turns");
}

std::vector<std::string> parts() {
    std::vector<std::string> names;
    for (const Part& p : kParts) names.emplace_back(p.name);
    names.emplace_back("split");
    return names;
}

const FigureRegistration registration{
    {"accounts", "what charging packets to principals adds, and how well cycles are divided", run,
     parts}};

}  // namespace
}  // namespace ravelin::perf
