// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/walk.h"

#include <algorithm>

namespace ravelin::admission {

Walk::Walk(const DemandBound& set, const Demand& newcomer, const Supply& supply)
    : set_(set), newcomer_(newcomer), supply_(supply) {
    if (!supply.preemptive) stairs_ = set.stairs();
}

Wide Walk::due_within(Nanoseconds t) const {
    const Wide due = set_.due_within(t);
    const Nanoseconds over = t - newcomer_.deadline;
    if (over < 0) return due;
    const auto whole = static_cast<uint64_t>(over / newcomer_.period);
    return due + Wide{whole + newcomer_.burst} * newcomer_.work;
}

/// Units: the longest run begun by somebody due later than t.
Work Walk::run_in_the_way(Nanoseconds t) const {
    if (supply_.preemptive) return supply_.floor;
    Work longest = supply_.floor;
    if (newcomer_.deadline > t) longest = std::max(longest, newcomer_.work);
    // Falling in deadline: the last step still beyond t has the most work.
    const auto end = std::partition_point(stairs_.begin(), stairs_.end(),
                                          [t](const auto& step) { return step.first > t; });
    return end == stairs_.begin() ? longest : std::max(longest, std::prev(end)->second);
}

/// The least t' <= t from which on to t nobody else's longer run comes in the way.
Nanoseconds Walk::same_run_down_to(Nanoseconds t) const {
    if (supply_.preemptive) return 0;
    const Work now = run_in_the_way(t);
    Nanoseconds down = 0;
    for (auto step = std::partition_point(stairs_.begin(), stairs_.end(),
                                          [t](const auto& s) { return s.first > t; });
         step != stairs_.end() && down == 0; ++step)
        if (step->second > now) down = step->first;
    if (newcomer_.deadline <= t && newcomer_.work > now) down = std::max(down, newcomer_.deadline);
    return down;
}

/// ns in which the resource has surely done so many units.
Nanoseconds Walk::needed_for(Wide work) const {
    const Wide time = ceil_div(work * kSecond + supply_.lost, supply_.rate);
    return static_cast<Nanoseconds>(std::min<Wide>(time, Wide{1} << 62));
}

/// Work is missing in t: the newcomer's deadline grows until enough of its packets are due later.
/// False: it cannot help.
bool Walk::give_way(Nanoseconds t, Nanoseconds longest) {
    const Nanoseconds before = newcomer_.deadline;
    if (before > t || newcomer_.work == 0) return false;
    const Wide others = set_.due_within(t) + run_in_the_way(t);
    const Wide done = Wide{supply_.rate} * static_cast<Wide>(t);
    const Wide asked = others * kSecond + supply_.lost;
    const Wide packets = done > asked ? (done - asked) / (Wide{newcomer_.work} * kSecond) : 0;
    if (packets < newcomer_.burst) {
        newcomer_.deadline = t + 1;
    } else {
        const auto later = static_cast<Nanoseconds>(packets - newcomer_.burst) + 1;
        newcomer_.deadline = t - later * newcomer_.period + 1;
    }
    newcomer_.deadline = std::max(newcomer_.deadline, before + 1);
    return newcomer_.deadline <= longest;
}

DemandBound::Least Walk::run(Nanoseconds horizon, Nanoseconds least, Nanoseconds longest,
                             Effort& effort) {
    newcomer_.deadline = least;
    for (Nanoseconds t = horizon; t > 0;) {
        effort.left -= static_cast<int64_t>(set_.deadline_.size()) + 1;
        if (effort.left < 0) return {.answer = DemandBound::Answer::kUndecided};
        const Wide due = due_within(t);
        if (due == 0) break;
        const Nanoseconds needed = needed_for(due + run_in_the_way(t));
        if (needed > t) {
            if (!give_way(t, longest)) return {};
            continue;
        }
        // Down to `needed` no more work is due, and while no longer run comes in the way all fits.
        t = std::max(needed, same_run_down_to(t)) - 1;
    }
    return {.answer = DemandBound::Answer::kFits, .deadline = newcomer_.deadline};
}

}  // namespace ravelin::admission
