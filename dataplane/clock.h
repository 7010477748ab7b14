// SPDX-License-Identifier: Apache-2.0
// One reading of the clock per loop turn. Milliseconds are of CLOCK_MONOTONIC, so that flow
// timestamps survive a restart of the process; tests set them by hand.
#pragma once
#include <cstdint>
#include <ctime>

namespace ravelin {

/// Time as one burst sees it.
struct Now {
    uint64_t ns = 0;  ///< CLOCK_MONOTONIC
    uint32_t ms = 0;  ///< the same in milliseconds, wrapping every 49 days
    static Now read() {
        timespec t{};
        clock_gettime(CLOCK_MONOTONIC, &t);
        return from_ns(static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 +
                       static_cast<uint64_t>(t.tv_nsec));
    }
    static Now from_ns(uint64_t ns) { return {ns, static_cast<uint32_t>(ns / 1'000'000)}; }
};

/// Where a worker reads the time; Now::read but in tests.
using Clock = Now (*)();

inline uint64_t unix_ns() {
    timespec t{};
    clock_gettime(CLOCK_REALTIME, &t);
    return static_cast<uint64_t>(t.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(t.tv_nsec);
}

}  // namespace ravelin
