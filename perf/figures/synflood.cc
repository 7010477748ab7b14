// SPDX-License-Identifier: Apache-2.0
// synflood: established connections at a fifth of the core, and a flood on top of them from nothing
// to ten times what the core can do. Load 1 is where established packets and flood, at the cost
// each has in long bursts, none given up, fill the core; busy is the share of time in which the
// worker had work.
#include <fmt/format.h>
#include <rte_cycles.h>

#include <cmath>
#include <cstdio>

#include "perf/bench/figure.h"
#include "perf/bench/machine.h"
#include "perf/bench/simulation.h"
#include "perf/bench/works.h"

namespace ravelin::perf {
namespace {

constexpr double kEstablishedShare = 0.2, kSaturated = 0.95;
constexpr double kLoads[] = {0.2, 0.5, 0.8, kSaturated, 1.0, 1.2, 1.5, 2, 3, 5, 10};
constexpr uint32_t kConversations = 10'000, kFlows = 65'536;
constexpr double kPatience = 2;  // simulated seconds
// Loads are in the cost measured first; where it moves by more than this, that is told.
constexpr double kSteady = 0.1;

nlohmann::json point(double load, const Load& rates, Tally& tally, Box& box) {
    const auto share = [](uint64_t part, uint64_t whole) {
        return whole == 0 ? 0 : static_cast<double>(part) / static_cast<double>(whole);
    };
    return {{"load", load},
            {"established_pps", rates.established},
            {"flood_pps", rates.flood},
            {"established_delivered", tally.delivered_share()},
            {"established_delivered_from_lan", tally.delivered_share(kLan)},
            {"established_delivered_from_wan", tally.delivered_share(kWan)},
            {"flood_taken", share(tally.flood_taken, tally.flood_offered)},
            {"flood_delivered", share(tally.flood_delivered, tally.flood_offered)},
            {"lost_at_port_lan", tally.lost_at_port[kLan]},
            {"lost_at_port_wan", tally.lost_at_port[kWan]},
            {"busy", share(tally.busy, tally.cycles)},
            {"latency_p50_us", static_cast<double>(tally.latency_ns.quantile(0.5)) / 1e3},
            {"latency_p99_us", static_cast<double>(tally.latency_ns.quantile(0.99)) / 1e3},
            {"flows", box.worker().flows().size()},
            {"flows_unproven", box.worker().flows().unproven()},
            {"interrupted_turns", tally.interrupted}};
}

class Run {
  public:
    Run(const FloodKind& kind, std::unique_ptr<Flood> flood, const Options& options)
        : kind_(kind),
          flood_(std::move(flood)),
          quick_(options.quick),
          seconds_(options.quick ? 0.01 : 0.1),
          box_(router({.flows = kFlows, .rules = kFloodRules}), &Simulation::clock),
          established_(box_, Conversations(Conversations::Kind::kTcp4, kConversations)),
          simulation_(box_, established_, *flood_) {
        established_.open_all();
    }

    void go(Report& report) {
        const Costs before_it = measure();
        const auto [own, other] = before_it;
        const double hz = static_cast<double>(rte_get_tsc_hz());
        const double before = resident_mib();
        const unsigned buffers = rte_mempool_avail_count(box_.pool());
        nlohmann::json curve = nlohmann::json::array();
        double after = 0;
        for (const double load : kLoads) {
            const Load rates{.established = kEstablishedShare * hz / own,
                             .flood = (load - kEstablishedShare) * hz / other};
            Tally tally = simulation_.run(rates, seconds_);
            curve.push_back(point(load, rates, tally, box_));
            if (load != kSaturated) continue;
            report.add(name("delivered at 95 % load"), "of established packets",
                       tally.delivered_share(), at_least(0.95));
            after = simulation_.cost_of_flood(seconds_);
            compare(report, other, after);
        }
        const Load calm{.established = kEstablishedShare * hz / own, .flood = 0};
        const auto recovered = simulation_.recover(calm, kPatience);
        report.add(name("recovery"), "s simulated", recovered.value_or(1e9), at_most(1));
        finish(report, before_it, std::move(curve), before, buffers);
        report.data()[kind_.name]["cost_flood_after"] = after;
    }

