// SPDX-License-Identifier: Apache-2.0
// fig1, its second and third part (requirement S73): the flows as packets through a running data
// plane, each principal with its function and its reservation of cycles and of the port. A unit of
// the core is a millisecond of its cycles, a unit of the link a thousandth of what the port sends
// in a second.
#include <fmt/format.h>

#include <algorithm>

#include "dataplane/paced_link.h"
#include "dataplane/tsc.h"
#include "perf/bench/rig.h"
#include "perf/figures/drive.h"
#include "perf/figures/fig1.h"
#include "tests/support/isolated_set.h"

namespace ravelin::perf {
namespace {

constexpr uint64_t kMs = 1'000'000, kPeriod = 100 * kMs;
constexpr uint64_t kUnits = 1'000;     // a second, of the core and of the link
constexpr uint64_t kUnitBytes = 150;   // of the wire
constexpr uint16_t kFrame = 1'476;     // ten units with what the wire adds
constexpr uint64_t kReserved = 1'454;  // bytes of IP: room for two tags is reserved beside it
// So that the next packets, which would come then, do not.
constexpr uint64_t time_of(unsigned packets) { return packets * kPeriod - kPeriod / 2; }
constexpr uint64_t kWanRate = kUnits * kUnitBytes * 8;  // bit/s
static_assert(kEthernet.on_wire(kFrame) == 10 * kUnitBytes);

uint64_t unit_cycles() { return tsc_hz() / kUnits; }

test::Crowd crowd_of(int cpu) {
    return {.functions = 0,
            .left = cpu < 0 ? 60u : 300u,  // calls and readings of the clock
            .max_run_ns = kMs + kMs / 100,
            .worker = tsc_hz(),
            .wan = kWanRate,
            .cpu = cpu,
            .core = "{cpu: 5, burst: 100us}"};
}

test::Wish wish_of(const sched::PathFlow& flow) {
    return {.cycles = flow.cpu_work * unit_cycles(),
            .rate = 1'000 * kMs / flow.period_ns,
            .deadline_us = flow.due / 1'000,
            .bytes = kReserved,
            .cpu_deadline_ns = flow.cpu_deadline};
}

Course course_of(const FlowSet& set, int cpu) {
    Course out{"", {}, kWanRate};
    std::vector<test::Wish> wishes;
    for (const sched::PathFlow& flow : set.flows) {
        out.senders.push_back(
            {.address = 10u << 24 | 1u << 16 | static_cast<uint32_t>(wishes.size()) << 8 | 1,
             .bytes = kFrame,
             .period_ns = flow.period_ns,
             .at_once = true,
             .deadline_ns = flow.due,
             .reserved_ns = flow.period_ns});
        wishes.push_back(wish_of(flow));
    }
    out.yaml = isolated_yaml(wishes, crowd_of(cpu));
    return out;
}

/// What became of all flows.
struct Executed {
    uint64_t sent = 0, missed = 0, worst_ns = 0;
    std::vector<Miss> misses;
};
Executed executed(const Contest& contest, size_t flows) {
    Executed out;
    for (size_t i = 0; i < flows; ++i) {
        const Fate& fate = contest.fate(i);
        out.sent += fate.sent;
        out.missed += fate.late + fate.lost;
        out.worst_ns = std::max(out.worst_ns, fate.longest_ns);
    }
    out.misses = contest.misses();
    return out;
}

bool has_none(const FlowSet& set) {
    return set.misses.sense == Target::Sense::kExactly && set.misses.value == 0;
}

uint64_t stalled(std::span<const Stall> stalls) {
    uint64_t sum = 0;
    for (const Stall& stall : stalls) sum += stall.ns;
    return sum;
}

double ms(uint64_t ns) { return static_cast<double>(ns) / double(kMs); }

}  // namespace

FlowSet granted_by_control_plane() {
    FlowSet out{"control_plane", {}};
    std::vector<test::Wish> wishes;
    do {
        out.flows.clear();
        for (const test::Wish& wish : wishes)
            out.flows.push_back({.cpu_deadline = wish.cpu_deadline_ns,
                                 .link_deadline = kPeriod - wish.cpu_deadline_ns,
                                 .due = kPeriod});
        wishes.push_back(wish_of({.due = kPeriod}));
    } while (granted(wishes, crowd_of(-1)));
    return out;
}

uint64_t run_on_data_plane(const std::vector<FlowSet>& sets, Report& report) {
    uint64_t broken = 0;
    // So that nothing but units takes time that could be seen.
    const TurnCost cost{.turn = unit_cycles() / 1'000, .each = unit_cycles() / 1'000};
    for (const FlowSet& set : sets) {
        Executed what;
        by_hand(course_of(set, -1), time_of(kPackets), cost,
                [&](Box&, const Contest& contest) { what = executed(contest, set.flows.size()); });
        if (what.sent != kPackets * set.flows.size()) give_up("fig1: not all was sent");
        const std::string name = "data_plane_" + set.name;
        report.add(name + "_misses", "packets", double(what.missed), set.misses);
        report.add(name + "_worst_response", "ms", ms(what.worst_ns));
        if (has_none(set)) broken += what.missed;
        if (!has_none(set))
            report.note(
                fmt::format("{} flows, which nobody could promise anything: {} of {} "
                            "packets late on the data plane, the worst took {:.2f} ms",
                            set.flows.size(), what.missed, what.sent, ms(what.worst_ns)));
    }
    report.note(fmt::format(
        "data_plane: packets through a worker in virtual time; a unit of the core is {} cycles, "
        "burnt by the function of each principal, one of the link {} bytes on the wire: packets of "
        "{} bytes by a port of {} bit/s, of which four may be ahead of the wire",
        unit_cycles(), kUnitBytes, kFrame, kWanRate));
    return broken;
}

void run_on_thread(const std::vector<FlowSet>& sets, const Options& options, Report& report) {
    if (sending_cpu() < 0) return report.make_void("one CPU: nothing can send beside the worker");
    const OnCpu here(sending_cpu());
    const unsigned packets = options.quick ? kPackets / 10 : kPackets;
    for (unsigned r = 0; r < options.runs; ++r)
        for (const FlowSet& set : sets) {
            Executed what;
            const Disturbed seen =
                on_thread(course_of(set, measuring_cpu()), time_of(packets),
                          [&](Box&, const Contest& c) { what = executed(c, set.flows.size()); });
            const Cover cover(seen.stalls);
            const auto excused = static_cast<uint64_t>(std::ranges::count_if(
                what.misses, [&](const Miss& one) { return covered(one, cover); }));
            const std::string name = "real_" + set.name;
            const bool judged = has_none(set) && !options.quick;
            report.add(name + "_packets", "packets", double(what.sent));
            report.add(name + "_misses", "packets", double(what.missed));
            report.add(name + "_excused", "packets", double(excused));
            report.add(name + "_unexcused", "packets", double(what.misses.size() - excused),
                       judged ? exactly(0) : Target{});
            report.add(name + "_worst_response", "ms", ms(what.worst_ns));
            report.add(name + "_stalled", "ms", ms(stalled(seen.stalls)));
        }
    report.note(fmt::format(
        "real: the same on a worker's own thread for {} periods, by the machine's own clocks: the "
        "cycles are burnt and the port is paced at the same rates, so nothing is shortened; late "
        "is excused where the machine took the worker's CPU away",
        packets));
}

}  // namespace ravelin::perf
