// SPDX-License-Identifier: Apache-2.0
// curve: cycles of the stateful firewall over rules and open connections, for packets of them
// (hit), packets that open a flow (miss), and packets that come close to every rule and meet none
// (hostile). The connections stand in the table throughout.
#include <fmt/format.h>

#include <cstdio>

#include "perf/bench/forwarding.h"
#include "perf/bench/playlists.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kNew = 1 << 22;       // headers that open flows, before the first comes again
constexpr uint32_t kUnproven = 1 << 17;  // room for flows of these
constexpr const char* kConversation =
    ", {name: out, action: accept, in: lan, from: 10.0.0.0/8, protocol: tcp, to-ports: 443}";

struct Grid {
    std::vector<uint32_t> rules{10, 100, 1000, 10'000, 100'000};
    std::vector<unsigned> flow_bits{10, 12, 14, 16, 18, 20, 22, 24};
};

Grid grid_of(const Options& options) {
    if (!options.quick) return {};
    return {{10, 1000}, {10, 16}};
}

// A policy has hit counters for 65,519 rules: of more, each is two that differ in the source alone.
std::vector<ClassifierRule> rules_of(uint32_t n) {
    constexpr uint32_t kMost = 60'000;
    std::vector<ClassifierRule> rules = mixed_rules(n);
    if (n <= kMost) return rules;
    for (uint32_t i = 0; i < n / 2; ++i)
        rules[i].sources.push_back(rules[n - 1 - i].sources.front());
    rules.resize(n / 2);
    return rules;
}

// In the nets of the rules, at ports none of them names.
void write_hostile(std::span<Descriptor> flows, const std::vector<ClassifierRule>& rules) {
    write_to_rules(flows, rules);
    uint32_t n = 0;
    for (Descriptor& flow : flows) flow.destination_port = be16(uint16_t(62'000 + n++ % 3000));
}

class Point {
  public:
    Point(Rig& rig, uint32_t rules, double seconds)
        : rig_(rig), rules_(rules_of(rules)), seconds_(seconds) {}

    nlohmann::json measure(double io) {
        nlohmann::json out;
        out["hit"] = rig_.measure(seconds_) - io;
        out["miss"] = other([&](auto flows) { write_to_rules(flows, rules_); }, false) - io;
        out["hostile"] = other([&](auto flows) { write_hostile(flows, rules_); }, true) - io;
        return out;
    }

  private:
    double other(const std::function<void(std::span<Descriptor>)>& write, bool drops) {
        // TCP comes as SYNs.
        rig_.insert({.flows = kNew, .write = write, .program = Program::kSteps});
        rig_.head().step_to = 1;
        rig_.play(1 << 18);
        const double cycles = rig_.measure(seconds_, drops);
        rig_.take_out();
        return cycles;
    }
    Rig& rig_;
    std::vector<ClassifierRule> rules_;
    double seconds_;
};

std::string policy(uint32_t rules, uint64_t flows) {
    return router({.flows = static_cast<uint32_t>(flows + flows / 16 + kUnproven),
                   .rules = rule_text(rules_of(rules)) + kConversation,
                   .wires = Box::Wires::kReplay});
}

void column(const Grid& grid, uint64_t flows, const Options& options, Report& report) {
    const double seconds = options.quick ? 0.03 : 0.3;
    Rig rig({.flows = flows,
             .write = [](auto to) { write_conversations(to); },
             .program = Program::kBothWays,
             .open = true},
            policy(grid.rules.front(), flows));
    for (const uint32_t rules : grid.rules) {
        rig.apply(policy(rules, flows));
        const double io = rig.measure_io(seconds);
        for (unsigned r = 0; r < options.runs; ++r) {
            nlohmann::json point = Point(rig, rules, seconds).measure(io);
            for (const auto& [kind, cycles] : point.items())
                report.add(fmt::format("{}.rules_{}.flows_{}", kind, rules, flows),
                           "net tsc cycles/packet", cycles.get<double>());
            point.update({{"rules", rules}, {"flows", flows}, {"io", io}});
            std::fprintf(stderr, "curve: %u rules, %lu flows: hit %.0f, miss %.0f, hostile %.0f\n",
                         rules, flows, point["hit"].get<double>(), point["miss"].get<double>(),
                         point["hostile"].get<double>());
            report.data().push_back(std::move(point));
        }
    }
}

void run(const Options& options, Report& report) {
    const Grid grid = grid_of(options);
    for (const unsigned bits : grid.flow_bits)
        if (options.only.empty() || options.only == std::to_string(bits))
            column(grid, uint64_t{1} << bits, options, report);
    report.note(
        "a policy has hit counters for 65,519 rules (limits::kMaxRules, 16 bits a flow and side): "
        "100,000 are 50,000 of two sources each");
    report.note("cycles less those of the ports; nothing is left out but io");
}

// By the logarithm of their flows, since all of it takes minutes.
std::vector<std::string> parts() {
    std::vector<std::string> names;
    for (const unsigned bits : Grid().flow_bits) names.push_back(std::to_string(bits));
    return names;
}

const FigureRegistration registration{
    {"curve",
     "stateful firewall: rules by flows, for hit, miss and hostile packets (--only 10 .. 24)", run,
     parts}};

}  // namespace
}  // namespace ravelin::perf
