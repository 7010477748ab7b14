// SPDX-License-Identifier: Apache-2.0
// The quantities of admission, all whole numbers: no decision hangs on a floating-point rounding.
#pragma once
#include <algorithm>
#include <cstdint>
#include <string>

namespace ravelin::admission {

using Nanoseconds = int64_t;
using Work = uint64_t;                         ///< cycles of a core, bytes of a link
__extension__ using Wide = unsigned __int128;  // sums and products below the limits here fit
__extension__ using Signed = __int128;

constexpr Nanoseconds kSecond = 1'000'000'000;
/// What requests may name: with these no sum over 2^20 reservations leaves 128 bits.
constexpr Nanoseconds kLongestTime = Nanoseconds{1} << 42;  ///< 73 minutes
constexpr Work kMostWork = Work{1} << 40;                   ///< units a packet, and units/s

constexpr Wide ceil_div(Wide dividend, Wide divisor) {
    return dividend / divisor + (dividend % divisor != 0 ? 1 : 0);
}

/// The envelope of the core scheduling context: in any window of t seconds it takes at most
/// burst + rate * t units, before everybody else. Of a link: the box's own frames.
struct Core {
    Work rate = 0;   ///< units/s
    Work burst = 0;  ///< units
};

/// A worker's core or a port's link.
struct Resource {
    std::string name;            ///< "core 1", "port wan"
    std::string unit = "units";  ///< as a refusal calls them
    Work capacity = 0;           ///< units/s, declared or calibrated; at most kMostWork
    Core core = {};              ///< 40 % and 500 us of a core, say, in units
    Work blocking = 0;     ///< units: longest run of others that an arrival waits for: max_run
                           ///< of a core, what a link has chosen and not yet sent
    Nanoseconds wake = 0;  ///< until a sleeping worker begins
    bool preemptive =
        false;  ///< packets of reservations interrupt each other: a model, no link can
};

/// What is left of a resource: in t ns, max(0, (rate * t - lost) / 10^9) units.
struct Supply {
    Work rate = 0;   ///< units/s
    Wide lost = 0;   ///< units * 10^9
    Work floor = 0;  ///< blocking, units
    bool preemptive = false;
};

constexpr Supply supply_of(const Resource& resource) {
    const bool any = resource.capacity > resource.core.rate;
    return {.rate = any ? resource.capacity - resource.core.rate : 0,
            .lost = Wide{resource.core.burst} * kSecond +
                    Wide{resource.capacity} * static_cast<Wide>(resource.wake),
            .floor = resource.blocking,
            .preemptive = resource.preemptive};
}

/// One reservation on one resource. Arrivals in any window of t ns: at most burst + t / period.
struct Demand {
    Work work = 0;             ///< units a packet
    uint32_t burst = 1;        ///< packets that may come at once
    Nanoseconds period = 0;    ///< one over the rate
    Nanoseconds deadline = 0;  ///< from release on this resource: its part of the split
};

/// The least deadline of a newcomer who has the resource to itself; more than `longest`: none.
constexpr Nanoseconds least_alone(const Demand& newcomer, const Supply& supply,
                                  Nanoseconds longest) {
    const Wide work = Wide{newcomer.work} * newcomer.burst + supply.floor;
    const Wide least = ceil_div(work * kSecond + supply.lost, supply.rate);
    return static_cast<Nanoseconds>(std::clamp<Wide>(least, 1, static_cast<Wide>(longest) + 1));
}

// With 20 bits behind the point: units/s, and units * 10^9.
constexpr int kFraction = 20;
constexpr Signed scaled(Wide work) { return static_cast<Signed>((work * kSecond) << kFraction); }
constexpr Signed scaled_supply(const Supply& supply) {
    return static_cast<Signed>(Wide{supply.rate} << kFraction);
}
constexpr Signed scaled_lost(const Supply& supply) {
    return static_cast<Signed>(supply.lost << kFraction);
}
/// Rounded up.
constexpr Signed scaled_rate(Work work, Nanoseconds period) {
    return static_cast<Signed>(
        ceil_div((Wide{work} * kSecond) << kFraction, static_cast<Wide>(period)));
}

}  // namespace ravelin::admission
