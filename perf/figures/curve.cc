// SPDX-License-Identifier: Apache-2.0
// curve: cycles of the stateful firewall over rules and open connections, for packets of them
// (hit), packets that open a flow (miss), and packets that come close to every rule and meet none
// (hostile). The connections stand in the table throughout.
#include <fmt/format.h>

#include <cstdio>
#include <map>

#include "perf/bench/forwarding.h"
#include "perf/bench/playlists.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kNew = 1 << 21;       // headers that open flows, before the first comes again
constexpr uint32_t kUnproven = 1 << 17;  // room for flows of these
constexpr unsigned kTries = 4;           // rounds of a value, until one is good
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

    /// Net cycles by kind of packet.
    std::map<std::string, double> measure() {
        std::map<std::string, double> out;
        out["hit"] = net(false);
        out["miss"] = other([&](auto flows) { write_to_rules(flows, rules_); }, false);
        out["hostile"] = other([&](auto flows) { write_hostile(flows, rules_); }, true);
        return out;
    }
    [[nodiscard]] unsigned taken() const { return taken_; }
    [[nodiscard]] unsigned discarded() const { return discarded_; }
    /// Kinds of which no round was good.
    [[nodiscard]] unsigned doubtful() const { return doubtful_; }

  private:
    double other(const std::function<void(std::span<Descriptor>)>& write, bool drops) {
        // TCP comes as SYNs.
        rig_.insert({.flows = kNew, .write = write, .program = Program::kSteps});
        rig_.head().step_to = 1;
        rig_.play(1 << 18);
        const double cycles = net(drops);
        rig_.take_out();
        return cycles;
    }
    double net(bool drops) {
        const Rounds rounds = take_rounds(1, kTries, [&] {
            Round round;
            round.io_before = rig_.measure_io(seconds_ / 4);
            round.box = rig_.measure(seconds_, drops);
            round.io_after = rig_.measure_io(seconds_ / 4);
            return round;
        });
        taken_ += rounds.taken();
        discarded_ += rounds.discarded;
        doubtful_ += rounds.good ? 0 : 1;
        return rounds.median([](const Round& r) { return r.box - r.io(); });
    }
    Rig& rig_;
    std::vector<ClassifierRule> rules_;
    double seconds_;
    unsigned taken_ = 0, discarded_ = 0, doubtful_ = 0;
};

std::string policy(uint32_t rules, uint64_t flows) {
    return router({.flows = static_cast<uint32_t>(flows + flows / 16 + kUnproven),
                   .rules = rule_text(rules_of(rules)) + kConversation,
                   .wires = Box::Wires::kReplay});
}

// What all columns share.
struct Course {
    const Grid grid;
    const Options& options;
    Report& report;
    size_t points = 0, done = 0;
    unsigned doubtful = 0;
};

void add(const Point& point, const std::map<std::string, double>& net, uint32_t rules,
         uint64_t flows, Course& course) {
    nlohmann::json data{{"rules", rules}, {"flows", flows}};
    for (const auto& [kind, cycles] : net) {
        course.report.add(fmt::format("{}.rules_{}.flows_{}", kind, rules, flows),
                          "net tsc cycles/packet", cycles);
        data[kind] = cycles;
    }
    course.report.count_rounds(point.taken(), point.discarded());
    course.doubtful += point.doubtful();
    course.report.data().push_back(std::move(data));
    std::fprintf(stderr,
                 "curve: %zu of %zu: %u rules, %lu flows: hit %.0f, miss %.0f, hostile %.0f\n",
                 ++course.done, course.points, rules, flows, net.at("hit"), net.at("miss"),
                 net.at("hostile"));
}

void column(uint64_t flows, Course& course) {
    const double seconds = course.options.quick ? 0.03 : 0.15;
    Rig rig({.flows = flows,
             .write = [](auto to) { write_conversations(to); },
             .program = Program::kBothWays,
             .open = true},
            policy(course.grid.rules.front(), flows));
    for (const uint32_t rules : course.grid.rules) {
        rig.apply(policy(rules, flows));
        rig.play(lap_of(rig.playlist()));  // each side's way is its own
        for (unsigned r = 0; r < course.options.runs; ++r) {
            Point point(rig, rules, seconds);
            const auto net = point.measure();
            add(point, net, rules, flows, course);
        }
    }
}

void run(const Options& options, Report& report) {
    Course course{.grid = grid_of(options), .options = options, .report = report};
    std::vector<unsigned> bits = course.grid.flow_bits;
    if (!options.only.empty())
        std::erase_if(bits, [&](unsigned b) { return std::to_string(b) != options.only; });
    course.points = bits.size() * course.grid.rules.size() * options.runs;
    for (const unsigned b : bits) column(uint64_t{1} << b, course);
    if (course.doubtful != 0)
        report.note(fmt::format("{} of {} values had no round with the same io before and after",
                                course.doubtful, 3 * course.points));
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
