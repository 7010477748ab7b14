// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tsc.h"

#include <cpuid.h>
#include <rte_cycles.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <string>

namespace ravelin {
namespace {

// To some 0.1 %, which is rounded off: what is granted does not depend on the day.
uint64_t measured() {
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds kLong{10};
    constexpr uint64_t kStep = 10'000'000;
    const auto begun = Clock::now();
    const uint64_t first = rte_rdtsc();
    while (Clock::now() - begun < kLong) {
    }
    const uint64_t cycles = rte_rdtsc() - first;
    const auto took = std::chrono::duration<double>(Clock::now() - begun).count();
    return static_cast<uint64_t>(static_cast<double>(cycles) / took) / kStep * kStep;
}

// Of the CPU's own word and the kernel's, which watches it and gives it up where CPUs differ.
bool looked_up() {
    constexpr unsigned kPower = 0x8000'0007, kInvariant = 1 << 8;
    constexpr std::array kByTsc{"tsc", "kvm-clock", "hyperv_clocksource_tsc_page"};
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (__get_cpuid(kPower, &a, &b, &c, &d) == 0 || (d & kInvariant) == 0) return false;
    std::string source;
    std::ifstream("/sys/devices/system/clocksource/clocksource0/current_clocksource") >> source;
    return std::ranges::find(kByTsc, source) != kByTsc.end();
}

}  // namespace

uint64_t tsc_hz() {
    if (const uint64_t known = rte_get_tsc_hz(); known != 0) return known;
    static const uint64_t counted = measured();
    return counted;
}

bool tsc_is_steady() {
    static const bool steady = looked_up();
    return steady;
}

}  // namespace ravelin
