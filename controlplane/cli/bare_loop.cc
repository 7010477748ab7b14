// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/bare_loop.h"

#include <fmt/format.h>
#include <sched.h>
#include <x86intrin.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

namespace ravelin::cli {
namespace {

constexpr double kGap = 10e-6;          // seconds without a turn: somebody else had the CPU
constexpr uint64_t kTurns = 1'000'000;  // of the fixed loop, a third of a millisecond
constexpr unsigned kTries = 60;         // the fastest was not interrupted

double raw_seconds() {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

/// Runs this thread on one CPU while it lives.
class Pinned {
  public:
    explicit Pinned(int cpu) {
        sched_getaffinity(0, sizeof before_, &before_);
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(static_cast<size_t>(cpu), &only);
        ok_ = cpu >= 0 && cpu < CPU_SETSIZE && sched_setaffinity(0, sizeof only, &only) == 0;
    }
    ~Pinned() { sched_setaffinity(0, sizeof before_, &before_); }
    Pinned(const Pinned&) = delete;
    Pinned& operator=(const Pinned&) = delete;
    [[nodiscard]] bool ok() const { return ok_; }

  private:
    cpu_set_t before_{};
    bool ok_ = false;
};

/// TSC ticks of the fixed loop. In assembler, so that no compiler changes what a turn is: a
/// subtraction that waits for the one before, fused with its jump.
uint64_t fixed_loop() {
    uint64_t left = kTurns;
    const uint64_t from = __rdtsc();
    asm volatile(
        "1: sub $1, %0\n"
        "jnz 1b\n"
        : "+r"(left)
        :
        : "cc");
    return __rdtsc() - from;
}

double ticks_per_second() {
    const double from = raw_seconds();
    const uint64_t ticks = __rdtsc();
    while (raw_seconds() < from + 0.02) {
    }
    return static_cast<double>(__rdtsc() - ticks) / (raw_seconds() - from);
}

void count_gap(double gap, BareLoop& out) {
    ++out.gaps_10us;
    out.gaps_100us += gap >= 100e-6 ? 1 : 0;
    out.gaps_1ms += gap >= 1e-3 ? 1 : 0;
    out.longest_us = std::max(out.longest_us, gap * 1e6);
}

}  // namespace

Result<BareLoop> run_bare_loop(int cpu, double seconds) {
    const Pinned pinned(cpu);
    if (!pinned.ok()) return Error{fmt::format("CPU {}: {}", cpu, std::strerror(errno))};
    const double guess = ticks_per_second();
    const auto gap_ticks = static_cast<uint64_t>(kGap * guess);
    const auto length = static_cast<uint64_t>(seconds * guess);
    BareLoop out;
    uint64_t fastest = UINT64_MAX, lost = 0;
    for (unsigned i = 0; i < kTries; ++i) fastest = std::min(fastest, fixed_loop());
    const double began = raw_seconds();
    const uint64_t from = __rdtsc();
    uint64_t last = from;
    while (last - from < length) {
        const uint64_t now = __rdtsc();
        if (now - last >= gap_ticks) {
            lost += now - last;
            count_gap(static_cast<double>(now - last) / guess, out);
        }
        last = now;
    }
    out.seconds = raw_seconds() - began;
    const auto ticks = static_cast<double>(last - from);
    out.tsc_hz = ticks / out.seconds;
    out.share = 1 - static_cast<double>(lost) / ticks;
    out.core_hz = out.tsc_hz * static_cast<double>(kTurns) / static_cast<double>(fastest);
    return out;
}

}  // namespace ravelin::cli
