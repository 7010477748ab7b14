// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <numeric>

#include "controlplane/admission/choice.h"

namespace ravelin::admission {
namespace {

constexpr int64_t kDecisions = 2;  // whose effort it may take

/// What a search may still ask of the exact test, and whether that was too little.
struct Search {
    std::span<const Part> parts;
    Nanoseconds time;
    const Rules& rules;
    Effort effort;
    bool cut_short = false;

    template <typename Question>
    auto ask(const Question& question, bool& perhaps_nearer) {
        cut_short = false;
        auto found = question();
        perhaps_nearer = cut_short;
        return found;
    }
    /// What one decision may take of it: no more, for what fits must be found to by another.
    template <typename Decide>
    auto within_one(const Decide& decide) {
        const int64_t most = std::min(std::max<int64_t>(effort.left, 0), rules.effort);
        Effort one{most};
        auto out = decide(one);
        effort.left -= most - one.left;
        return out;
    }
    bool fits(std::span<const Part> changed, bool exactly) {
        Effort none{0};
        const Choice choice =
            exactly ? within_one([&](Effort& one) { return choose(changed, time, rules, one); })
                    : choose(changed, time, rules, none);
        cut_short |= exactly && choice.undecided && !choice.fits();
        return choice.fits();
    }
};

/// The least value in (refused, most] that fits, if every greater one does. The outline finds one
/// that is near and fits, in some 40 questions; below that the exact test, while it may.
template <typename T, typename F>
std::optional<T> least_that_fits(T refused, T most, Search& search, const F& change) {
    if (refused >= most) return {};
    T no = refused, yes = most;
    const auto halve = [&](bool exactly) {
        const T middle = no + (yes - no) / 2;
        (search.fits(change(middle), exactly) ? yes : no) = middle;
    };
    if (search.fits(change(most), false))
        while (yes - no > 1) halve(false);
    else if (!search.fits(change(most), true))
        return {};
    for (no = refused; yes - no > 1 && search.effort.left > 0;) halve(true);
    search.cut_short |= yes - no > 1;
    return yes;
}

/// What each part needs by the outline, which a decision asks of all parts first: what their sum
/// allows it finds whatever the effort. Empty: no time is enough for one.
std::vector<Nanoseconds> outline_times(std::span<const Part> parts) {
    std::vector<Nanoseconds> least;
    for (const auto& [book, demand] : parts) {
        least.push_back(book->outline_least(demand, kLongestTime));
        if (least.back() > kLongestTime) return {};
    }
    return least;
}

/// What each part needs, found by one walk each; where one cannot be found out about, what the
/// outline says of all. Empty: one has not the rate, or no time is enough.
std::vector<Nanoseconds> least_times(Search& search, Effort& effort) {
    std::vector<Nanoseconds> least;
    for (const auto& [book, demand] : search.parts) {
        if (!search.rules.exact) {
            least.push_back(book->paper_least(demand, kLongestTime));
        } else {
            const auto walked = book->exact_least(demand, kLongestTime, effort);
            if (walked.answer == DemandBound::Answer::kNever) return {};
            search.cut_short |= walked.answer == DemandBound::Answer::kUndecided;
            least.push_back(walked.deadline);
        }
        if (!search.cut_short && least.back() > kLongestTime) return {};
    }
    return search.cut_short ? outline_times(search.parts) : least;
}

/// Least times do not depend on the deadline, so it is their sum or, where the criterion has no
/// such split, the least for which it has one.
std::optional<Nanoseconds> nearest_time(Search& search) {
    std::vector<Nanoseconds> least =
        search.within_one([&](Effort& one) { return least_times(search, one); });
    const auto splits = [&](Nanoseconds time) {
        return !relaxed(search.parts, least, time, search.rules).empty();
    };
    if (!least.empty() && splits(search.time)) {  // what the decision had too little effort to see
        search.cut_short = true;
        least = outline_times(search.parts);
    }
    if (least.empty()) return {};
    // What was refused may be more than the sum, where the criterion had no split of it.
    Nanoseconds no = search.time;
    Nanoseconds yes = std::max(std::accumulate(least.begin(), least.end(), Nanoseconds{0}), no + 1);
    if (yes > kLongestTime) return {};
    if (splits(yes)) return yes;
    no = yes;
    yes = kLongestTime;
    if (no == yes || !splits(yes)) return {};
    while (yes - no > 1) {
        const Nanoseconds middle = no + (yes - no) / 2;
        (splits(middle) ? yes : no) = middle;
    }
    return yes;
}

std::optional<Nanoseconds> nearest_period(Search& search) {
    std::vector<Part> changed(search.parts.begin(), search.parts.end());
    const Demand& asked = search.parts.front().demand;
    return least_that_fits(asked.period, kLongestTime / asked.burst, search,
                           [&](Nanoseconds period) -> std::span<const Part> {
                               for (Part& part : changed) part.demand.period = period;
                               return changed;
                           });
}

std::optional<Work> nearest_work(Search& search, size_t binding) {
    std::vector<Part> changed(search.parts.begin(), search.parts.end());
    const Work asked = changed[binding].demand.work;
    const auto saved =
        least_that_fits<Work>(0, asked - 1, search, [&](Work less) -> std::span<const Part> {
            changed[binding].demand.work = asked - less;
            return changed;
        });
    if (!saved) return {};
    return asked - *saved;
}

}  // namespace

Nearest nearest(std::span<const Part> parts, Nanoseconds time, size_t binding, const Rules& rules) {
    Search search{
        .parts = parts, .time = time, .rules = rules, .effort = Effort{kDecisions * rules.effort}};
    Nearest found;
    found.time = search.ask([&] { return nearest_time(search); }, found.perhaps_shorter);
    found.period = search.ask([&] { return nearest_period(search); }, found.perhaps_faster);
    found.work = search.ask([&] { return nearest_work(search, binding); }, found.perhaps_more);
    return found;
}

}  // namespace ravelin::admission
