// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tsc.h"

#include <rte_cycles.h>

#include <chrono>

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

}  // namespace

uint64_t tsc_hz() {
    if (const uint64_t known = rte_get_tsc_hz(); known != 0) return known;
    static const uint64_t counted = measured();
    return counted;
}

}  // namespace ravelin
