// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/stalls.h"

#include <sched.h>
#include <x86intrin.h>

#include <algorithm>
#include <iterator>
#include <thread>

#include "perf/bench/box.h"

namespace ravelin::perf {
namespace {

constexpr size_t kMost = 1 << 20;

/// Of one thread.
struct Stamps {
    uint64_t last = 0;  // ticks; 0: none yet
    uint64_t least = 0;
    std::vector<Stall> stalls;

    void begin() {
        last = 0;
        least = test::TurnedTime::cycles_of(kStallNs);
        stalls.clear();
        stalls.reserve(kMost);
    }
    uint64_t read() noexcept {
        const uint64_t ticks = __rdtsc();
        if (ticks - last >= least) [[unlikely]]
            note(ticks);
        last = ticks;
        return ticks;
    }
    void note(uint64_t ticks) noexcept {
        if (last == 0 || stalls.size() == kMost) return;
        const uint64_t ns = test::TurnedTime::ns_of(ticks - last);
        stalls.push_back({Now::read().ns - ns, ns});
    }
};

Stamps worker;

}  // namespace

std::vector<Stall> bare_loop(int cpu, double seconds) {
    Stamps stamps;
    std::thread loop([&] {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET(static_cast<size_t>(cpu), &set);
        if (sched_setaffinity(0, sizeof set, &set) != 0) give_up("cannot run on the worker's CPU");
        stamps.begin();
        const uint64_t began = Now::read().ns;
        const uint64_t until =
            __rdtsc() + test::TurnedTime::cycles_of(static_cast<uint64_t>(seconds * 1e9));
        while (stamps.read() < until) {
        }
        for (Stall& stall : stamps.stalls) stall.at_ns -= began;
    });
    loop.join();
    return std::move(stamps.stalls);
}

void StampedTime::begin() { worker.begin(); }

Now StampedTime::read() {
    worker.read();
    return Now::read();
}

uint64_t StampedTime::read_cycles() noexcept { return worker.read(); }

std::span<const Stall> StampedTime::stalls() { return worker.stalls; }

std::vector<uint64_t> histogram_of(std::span<const Stall> stalls) {
    std::vector<uint64_t> out(std::size(kStallClassesUs));
    for (const Stall& stall : stalls) {
        const auto* const above = std::upper_bound(std::begin(kStallClassesUs),
                                                   std::end(kStallClassesUs), stall.ns / 1'000);
        if (above != std::begin(kStallClassesUs))
            ++out[static_cast<size_t>(above - std::begin(kStallClassesUs)) - 1];
    }
    return out;
}

}  // namespace ravelin::perf
