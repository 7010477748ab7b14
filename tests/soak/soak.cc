// SPDX-License-Identifier: Apache-2.0
// ravelin-soak: the appliance under steady load for as long as it is told; one line of JSON for
// every interval. Arrivals are simulated (perf/bench/simulation.h): packets come as fast as makes
// the worker busy for the share of its time that is asked for, and never faster after that.
#include <fmt/format.h>
#include <rte_cycles.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string_view>

#include "perf/bench/machine.h"
#include "perf/bench/report.h"
#include "perf/bench/simulation.h"

namespace ravelin::perf {
namespace {

using Wall = std::chrono::steady_clock;

constexpr uint32_t kConversations = 10'000, kFlows = 65'536;
constexpr double kSlice = 0.01;      // seconds simulated between two looks at the clock
constexpr double kSettle = 0.2;      // seconds simulated for a first estimate of the load
constexpr double kFloodShare = 0.3;  // of the packets

struct Options {
    double seconds = 60, interval = 5, load = 0.8, apply_every = 2;
};

/// What comes from the world besides conversations: connections that open and close, fragments,
/// pings, half-open connections, UDP to open and closed ports. In turn, so always the same mixture.
class World final : public Flood {
  public:
    World() {
        for (const char* wanted : {"syn", "random-source", "fragments", "icmp", "udp"})
            for (const FloodKind& kind : flood_kinds())
                if (wanted == std::string_view(kind.name)) kinds_.push_back(kind.make());
    }
    PortId next(rte_mbuf* frame, const Box& box) override {
        const unsigned turn = turn_++ % static_cast<unsigned>(2 * kinds_.size());
        if (turn % 2 == 0) return kinds_[turn / 2]->next(frame, box);
        return connection(frame, box);
    }

  private:
    // Blocks of connections go through the steps of their lives together, as if over a network.
    PortId connection(rte_mbuf* frame, const Box& box) {
        constexpr uint32_t kBlock = 512, kFirst = 3'000'000, kMost = 1'000'000;
        constexpr unsigned kSteps = 6;
        const Conversations block(Conversations::Kind::kTcp4, kBlock, kFirst + first_);
        const PortId port = Conversations::port_of(Conversations::direction_of_step(step_));
        write_frame(frame, box, port, block.step(at_, step_));
        if (++at_ == kBlock) {
            at_ = 0;
            if (++step_ == kSteps) {
                step_ = 0;
                first_ = (first_ + kBlock) % kMost;
            }
        }
        return port;
    }

    std::vector<std::unique_ptr<Flood>> kinds_;
    unsigned turn_ = 0, step_ = 0;
    uint32_t first_ = 0, at_ = 0;
};

std::string policy(unsigned generation) {
    return router(
        {.flows = kFlows,
         .rules = fmt::format("{{name: moving, action: drop, to: 10.9.{}.0/24}},\n      {}",
                              generation % 250, kFloodRules)});
}

/// What became of an interval's packets; latencies: one of each slice.
struct Interval {
    Tally sum;
    std::vector<double> p50, p99;
};

void add(Interval& interval, const Tally& t) {
    Tally& sum = interval.sum;
    for (const PortId port : {kLan, kWan}) {
        sum.offered[port] += t.offered[port];
        sum.delivered[port] += t.delivered[port];
        sum.lost_at_port[port] += t.lost_at_port[port];
    }
    sum.flood_offered += t.flood_offered;
    sum.flood_taken += t.flood_taken;
    sum.busy += t.busy;
    sum.cycles += t.cycles;
    sum.interrupted += t.interrupted;
    interval.p50.push_back(static_cast<double>(t.latency_ns.quantile(0.5)) / 1e3);
    interval.p99.push_back(static_cast<double>(t.latency_ns.quantile(0.99)) / 1e3);
}

class Soak {
  public:
    explicit Soak(const Options& options)
        : options_(options),
          box_(policy(0), &Simulation::clock),
          established_(box_, Conversations(Conversations::Kind::kTcp4, kConversations)),
          simulation_(box_, established_, world_),
          began_(Wall::now()),
          applied_(began_) {
        established_.open_all();
        find_rate();
    }

    void run() {
        while (since(began_) < options_.seconds) {
            const auto start = Wall::now();
            Interval interval;
            while (since(start) < options_.interval) {
                add(interval, simulation_.run(rate_, kSlice));
                simulated_ += kSlice;
                change_policy();
            }
            print(interval);
        }
    }

  private:
    static double since(Wall::time_point then) {
        return std::chrono::duration<double>(Wall::now() - then).count();
    }

    // Packets a second that keep the worker busy for the share wanted, found once: what a packet
    // costs may then drift, what arrives does not.
    void find_rate() {
        const double hz = static_cast<double>(rte_get_tsc_hz());
        double pps = hz / 2000;
        for (int i = 0; i < 6; ++i) {
            rate_ = {.established = pps * (1 - kFloodShare), .flood = pps * kFloodShare};
            const Tally t = simulation_.run(rate_, kSettle);
            pps *= options_.load * static_cast<double>(t.cycles) /
                   static_cast<double>(std::max<uint64_t>(t.busy, 1));
        }
        rate_ = {.established = pps * (1 - kFloodShare), .flood = pps * kFloodShare};
    }

    void change_policy() {
        if (since(applied_) < options_.apply_every) return;
        applied_ = Wall::now();
        box_.apply(policy(++changes_));
    }

    void print(const Interval& interval) {
        const Tally& t = interval.sum;
        const uint64_t offered = t.offered[kLan] + t.offered[kWan];
        const uint64_t lost = t.lost_at_port[kLan] + t.lost_at_port[kWan];
        const uint64_t taken = offered + t.flood_offered - lost;
        const nlohmann::json line{
            {"seconds", since(began_)},
            {"simulated_seconds", simulated_},
            {"packets", offered + t.flood_offered},
            {"delivered", t.delivered_share()},
            {"lost_at_ports", lost},
            {"cycles_per_packet", static_cast<double>(t.busy) / static_cast<double>(taken)},
            {"busy", static_cast<double>(t.busy) / static_cast<double>(t.cycles)},
            {"latency_p50_us", median_of(interval.p50)},
            {"latency_p99_us", median_of(interval.p99)},
            {"resident_mib", resident_mib()},
            {"buffers_free", rte_mempool_avail_count(box_.pool())},
            {"flows", box_.worker().flows().size()},
            {"policies", changes_},
            {"interrupted_turns", t.interrupted}};
        fmt::print("{}\n", line.dump());
        std::fflush(stdout);
    }

    Options options_;
    World world_;
    Box box_;
    Replay established_;
    Simulation simulation_;
    Load rate_;
    Wall::time_point began_, applied_;
    double simulated_ = 0;
    unsigned changes_ = 0;
};

}  // namespace
}  // namespace ravelin::perf

int main(int argc, char** argv) {
    ravelin::perf::Options options;
    CLI::App app{"Steady load on the appliance; a line of JSON for every interval."};
    app.add_option("--seconds", options.seconds, "How long")->check(CLI::PositiveNumber);
    app.add_option("--interval", options.interval, "Between two lines")->check(CLI::PositiveNumber);
    app.add_option("--load", options.load, "Share of its time the worker works")
        ->check(CLI::Range(0.05, 0.95));
    app.add_option("--apply-every", options.apply_every, "Seconds between two policies")
        ->check(CLI::PositiveNumber);
    CLI11_PARSE(app, argc, argv);
    ravelin::perf::Soak(options).run();
    return 0;
}
