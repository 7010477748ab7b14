// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "controlplane/admission/choice.h"

namespace ravelin::admission {
namespace {

/// The least value in (refused, most] that fits; every greater one does.
template <typename T, typename F>
std::optional<T> least_that_fits(T refused, T most, const F& fits) {
    if (refused >= most || !fits(most)) return {};
    while (most - refused > 1) {
        const T middle = refused + (most - refused) / 2;
        (fits(middle) ? most : refused) = middle;
    }
    return most;
}

std::vector<Part> with_period(std::span<const Part> parts, Nanoseconds period) {
    std::vector<Part> changed(parts.begin(), parts.end());
    for (Part& part : changed) part.demand.period = period;
    return changed;
}

/// Near where the answer must lie, so that few decisions are made: what the parts need, added up
/// or, where the split is fixed, the most of them for each.
std::optional<Nanoseconds> nearest_time(std::span<const Part> parts, Nanoseconds time,
                                        const Rules& rules) {
    const Choice wide = choose(parts, kLongestTime, rules);
    if (!wide.fits()) return {};
    const auto fits = [&](Nanoseconds each) { return choose(parts, each, rules).fits(); };
    Nanoseconds sum = 0;
    for (const Nanoseconds least : wide.least) sum += least;
    if (wide.by != Test::kOutline && sum > time && fits(sum) && !fits(sum - 1)) return sum;
    return least_that_fits(time, kLongestTime, fits);
}

std::optional<Work> nearest_work(std::span<const Part> parts, Nanoseconds time, size_t binding,
                                 const Rules& rules) {
    std::vector<Part> changed(parts.begin(), parts.end());
    const Work asked = parts[binding].demand.work;
    const auto saved = least_that_fits<Work>(0, asked - 1, [&](Work less) {
        changed[binding].demand.work = asked - less;
        return choose(changed, time, rules).fits();
    });
    if (!saved) return {};
    return asked - *saved;
}

}  // namespace

Nearest nearest(std::span<const Part> parts, Nanoseconds time, const Rules& rules) {
    const Choice refused = choose(parts, time, rules);
    Nearest found;
    found.time = nearest_time(parts, time, rules);
    found.period = least_that_fits(
        parts.front().demand.period, kLongestTime / parts.front().demand.burst,
        [&](Nanoseconds period) { return choose(with_period(parts, period), time, rules).fits(); });
    found.work = nearest_work(parts, time, refused.binding, rules);
    return found;
}

}  // namespace ravelin::admission
