// SPDX-License-Identifier: Apache-2.0
// isolation on a worker's own thread, by the machine's own clocks: an empty loop, the router
// without functions and the whole contest on one CPU in turns, while the other sends. The machine
// takes the CPU away now and then. What a stall covers is excused, but for no more than twice what
// the stalls of the empty loop do to the same contest in virtual time.
#include <algorithm>
#include <utility>

#include "dataplane/tsc.h"
#include "perf/bench/rig.h"
#include "perf/figures/drive.h"
#include "perf/figures/isolation.h"

namespace ravelin::perf {
namespace {

using test::TurnedTime;

constexpr uint64_t kMs = 1'000'000;
constexpr unsigned kTurns = 2;  // of loop, router and contest, and a loop at the end

struct RealOutcome : Outcome {
    uint64_t put_off = 0;  ///< ns that nothing was sent in, as who sends was kept from it
};

/// Late though no stall was while the worker had it: one before took the principal's reservation
/// away. Who is being run in a stall is charged with it, and pays with so many periods.
bool paying(const Miss& miss, const Scene& scene, std::span<const Stall> stalls) {
    const test::Wish& wish = scene.wishes[miss.sender];
    if (wish.cycles == 0 || miss.lost) return false;
    return std::ranges::any_of(stalls, [&](const Stall& stall) {
        const uint64_t jobs = TurnedTime::cycles_of(stall.ns) / wish.cycles + 1;
        return stall.at_ns < miss.until_ns &&
               miss.from_ns < stall.at_ns + stall.ns + jobs * (1'000'000'000 / wish.rate);
    });
}

RealOutcome run_on_thread(const Scene& scene, uint64_t ns) {
    RealOutcome out;
    const auto tell = [&](Box& box, const Contest& contest) {
        static_cast<Outcome&>(out) = outcome_of(box, contest, scene);
    };
    Disturbed seen = on_thread(
        {isolated_yaml(scene.wishes, scene.crowd), scene.senders, scene.crowd.wan}, ns, tell);
    out.stalls = std::move(seen.stalls);
    out.put_off = seen.put_off;
    out.take_slow([&](const Miss& one) { return covered(one, out.stalls); });
    return out;
}

struct Sum {
    uint64_t packets = 0, misses_cpu = 0, misses_link = 0, late = 0, lost = 0, excused = 0,
             paying = 0, unexcused = 0;
    uint64_t put_off = 0, generic_loss = 0, empty_loss = 0;
    std::vector<double> generic_p99, empty_p99;
    std::vector<Stall> seen, bare;
    double bare_seconds = 0, seconds = 0, predicted = 0;
};

double p99_of(const Outcome& o) {
    return static_cast<double>(TurnedTime::cycles_of(o.generic.latency_ns.quantile(0.99)));
}

void add(Sum& sum, const Scene& scene, const RealOutcome& full) {
    sum.packets += full.packets;
    sum.misses_cpu += full.misses_cpu;
    sum.misses_link += full.misses_link;
    sum.late += full.late;
    sum.lost += full.lost;
    sum.put_off += full.put_off;
    sum.generic_loss += full.generic.lost;
    sum.generic_p99.push_back(p99_of(full));
    sum.seen.insert(sum.seen.end(), full.stalls.begin(), full.stalls.end());
    for (const Miss& miss : full.misses) {
        const bool excused = covered(miss, full.stalls);
        ++(excused ? sum.excused : paying(miss, scene, full.stalls) ? sum.paying : sum.unexcused);
    }
}

/// What those stalls do to it in virtual time, a second.
void add_bare(Sum& sum, const Scene& scene, double seconds) {
    const std::vector<Stall> stalls = bare_loop(measuring_cpu(), seconds);
    const Outcome out = run_in_virtual_time(scene, static_cast<uint64_t>(seconds * 1e9), stalls);
    sum.predicted += static_cast<double>(out.late + out.lost);
    sum.bare_seconds += seconds;
    sum.bare.insert(sum.bare.end(), stalls.begin(), stalls.end());
}

void tell(const Sum& sum, bool judged, Report& report) {
    const auto target = [&](Target t) { return judged ? t : Target{}; };
    const double predicted = sum.predicted * sum.seconds / sum.bare_seconds;
    report.add("isolation_packets", "packets", double(sum.packets));
    report.add("misses_cpu", "packets", double(sum.misses_cpu));
    report.add("misses_link", "packets", double(sum.misses_link));
    report.add("late", "packets", double(sum.late));
    report.add("lost", "packets", double(sum.lost));
    report.add("excused_misses", "packets", double(sum.excused), target(at_most(2 * predicted)));
    report.add("misses_paying_for_a_stall", "packets", double(sum.paying), target(exactly(0)));
    report.add("unexcused_misses", "packets", double(sum.unexcused), target(exactly(0)));
    report.add("predicted_excused", "packets", predicted);
    report.add("generic_loss", "packets", double(sum.generic_loss), target(exactly(0)));
    report.add("empty_loss", "packets", double(sum.empty_loss));
    const double empty = median_of(sum.empty_p99),
                 burst = double(TurnedTime::cycles_of(test::kMaxRunNs));
    report.add("generic_p99_cycles", "tsc cycles", median_of(sum.generic_p99),
               target(at_most(1.1 * empty + burst)));
    report.add("empty_p99_cycles", "tsc cycles", empty);
    report.add("not_sent_in", "ms", double(sum.put_off) / 1e6);
}

nlohmann::json stalls_of(const Sum& sum) {
    return {{"from_us", kStallClassesUs},
            {"empty_loop", histogram_of(sum.bare)},
            {"empty_loop_seconds", sum.bare_seconds},
            {"worker", histogram_of(sum.seen)},
            {"worker_seconds", sum.seconds}};
}

}  // namespace

void measure_real(const Options& options, Report& report) {
    if (sending_cpu() < 0) return report.make_void("one CPU: nothing can send beside the worker");
    const OnCpu here(sending_cpu());
    const double packets = options.quick ? 50'000 : 1'000'000;
    for (unsigned r = 0; r < options.runs; ++r) {
        // As of a machine that was not calibrated.
        const Scene scene = scene_of(r + 1, tsc_hz() / 10 * 9, measuring_cpu());
        Scene empty = scene;
        empty.crowd.applications = false;
        const double seconds = packets / scene.admitted_rate() / kTurns;
        const auto ns = static_cast<uint64_t>(seconds * 1e9) + kMs;
        Sum sum;
        for (unsigned t = 0; t < kTurns; ++t) {
            add_bare(sum, scene, seconds);
            const RealOutcome none = run_on_thread(empty, ns / 2);
            sum.empty_p99.push_back(p99_of(none));
            sum.empty_loss += none.generic.lost;
            add(sum, scene, run_on_thread(scene, ns));
            sum.seconds += seconds;
        }
        add_bare(sum, scene, seconds);
        tell(sum, !options.quick, report);
        report.data().push_back(stalls_of(sum));
    }
}

}  // namespace ravelin::perf
