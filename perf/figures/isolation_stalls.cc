// SPDX-License-Identifier: Apache-2.0
// isolation, its fourth part: the machine stands still now and then, in virtual time. Interrupts
// take 30 us each and are not told; a hypervisor takes two milliseconds, which the kernel tells.
// Nobody is late beyond what was held up itself: who was being run pays nothing for it. `slow`:
// with the port and the core's cost of what runs on a thread.
#include <algorithm>
#include <random>

#include "dataplane/tsc.h"
#include "perf/figures/drive.h"
#include "perf/figures/isolation.h"

namespace ravelin::perf {
namespace {

constexpr uint64_t kSecond = 1'000'000'000;
constexpr uint64_t kInterrupt = 30'000, kInterruptsApart = kSecond / 275;  // ns
constexpr uint64_t kLong = 2'000'000, kLongApart = kSecond / 4;            // ns

std::vector<Stall> stalls_in(uint64_t ns, uint32_t seed) {
    std::mt19937_64 random(seed);
    std::vector<Stall> out;
    const auto add = [&](uint64_t lasts, uint64_t apart, bool interrupt) {
        for (uint64_t at = apart; at < ns; at += apart / 2 + random() % apart)
            out.push_back({at, lasts, interrupt});
    };
    add(kLong, kLongApart, false);
    add(kInterrupt, kInterruptsApart, true);
    std::ranges::sort(out, {}, &Stall::at_ns);
    return out;
}

void measure(const std::string& name, const Scene& scene, uint32_t seed, double packets,
             TurnCost cost, Report& report) {
    const auto ns = static_cast<uint64_t>(packets / scene.admitted_rate() * 1e9);
    const std::vector<Stall> stalls = stalls_in(ns, seed);
    const Outcome out = run_in_virtual_time(scene, ns, stalls, cost);
    const Cover cover(out.stalls);
    const auto covers = [&](const Miss& miss) { return covered(miss, cover); };
    const auto excused = static_cast<uint64_t>(std::ranges::count_if(out.misses, covers));
    report.add(name + "stalled_packets", "packets", double(out.packets), at_least(0.99 * packets));
    report.add(name + "stalls", "stalls", double(stalls.size()));
    report.add(name + "stalled_late", "packets", double(out.late));
    // What comes in a stall does not all have room at the port.
    report.add(name + "stalled_lost", "packets", double(out.lost), at_least(1));
    report.add(name + "stalled_excused", "packets", double(excused));
    report.add(name + "stalled_unexcused", "packets", double(out.late + out.lost - excused),
               exactly(0));
}

}  // namespace

void measure_stalls(const Options& options, Report& report) {
    const double packets = options.quick ? 50'000 : 500'000;
    for (unsigned r = 0; r < options.runs; ++r) {
        measure("", scene_of(r + 1, tsc_hz()), r + 1, packets, kCost, report);
        measure("slow_", scene_of(r + 1, tsc_hz() / 10 * 9, -1, kSlowWan), r + 1, packets,
                kSlowCost, report);
    }
}

}  // namespace ravelin::perf
