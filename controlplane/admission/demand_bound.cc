// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/demand_bound.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <numeric>

#include "controlplane/admission/walk.h"

namespace ravelin::admission {
namespace {

constexpr Nanoseconds kNever = std::numeric_limits<Nanoseconds>::max();
constexpr int64_t kSetUp = 60;  // what a walk costs before its first step, in demands looked at

}  // namespace

DemandBound::Slot DemandBound::add(const Demand& demand) {
    Slot slot = static_cast<Slot>(deadline_.size());
    if (!free_.empty()) {
        slot = free_.back();
        free_.pop_back();
    } else {
        deadline_.push_back(kNever);
        period_.push_back(1);
        work_.push_back(0);
        burst_.push_back(0);
    }
    put(slot, demand);
    rates_.add(demand.work, demand.period);
    return slot;
}

void DemandBound::remove(Slot slot) {
    rates_.remove(work_[slot], period_[slot]);
    put(slot, {.work = 0, .burst = 0, .period = 1, .deadline = kNever});
    free_.push_back(slot);
}

void DemandBound::put(Slot slot, const Demand& demand) {
    deadline_[slot] = demand.deadline;
    period_[slot] = demand.period;
    work_[slot] = demand.work;
    burst_[slot] = demand.burst;
}

Wide DemandBound::due_within(Nanoseconds t) const {
    Wide due = 0;
    for (size_t i = 0; i < deadline_.size(); ++i) {
        const Nanoseconds over = t - deadline_[i];
        if (over < 0) continue;
        const auto whole = static_cast<uint64_t>(over) / static_cast<uint64_t>(period_[i]);
        due += Wide{whole + burst_[i]} * work_[i];
    }
    return due;
}

DemandBound::Stairs DemandBound::stairs() const {
    Stairs all;
    for (size_t i = 0; i < deadline_.size(); ++i)
        if (work_[i] != 0) all.emplace_back(deadline_[i], work_[i]);
    std::sort(all.begin(), all.end(), std::greater<>());
    Stairs steps;
    for (const auto& step : all)
        if (steps.empty() || step.second > steps.back().second) steps.push_back(step);
    return steps;
}

/// No interval longer than this can bind: W + U (t - D) bounds each demand from above, and beyond
/// here the sum of these stays below the supply. kNever: there is no such length.
Nanoseconds DemandBound::horizon(const Demand& newcomer, const Supply& supply, Nanoseconds least,
                                 Nanoseconds longest) const {
    Signed rate = 0;
    Signed ahead = scaled_lost(supply);
    Nanoseconds latest = std::max<Nanoseconds>(0, least - newcomer.period);
    Wide whole = static_cast<Wide>(newcomer.period);  // the periods' common multiple
    Work run = supply.preemptive ? supply.floor : std::max(supply.floor, newcomer.work);
    const auto count = [&](Work work, uint32_t burst, Nanoseconds period, Nanoseconds deadline) {
        const Signed each = scaled_rate(work, period);
        ahead += scaled(Wide{work} * burst) - each * deadline;
        rate += each;
    };
    count(newcomer.work, newcomer.burst, newcomer.period, least);
    for (size_t i = 0; i < deadline_.size(); ++i) {
        if (work_[i] == 0) continue;
        count(work_[i], burst_[i], period_[i], deadline_[i]);
        latest = std::max(latest, deadline_[i] - period_[i]);
        longest = std::max(longest, deadline_[i]);
        if (!supply.preemptive) run = std::max(run, work_[i]);
        if (whole <= kLongestTime)
            whole *= Wide(period_[i] / std::gcd(static_cast<Nanoseconds>(whole), period_[i]));
    }
    ahead += scaled(run);
    const Signed spare = scaled_supply(supply) - rate;
    if (spare > 0 && ahead <= 0) return latest;
    if (spare > 0 && ahead / spare < kLongestTime)
        return std::max(latest, static_cast<Nanoseconds>(ceil_div(Wide(ahead), Wide(spare))));
    // Nothing to spare: once all are due at times, all repeats after a common multiple.
    return whole <= kLongestTime ? longest + static_cast<Nanoseconds>(whole) : kNever;
}

DemandBound::Least DemandBound::least_deadline(const Demand& newcomer, const Supply& supply,
                                               Nanoseconds longest, Effort& effort) const {
    if (supply.rate == 0 || !rates_.fits(supply.rate, newcomer.work, newcomer.period)) return {};
    const Nanoseconds least = least_alone(newcomer, supply, longest);
    if (least > longest) return {};
    if (effort.left <= 0) return {.answer = Answer::kUndecided};
    effort.left -= kSetUp * static_cast<int64_t>(deadline_.size() + 1);
    const Nanoseconds end = horizon(newcomer, supply, least, longest);
    if (end == kNever) return {.answer = Answer::kUndecided};
    return Walk(*this, newcomer, supply).run(std::max(end, least), least, longest, effort);
}

DemandBound::Answer DemandBound::fits(const Supply& supply, Effort& effort) const {
    const Demand nobody{.work = 0, .burst = 0, .period = kSecond, .deadline = 1};
    return least_deadline(nobody, supply, kLongestTime, effort).answer;
}

}  // namespace ravelin::admission
