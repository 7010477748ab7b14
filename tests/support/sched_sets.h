// SPDX-License-Identifier: Apache-2.0
// Random sets of reservations and an exact test, of its own, of whether non-preemptive earliest
// deadline first keeps them: processor demand (S. Baruah, L. Rosier, R. Howell, 1990) with one
// blocking run (K. Jeffay, D. Stanat, C. Martel, 1991) and a core of highest priority.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "dataplane/sched/deadline_servers.h"
#include "tests/support/sched_table.h"

namespace ravelin::sched {

/// Sends as a contract allows, with pauses, and now and then more than that.
struct Source {
    Contract contract;
    uint64_t next_release = 0;  ///< of a conforming packet, by this test's own count
    /// When a packet that comes now is due.
    uint64_t due(uint64_t now) {
        const uint64_t release = std::max(now, next_release);
        next_release = release + contract.period_ns;
        return release + contract.deadline_ns;
    }
};

/// Work in units of time: one unit takes one ns.
struct CoreLoad {
    uint64_t work = 0, period = 1;
};

/// Demand that has to be done in any window of `t`.
inline uint64_t demand(const std::vector<Contract>& set, const CoreLoad& core, uint64_t t) {
    uint64_t sum = (t + core.period - 1) / core.period * core.work;
    for (const Contract& c : set)
        if (t >= c.deadline_ns) sum += ((t - c.deadline_ns) / c.period_ns + 1) * c.work;
    return sum;
}

/// Up to which window length the demand has to be looked at: the longest busy period. 0: there is
/// none, the set takes all there is.
inline uint64_t longest_busy(const std::vector<Contract>& set, const CoreLoad& core,
                             uint64_t blocking) {
    double used = static_cast<double>(core.work) / static_cast<double>(core.period);
    for (const Contract& c : set)
        used += static_cast<double>(c.work) / static_cast<double>(c.period_ns);
    if (used >= 0.9999) return 0;
    uint64_t length = 0, next = blocking + core.work + 1;
    while (next != length) {
        length = next;
        next = blocking + (length + core.period - 1) / core.period * core.work;
        for (const Contract& c : set) next += (length + c.period_ns - 1) / c.period_ns * c.work;
        next = std::max(next, length);
    }
    for (const Contract& c : set) length = std::max(length, c.deadline_ns);
    return length;
}

inline bool feasible(const std::vector<Contract>& set, const CoreLoad& core, uint64_t blocking) {
    const uint64_t end = longest_busy(set, core, blocking);
    if (end == 0) return false;
    for (const Contract& c : set)
        for (uint64_t t = c.deadline_ns; t <= end; t += c.period_ns)
            if (demand(set, core, t) + blocking > t) return false;
    return true;
}

/// `n` contracts of together about `load`, periods log-uniform in [shortest, 30 * shortest] ns,
/// deadlines from a third of the period to one and a half.
inline std::vector<Contract> random_set(std::mt19937_64& rng, size_t n, double load,
                                        double shortest) {
    std::uniform_real_distribution<double> unit(0, 1);
    std::vector<double> parts(n);
    double sum = 0;
    for (double& part : parts) sum += part = 0.05 + unit(rng);
    std::vector<Contract> set;
    for (const double part : parts) {
        const double period = shortest * std::pow(30.0, unit(rng));
        const double work = std::max(period * load * part / sum, 64.0);
        const double deadline = period * (0.33 + 1.17 * unit(rng));
        set.push_back({static_cast<uint64_t>(work), static_cast<uint64_t>(period),
                       static_cast<uint64_t>(std::max(deadline, work))});
    }
    return set;
}

}  // namespace ravelin::sched
