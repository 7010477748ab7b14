// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/choice.h"

#include <algorithm>
#include <numeric>

namespace ravelin::admission {
namespace {

using Times = std::vector<Nanoseconds>;

Nanoseconds sum_of(const Times& times) {
    return std::accumulate(times.begin(), times.end(), Nanoseconds{0});
}

template <typename F>
Times least_of(std::span<const Part> parts, const F& least) {
    Times times;
    times.reserve(parts.size());
    for (const Part& part : parts) times.push_back(least(part));
    return times;
}

/// The paper's split where it keeps everybody's deadline, else a new one.
Times split(std::span<const Part> parts, const Times& least, const Times& paper, Nanoseconds time,
            const Rules& rules) {
    const bool keeps = std::equal(paper.begin(), paper.end(), least.begin(), least.end(),
                                  [](Nanoseconds has, Nanoseconds needs) { return has >= needs; });
    return keeps ? paper : relaxed(parts, least, time, rules);
}

/// Exact least times instead of the outline's, the longest first, until all together fit.
void ask_exact_test(std::span<const Part> parts, const Times& paper, Nanoseconds time,
                    const Rules& rules, Effort& effort, Choice& choice) {
    choice.by = Test::kExact;
    std::vector<size_t> order(parts.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](size_t a, size_t b) { return choice.least[a] > choice.least[b]; });
    for (const size_t i : order) {
        const auto found = parts[i].book->exact_least(parts[i].demand, time, effort);
        choice.undecided |= found.answer == DemandBound::Answer::kUndecided;
        const bool fits = found.answer == DemandBound::Answer::kFits;
        choice.least[i] = fits ? found.deadline : time + 1;
        choice.times = split(parts, choice.least, paper, time, rules);
        if (choice.fits()) return;
    }
}

void name_binding(std::span<const Part> parts, Choice& refused) {
    const auto most = std::max_element(refused.least.begin(), refused.least.end());
    refused.binding = static_cast<size_t>(most - refused.least.begin());
    for (size_t i = 0; i < parts.size(); ++i) {
        if (parts[i].book->has_rate_for(parts[i].demand)) continue;
        refused.binding = i;
        refused.rate = true;
        return;
    }
}

}  // namespace

Times relaxed(std::span<const Part> parts, const Times& least, Nanoseconds time,
              const Rules& rules) {
    if (sum_of(least) > time) return {};
    std::vector<Load> loads;
    loads.reserve(parts.size());
    for (size_t i = 0; i < parts.size(); ++i)
        loads.push_back(parts[i].book->load_of(parts[i].demand, least[i]));
    return rules.relaxation(loads, time);
}

Choice choose(std::span<const Part> parts, Nanoseconds time, const Rules& rules, Effort& effort) {
    Choice choice;
    choice.least = least_of(
        parts, [&](const Part& part) { return part.book->paper_least(part.demand, time); });
    const Times paper = relaxed(parts, choice.least, time, rules);
    choice.times = paper;
    if (rules.exact) {
        choice.by = Test::kOutline;
        choice.least = least_of(
            parts, [&](const Part& part) { return part.book->outline_least(part.demand, time); });
        choice.times = split(parts, choice.least, paper, time, rules);
    }
    if (rules.exact && !choice.fits()) ask_exact_test(parts, paper, time, rules, effort, choice);
    if (!choice.fits()) name_binding(parts, choice);
    return choice;
}

}  // namespace ravelin::admission
