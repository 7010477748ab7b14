// SPDX-License-Identifier: Apache-2.0
#include "perf/figures/drive.h"

#include <algorithm>

#include "perf/bench/rig.h"

namespace ravelin::perf {
namespace {

using test::TurnedTime;

constexpr uint64_t kKept = 20'000;          // ns that who sends does not make good
constexpr uint64_t kSettled = 200'000'000;  // ns behind the last packet

/// Sends from this thread until `ns` are over and all is out; ns that it was kept from it, which
/// come on top.
uint64_t drive(Contest& contest, uint64_t ns) {
    uint64_t put_off = 0, last = Now::read().ns;
    for (const uint64_t began = last; last < began + ns + put_off + kSettled;) {
        const uint64_t now = Now::read().ns;
        if (now - last > kKept) {
            contest.put_off(now - last);
            put_off += now - last;
        }
        last = now;
        if (now < began + ns + put_off) contest.send(now);
        contest.collect();
    }
    return put_off;
}

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

Disturbed on_thread(const Course& course, uint64_t ns, const Tell& tell) {
    StampedTime::begin();
    Box box(load(course.yaml), StampedTime::read, Box::Wires::kDeepRings, StampedTime::read_cycles);
    box.worker().count_cycles_by(StampedTime::read_cycles, LostTime::thread_clock);
    StampedTime::begin();
    Contest contest(box, course.senders, Now::read, course.wan, false);
    box.worker().start();
    Disturbed out;
    out.put_off = drive(contest, ns);
    box.worker().stop();
    end(box, contest, tell);
    out.stalls.assign(StampedTime::stalls().begin(), StampedTime::stalls().end());
    return out;
}

bool covered(const Miss& miss, std::span<const Stall> stalls) {
    uint64_t held = 0;
    for (const Stall& stall : stalls)
        if (stall.at_ns < miss.until_ns && miss.from_ns < stall.at_ns + 2 * stall.ns)
            held += 2 * stall.ns;
    return held != 0 && miss.until_ns - miss.due_ns <= held;
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
