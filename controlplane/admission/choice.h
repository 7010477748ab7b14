// SPDX-License-Identifier: Apache-2.0
// One decision: does a request fit, and how is its deadline split over its resources. Three tests,
// cheapest first where the answer is the same: the paper's sum, the outline, the exact bound.
// Whoever the paper's test admits with nothing in the way (preemptive, no core demand, no wake-up)
// the others admit, with the paper's split: so what they admit is never less.
#pragma once
#include <optional>
#include <span>
#include <vector>

#include "controlplane/admission/book.h"

namespace ravelin::admission {

enum class Test : uint8_t { kPaper, kOutline, kExact };

struct Rules {
    /// False: only the paper's test (S36 to S38). It knows neither runs that cannot be interrupted
    /// nor wake-up: for comparison, not for a box in service.
    bool exact = true;
    Relaxation relaxation = equal_utilisation;
    int64_t effort = Effort::kDefault;  ///< of one decision; nearest contracts take two more
};

/// What a request asks of one resource; demand.deadline is what is to be found.
struct Part {
    const Book* book = nullptr;
    Demand demand;
};

struct Choice {
    std::vector<Nanoseconds> times;  ///< of the parts, together at most `time`; empty: refused
    Test by = Test::kPaper;
    // Of a refusal:
    std::vector<Nanoseconds> least;  ///< what each needs; above `time` where that is not enough
    size_t binding = 0;              ///< the part that needs the most
    bool rate = false;               ///< it has not the units/s, whatever the deadline
    bool undecided = false;          ///< the effort ran out: refused, as it could not be shown
    [[nodiscard]] bool fits() const { return !times.empty(); }
};

/// Parts in the order of the path; time: ns for all of them together, > 0.
/// What the exact test does is taken from `effort`: once that is spent, the outline decides alone.
Choice choose(std::span<const Part> parts, Nanoseconds time, const Rules& rules, Effort& effort);
/// Nothing where `least` leaves the criterion no split of `time`.
std::vector<Nanoseconds> relaxed(std::span<const Part> parts, const std::vector<Nanoseconds>& least,
                                 Nanoseconds time, const Rules& rules);

/// The nearest that would fit, each with the rest as asked for; none: there is no such.
struct Nearest {
    std::optional<Nanoseconds> time;    ///< the shortest
    std::optional<Nanoseconds> period;  ///< the shortest
    std::optional<Work> work;           ///< of the binding part, the most; units a packet
    // The effort ran out: what stands above fits, but one still nearer may too.
    bool perhaps_shorter = false;  ///< time
    bool perhaps_faster = false;   ///< period
    bool perhaps_more = false;     ///< work
    [[nodiscard]] bool any() const { return time || period || work; }
    [[nodiscard]] bool cut_short() const {
        return perhaps_shorter || perhaps_faster || perhaps_more;
    }
};

/// Of parts that choose() refused, by `binding`. Some 100 questions to the outline and, of the
/// exact test, twice rules.effort at most.
Nearest nearest(std::span<const Part> parts, Nanoseconds time, size_t binding, const Rules& rules);

}  // namespace ravelin::admission