  private:
    struct Costs {
        double established, flood;
    };
    Costs measure() {
        std::vector<double> costs;
        for (int i = 0; i < 40; ++i) costs.push_back(established_.window());
        return {median_of(std::move(costs)), simulation_.cost_of_flood(seconds_)};
    }
    void compare(Report& report, double before, double after) const {
        if (quick_ || std::abs(after - before) <= kSteady * before) return;
        report.make_void(
            fmt::format("{}: a flood packet cost {:.1f} cycles before and {:.1f} after", kind_.name,
                        before, after));
    }
    std::string name(const char* what) const { return fmt::format("{}: {}", kind_.name, what); }

    void finish(Report& report, Costs costs, nlohmann::json curve, double resident,
                unsigned buffers) {
        const double worst = curve.back()["established_delivered"].get<double>();
        report.add(name("delivered at ten times"), "of established packets", worst);
        report.add(name("cost of a flood packet"), "tsc cycles", costs.flood);
        report.add(name("memory grown"), "MiB", std::max(0.0, resident_mib() - resident),
                   at_most(16));
        simulation_.run({}, 0.01);
        const unsigned missing = buffers - std::min(buffers, rte_mempool_avail_count(box_.pool()));
        report.add(name("buffers still held"), "buffers", missing);
        // Connections that are new after the flood.
        Replay fresh(box_, Conversations(Conversations::Kind::kTcp4, 1000, 2'000'000));
        report.add(name("new connections after it"), "of 1000", fresh.try_open());
        report.data()[kind_.name] = {{"help", kind_.help},
                                     {"cost_established", costs.established},
                                     {"cost_flood", costs.flood},
                                     {"curve", std::move(curve)},
                                     {"drops", box_.drops()}};
    }

    const FloodKind& kind_;
    std::unique_ptr<Flood> flood_;
    bool quick_;
    double seconds_;
    Box box_;
    Replay established_;
    Simulation simulation_;
};

// What the policy denies, port to port: the path of most of a flood.
void drop_path(const Options& options, Report& report) {
    const Work work = denied(options.quick ? 1u << 14 : 1u << 20);
    Rig rig(work.playlist, work.yaml);
    for (unsigned r = 0; r < options.runs; ++r) {
        const double io = rig.measure_io(options.quick ? 0.05 : 0.5);
        const double cycles = rig.measure(options.quick ? 0.05 : 0.5, true);
        report.add("drop_path_net_cycles_per_packet", "tsc cycles/packet", cycles - io,
                   at_most(30));
        report.add("io_cycles_per_packet", "tsc cycles/packet", io);
    }
}

void run(const Options& options, Report& report) {
    drop_path(options, report);
    const std::string wanted = options.only.empty() ? "syn" : options.only;
    for (unsigned r = 0; r < options.runs; ++r)
        for (const FloodKind& kind : flood_kinds()) {
            if (options.only != "all" && wanted != kind.name) continue;
            auto flood = kind.make();
            if (flood == nullptr)
                report.note(fmt::format("{}: its captures are not here", kind.name));
            else
                Run(kind, std::move(flood), options).go(report);
        }
    report.note(
        "simulated arrivals, real work: time is what the worker's turns take (simulation.h)");
    report.note(
        "costs are each kind's alone, in long bursts; together they cost more, so the core is full "
        "before load 1");
    report.note(
        "one receive queue a port of 1024 slots, first come first served; the port says when more "
        "than half of them wait, and the worker gives up packets of no proven flow (Intake)");
}

std::vector<std::string> parts() {
    std::vector<std::string> names{"all"};
    for (const FloodKind& kind : flood_kinds()) names.emplace_back(kind.name);
    return names;
}

const FigureRegistration registration{
    {"synflood", "established packets delivered under a flood, by load (--only KIND, or all)", run,
     parts}};

}  // namespace
}  // namespace ravelin::perf
