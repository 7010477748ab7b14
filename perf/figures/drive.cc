// SPDX-License-Identifier: Apache-2.0
#include "perf/figures/drive.h"

#include <algorithm>
#include <utility>

#include "perf/bench/rig.h"

namespace ravelin::perf {
namespace {

using test::TurnedTime;

constexpr uint64_t kKept = 20'000;          // ns that who sends does not make good
constexpr uint64_t kSettled = 200'000'000;  // ns behind the last packet
constexpr uint64_t kQuiet = 1'000'000;  // ns around a loop, so that no turn holds it and packets

/// Who sends, on this thread.
class Driver {
  public:
    explicit Driver(Contest& contest) : contest_(contest), last_(Now::read().ns) {}

    /// Sends for `ns`; what it is kept from it comes on top. Then until all that is promised is
    /// out.
    void send(uint64_t ns, Disturbed& out) {
        uint64_t until = last_ + ns;
        const uint64_t from = last_;
        while (last_ < until) until += turn();
        out.put_off += until - from - ns;
        out.sent.push_back({from, until});
        const uint64_t settled = last_ + kSettled;
        while (last_ < settled && !contest_.promises_out()) rest();
    }
    /// The same work while the worker does nothing but look at its clock for `ns`.
    void rehearse(uint64_t ns, Disturbed& out) {
        rest_for(kQuiet);
        contest_.rehearse(true);
        const uint64_t from = last_;
        StampedTime::loop(ns);
        while (StampedTime::loops()) turn();
        out.looped.push_back({from, last_});
        contest_.rehearse(false);
        rest_for(kQuiet);
    }
    /// Sends nothing for so long.
    void rest_for(uint64_t ns) {
        for (const uint64_t until = last_ + ns; last_ < until;) rest();
    }

  private:
    /// ns that it was kept from it.
    uint64_t turn() {
        const uint64_t passed = pass(), kept = passed > kKept ? passed : 0;
        if (kept != 0) contest_.put_off(kept);
        contest_.send(last_);
        contest_.collect();
        return kept;
    }
    void rest() {
        contest_.put_off(pass());
        contest_.collect();
    }
    uint64_t pass() {
        const uint64_t now = Now::read().ns;
        return now - std::exchange(last_, now);
    }
    Contest& contest_;
    uint64_t last_;
};

void end(Box& box, Contest& contest, const Tell& tell) {
    contest.end();
    if (contest.without_buffer() != 0) give_up("a contest had too few buffers");
    tell(box, contest);
}

}  // namespace

std::vector<Stall> by_hand(const Course& course, uint64_t ns, TurnCost cost, const Tell& tell,
                           std::span<const Stall> stalls) {
    TurnedTime::begin();
    Box box(load(course.yaml), TurnedTime::read, Box::Wires::kRings, TurnedTime::read_cycles);
    box.worker().count_cycles_by(TurnedTime::read_cycles, TurnedTime::had_ns);
    Contest contest(box, course.senders, TurnedTime::read, course.wan, true);
    const uint64_t began = TurnedTime::ns();
    std::vector<Stall> moved(stalls.begin(), stalls.end());
    for (Stall& stall : moved) stall.at_ns += began;
    TurnedTime::stall(moved);
    while (TurnedTime::ns() < began + ns + kSettled) {
        const unsigned n = TurnedTime::ns() < began + ns ? contest.send(TurnedTime::ns()) : 0;
        TurnedTime::pass(cost.turn + cost.each * std::min(n, 2 * limits::kArrivals));
        box.worker().turn();
        contest.collect();
    }
    end(box, contest, tell);
    TurnedTime::stall({});
    return moved;
}

Disturbed on_thread(const Course& course, uint64_t ns, const Tell& tell, unsigned rounds) {
    StampedTime::begin();
    Box box(load(course.yaml), StampedTime::read, Box::Wires::kDeepRings, StampedTime::read_cycles);
    box.worker().count_cycles_by(StampedTime::read_cycles, LostTime::thread_clock);
    StampedTime::begin();
    Contest contest(box, course.senders, Now::read, course.wan, false, StampedTime::pass);
    box.worker().start();
    Disturbed out;
    Driver driver(contest);
    for (unsigned i = 0; i < rounds; ++i) {
        driver.rehearse(ns / rounds, out);
        driver.send(ns / rounds, out);
    }
    if (rounds == 0) driver.send(ns, out);
    if (rounds != 0) driver.rehearse(ns / rounds, out);
    driver.rest_for(kSettled);
    box.worker().stop();
    end(box, contest, tell);
    out.stalls.assign(StampedTime::stalls().begin(), StampedTime::stalls().end());
    out.taken = StampedTime::taken();
    out.loop_taken = StampedTime::loop_taken();
    out.loop_stalls = joined(StampedTime::loop_stalls(), out.looped);
    return out;
}

int sending_cpu() {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    for (int cpu = 0; cpu < measuring_cpu(); ++cpu)
        if (CPU_ISSET(cpu, &set)) return cpu;
    return -1;
}

OnCpu::OnCpu(int cpu) {
    sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(static_cast<size_t>(cpu), &set);
    sched_setaffinity(0, sizeof set, &set);
}

}  // namespace ravelin::perf
