// SPDX-License-Identifier: Apache-2.0
// isolation on a worker's own thread, by the machine's own clocks, while the other CPU sends. The
// machine takes the CPU away now and then: an empty loop sees how, on the same thread, in turns of
// half a second with the contest, beside the same neighbour. What a stall covers is excused, but
// for no more than twice what the stalls of the empty loop do to the same contest in virtual time.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/resource.h>

#include <algorithm>
#include <numeric>
#include <utility>

#include "dataplane/tsc.h"
#include "perf/bench/rig.h"
#include "perf/figures/isolation.h"

namespace ravelin::perf {
namespace {

using test::TurnedTime;

constexpr uint64_t kMs = 1'000'000;
constexpr double kSlice = 0.5;  // s of loop and of contest
// Cycles of a packet that turns and readings of the clock add to TurnCost::each.
constexpr uint64_t kAround = 34;

/// As a worker has it that nothing else is run beside: other programs get what is left.
class Favoured {
  public:
    Favoured() : before_(getpriority(PRIO_PROCESS, 0)) { setpriority(PRIO_PROCESS, 0, -20); }
    ~Favoured() { setpriority(PRIO_PROCESS, 0, before_); }
    Favoured(const Favoured&) = delete;
    Favoured& operator=(const Favoured&) = delete;

