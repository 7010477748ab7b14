// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/split.h"

#include <algorithm>
#include <limits>

#include "controlplane/admission/shares.h"

namespace ravelin::admission {
namespace {

constexpr int kLevelBits = 48;

/// The time with which the resource is used to `level` (of its capacity, 2^-48ths), as near as
/// `least` and `whole` let it be.
Nanoseconds time_at(const Load& load, uint64_t level, Nanoseconds most) {
    const Nanoseconds longest = std::max(load.least, std::min(load.whole, most));
    const Wide allowed = (Wide{level} * load.capacity) << (64 - kLevelBits);
    if (allowed <= load.used) return longest;
    return std::clamp(time_for(load.work, allowed - load.used, most), load.least, longest);
}

Nanoseconds times_at(std::span<const Load> loads, uint64_t level, Nanoseconds most,
                     std::vector<Nanoseconds>& times) {
    Nanoseconds sum = 0;
    for (size_t i = 0; i < loads.size(); ++i) sum += times[i] = time_at(loads[i], level, most);
    return sum;
}

}  // namespace

std::vector<Nanoseconds> equal_utilisation(std::span<const Load> loads, Nanoseconds time) {
    std::vector<Nanoseconds> times(loads.size());
    uint64_t low = 0;  // the times' sum falls as the level rises
    uint64_t high = std::numeric_limits<uint64_t>::max();
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        if (times_at(loads, middle, time, times) <= time)
            high = middle;
        else
            low = middle + 1;
    }
    Nanoseconds left = time - times_at(loads, high, time, times);
    // What remains is a rounding, or all have more than helps them.
    const Nanoseconds each = left / static_cast<Nanoseconds>(times.size());
    for (Nanoseconds& mine : times) mine += each;
    left -= each * static_cast<Nanoseconds>(times.size());
    *std::max_element(times.begin(), times.end()) += left;
    return times;
}

std::vector<Nanoseconds> fixed(std::span<const Load> loads, Nanoseconds time) {
    const Nanoseconds each = time / static_cast<Nanoseconds>(loads.size());
    for (const Load& load : loads)
        if (load.least > each) return {};
    return std::vector<Nanoseconds>(loads.size(), each);
}

std::vector<Nanoseconds> proportional(std::span<const Load> loads, Nanoseconds time) {
    Wide sum = 0;
    for (const Load& load : loads) sum += static_cast<Wide>(load.least);
    std::vector<Nanoseconds> times;
    for (const Load& load : loads)
        times.push_back(static_cast<Nanoseconds>(static_cast<Wide>(time) *
                                                 static_cast<Wide>(load.least) / sum));
    return times;
}

Relaxation relaxation_named(std::string_view name) {
    if (name == "equal-utilisation") return equal_utilisation;
    if (name == "fixed") return fixed;
    if (name == "proportional") return proportional;
    return {};
}

}  // namespace ravelin::admission
