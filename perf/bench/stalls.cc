// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/stalls.h"

#include <sys/resource.h>
#include <x86intrin.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <utility>

#include "dataplane/lost_time.h"

namespace ravelin::perf {
namespace {

constexpr size_t kMost = 1 << 18;

/// Of one thread.
struct Stamps {
    uint64_t last = 0;  // ticks; 0: none yet
    uint64_t least = 0;
    uint64_t looked_ns = 0, had_ns = 0;  // at the last stall, and what the thread had had by then
    std::vector<Stall> stalls;

    void begin() {
        last = 0;
        least = test::TurnedTime::cycles_of(kStallNs);
        stalls.resize(kMost);  // a page first touched later would be a stall of its own
        stalls.clear();
        looked_ns = 0;
    }
    void read() noexcept {
        const uint64_t ticks = __rdtsc();
        if (ticks - last >= least) [[unlikely]]
            note(ticks);
        last = ticks;
    }
    void note(uint64_t ticks) noexcept {
        if (last == 0 || stalls.size() == kMost) return;
        const uint64_t ns = test::TurnedTime::ns_of(ticks - last);
        const uint64_t now = Now::read().ns, had = LostTime::thread_clock();
        // What the kernel does not miss since the stall before is an interrupt, by its account.
        const uint64_t own = had - std::exchange(had_ns, had),
                       passed = now - std::exchange(looked_ns, now);
        stalls.push_back({now - ns, ns, passed < own + ns / 2});
    }
};

Stamps worker, looping;
std::atomic<uint64_t> loop_ns{0};
bool looped_before = false;
uint64_t looped = 0;  // ticks in loops
StampedTime::Taken at_last, worker_taken, looping_taken;

/// Since the last look; nothing at the first.
void look(StampedTime::Taken* into) noexcept {
    rusage now{};
    getrusage(RUSAGE_THREAD, &now);
    const StampedTime::Taken at{.switches = static_cast<uint64_t>(now.ru_nivcsw),
                                .faults = static_cast<uint64_t>(now.ru_minflt)};
    if (into != nullptr) {
        into->switches += at.switches - at_last.switches;
        into->faults += at.faults - at_last.faults;
    }
    at_last = at;
}

void run_loop() noexcept {
    worker.read();
    const uint64_t began = worker.last;
    look(looped_before ? &worker_taken : nullptr);
    looping.last = 0;
    looping.looked_ns = Now::read().ns;
    looping.had_ns = LostTime::thread_clock();
    const uint64_t until = __rdtsc() + test::TurnedTime::cycles_of(loop_ns.load());
    while (looping.last < until) looping.read();
    look(&looping_taken);
    looped_before = true;
    looped += __rdtsc() - began;
    worker.last = 0;
    worker.looked_ns = Now::read().ns;
    worker.had_ns = LostTime::thread_clock();
    loop_ns.store(0, std::memory_order_release);
}

}  // namespace

void StampedTime::begin() {
    worker.begin();
    looping.begin();
    loop_ns = 0;
    looped_before = false;
    worker_taken = looping_taken = {};
}

Now StampedTime::read() {
    if (loops()) [[unlikely]]
        run_loop();
    worker.read();
    return Now::read();
}

uint64_t StampedTime::read_cycles() noexcept {
    worker.read();
    return worker.last - looped;
}

void StampedTime::pass() noexcept { worker.read(); }

void StampedTime::loop(uint64_t ns) noexcept { loop_ns.store(ns, std::memory_order_release); }

bool StampedTime::loops() noexcept { return loop_ns.load(std::memory_order_acquire) != 0; }

StampedTime::Taken StampedTime::taken() { return worker_taken; }

StampedTime::Taken StampedTime::loop_taken() { return looping_taken; }

std::span<const Stall> StampedTime::stalls() { return worker.stalls; }

std::span<const Stall> StampedTime::loop_stalls() { return looping.stalls; }

std::vector<Stall> joined(std::span<const Stall> stalls, std::span<const Stretch> stretches) {
    std::vector<Stall> out;
    uint64_t before = 0;
    for (const Stretch& stretch : stretches) {
        for (Stall stall : stalls) {
            if (stall.at_ns < stretch.from_ns || stall.at_ns >= stretch.to_ns) continue;
            stall.at_ns = before + stall.at_ns - stretch.from_ns;
            out.push_back(stall);
        }
        before += stretch.to_ns - stretch.from_ns;
    }
    return out;
}

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