  private:
    int before_;
};

struct RealOutcome : Outcome {
    Disturbed seen;
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

RealOutcome run_on_thread(const Scene& scene, uint64_t ns, unsigned rounds) {
    RealOutcome out;
    const auto tell = [&](Box& box, const Contest& contest) {
        static_cast<Outcome&>(out) = outcome_of(box, contest, scene);
    };
    out.seen = on_thread({isolated_yaml(scene.wishes, scene.crowd), scene.senders, scene.crowd.wan},
                         ns, tell, rounds);
    const Cover cover(out.seen.stalls);
    out.take_slow([&](const Miss& one) { return covered(one, cover); });
    return out;
}

double seconds_of(std::span<const Stretch> stretches) {
    return std::accumulate(
        stretches.begin(), stretches.end(), 0.0,
        [](double sum, const Stretch& s) { return sum + double(s.to_ns - s.from_ns) / 1e9; });
}

double p99_of(const Outcome& o) {
    return static_cast<double>(TurnedTime::cycles_of(o.generic.latency_ns.quantile(0.99)));
}

/// TSC cycles that a packet took the core, without stalls, which count as the core's.
uint64_t each_of(const RealOutcome& full) {
    uint64_t stalled = 0;
    for (const Stall& stall : joined(full.seen.stalls, full.seen.sent)) stalled += stall.ns;
    const uint64_t cycles = full.core_cycles;
    return (cycles - std::min(cycles, TurnedTime::cycles_of(stalled))) /
           std::max<uint64_t>(full.taken, 1);
}

/// What these do to it in virtual time, where a packet takes the core as long as it did.
double missed_by(std::span<const Stall> stalls, double seconds, const Scene& scene,
                 const RealOutcome& real) {
    const uint64_t each = each_of(real);
    const TurnCost cost{.turn = kCost.turn, .each = each - std::min(each, kAround)};
    const Outcome out =
        run_in_virtual_time(scene, static_cast<uint64_t>(seconds * 1e9), stalls, cost);
    return static_cast<double>(out.late + out.lost);
}

/// How many misses are excused, and what was to be expected.
struct Excuses {
    uint64_t excused = 0, paying = 0, unexcused = 0;
    double predicted = 0;
};

Excuses excuses_of(const Scene& scene, const RealOutcome& full) {
    Excuses out;
    const std::span<const Stall> stalls = full.seen.stalls;
    const Cover cover(stalls);
    for (const Miss& miss : full.misses)
        ++(covered(miss, cover)          ? out.excused
           : paying(miss, scene, stalls) ? out.paying
                                         : out.unexcused);
    const double looped = seconds_of(full.seen.looped);
    out.predicted =
        missed_by(full.seen.loop_stalls, looped, scene, full) * seconds_of(full.seen.sent) / looped;
    return out;
}

void tell(const Scene& scene, const RealOutcome& full, const Excuses& excuses, bool judged,
          Report& report) {
    const auto target = [&](Target t) { return judged ? t : Target{}; };
    report.add("isolation_packets", "packets", double(full.packets));
    report.add("reservations", "", double(scene.wishes.size()));
    const auto shortest = std::ranges::min(scene.wishes, {}, &test::Wish::deadline_us).deadline_us;
    report.add("shortest_deadline", "us", double(shortest));
    report.add("misses_cpu", "packets", double(full.misses_cpu));
    report.add("misses_link", "packets", double(full.misses_link));
    report.add("misses_core_beyond_envelope", "packets", double(full.misses_of_core));
    report.add("late", "packets", double(full.late));
    report.add("lost", "packets", double(full.lost));
    report.add("excused_misses", "packets", double(excuses.excused));
    report.add("predicted_excused", "packets", excuses.predicted);
    report.add("misses_paying_for_a_stall", "packets", double(excuses.paying), target(exactly(0)));
    report.add("unexcused_misses", "packets", double(excuses.unexcused), target(exactly(0)));
    const std::vector<Stall> seen = joined(full.seen.stalls, full.seen.sent);
    const double sent = seconds_of(full.seen.sent);
    report.add("predicted_of_the_stalls_seen", "packets", missed_by(seen, sent, scene, full));
    report.add("core_cycles_a_packet", "tsc cycles", double(each_of(full)));
    report.add("core", "%", 100 * double(full.core_cycles) / double(tsc_hz()) / sent);
    report.add("generic_loss", "packets", double(full.generic.lost), target(exactly(0)));
    report.add("not_sent_in", "ms", double(full.seen.put_off) / 1e6);
    const double looped = seconds_of(full.seen.looped);
    const auto own = histogram_of(seen), loop = histogram_of(full.seen.loop_stalls);
    report.data().push_back({{"from_us", kStallClassesUs},
                             {"empty_loop", loop},
                             {"empty_loop_seconds", looped},
                             {"worker", own},
                             {"worker_seconds", sent}});
    report.note(fmt::format(
        "gaps from {} us on: empty loop, {:.1f} s: {}; worker, {:.1f} s: {}; switches to other "
        "threads {} and {}, page faults {} and {}",
        fmt::join(kStallClassesUs, " "), looped, fmt::join(loop, " "), sent, fmt::join(own, " "),
        full.seen.loop_taken.switches, full.seen.taken.switches, full.seen.loop_taken.faults,
        full.seen.taken.faults));
}

void tell_generic(const RealOutcome& full, std::vector<double> empty, bool judged, Report& report) {
    const double none = median_of(std::move(empty)), p99 = p99_of(full);
    const double goal = 1.1 * none + double(TurnedTime::cycles_of(test::kMaxRunNs));
    report.add("generic_p99_cycles", "tsc cycles", p99);
    report.add("empty_p99_cycles", "tsc cycles", none);
    report.add("generic_p99_of_goal", "%", 100 * p99 / goal, judged ? at_most(100) : Target{});
}

}  // namespace

void measure_real(const Options& options, Report& report) {
    if (sending_cpu() < 0) return report.make_void("one CPU: nothing can send beside the worker");
    const OnCpu here(sending_cpu());
    const Favoured favoured;
    const double packets = options.quick ? 50'000 : 1'000'000;
    Excuses all;
    for (unsigned r = 0; r < options.runs; ++r) {
        // As of a machine that was not calibrated.
        const Scene scene = scene_of(r + 1, tsc_hz() / 10 * 9, measuring_cpu(), kSlowWan);
        Scene empty = scene;
        empty.crowd.applications = false;
        const double seconds = packets / scene.admitted_rate();
        const auto ns = static_cast<uint64_t>(seconds * 1e9) + kMs;
        std::vector<double> empty_p99{p99_of(run_on_thread(empty, ns / 8, 0))};
        const RealOutcome full =
            run_on_thread(scene, ns, std::max(2u, static_cast<unsigned>(seconds / kSlice)));
        empty_p99.push_back(p99_of(run_on_thread(empty, ns / 8, 0)));
        const Excuses excuses = excuses_of(scene, full);
        tell(scene, full, excuses, !options.quick, report);
        tell_generic(full, empty_p99, !options.quick, report);
        all.excused += excuses.excused;
        all.predicted += excuses.predicted;
    }
    report.add("excused_of_all_runs", "packets", double(all.excused),
               options.quick ? Target{} : at_most(2 * all.predicted));
    report.add("predicted_of_all_runs", "packets", all.predicted);
}

}  // namespace ravelin::perf
