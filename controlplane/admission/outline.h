// SPDX-License-Identifier: Apache-2.0
// The quick test of one resource: each demand is counted exactly in its first steps and by a
// straight line from there (Albers and Slomka 2004), never below the exact demand. What it admits
// the exact test admits. Points lie sorted in blocks that know the least slack in them, so that a
// question passes over most of them; an answer taken (add, remove) costs one pass over all.
#pragma once
#include <vector>

#include "controlplane/admission/quantities.h"

namespace ravelin::admission {

class Outline {
  public:
    static constexpr int kSteps = 3;  ///< at most a third above the exact demand

    explicit Outline(const Supply& supply) : supply_(supply) { summarise(); }
    void add(const Demand& demand);
    void remove(const Demand& demand);
    [[nodiscard]] Outline with(const Supply& supply) const;

    /// Whether all here keep their deadlines; false says nothing.
    [[nodiscard]] bool fits() const;
    /// A deadline with which `newcomer` and all here keep theirs, near the least there is; more
    /// than `longest`: none was found, which says nothing. newcomer.deadline is not looked at.
    [[nodiscard]] Nanoseconds sufficient_deadline(const Demand& newcomer,
                                                  Nanoseconds longest) const;

  private:
    friend class Descent;
    static constexpr size_t kBlock = 64;
    /// From `at` on the demand is `work` units more and rises `rate` faster.
    struct Point {
        Nanoseconds at = 0;
        Work work = 0;      // units
        uint64_t rate = 0;  // units/s, 2^-20ths, rounded up; 0 but in the last step
        friend auto operator<=>(const Point&, const Point&) = default;
    };
    struct Run {
        Nanoseconds deadline = 0;
        Work work = 0;
        friend auto operator<=>(const Run&, const Run&) = default;
    };
    /// Where a pass down over the points is.
    struct Place {
        size_t points = 0;     // not yet passed
        Signed ahead = 0;      // their work less rate * at: units * 10^9, 2^-20ths
        Signed rate = 0;       // of them all: units/s, 2^-20ths
        size_t runs = 0;       // runs_ from here on may be in the way
        Work longest_run = 0;  // of these
    };
    struct Block {
        Place place;       // before its last point is passed
        Signed slack = 0;  // the least at a point of it: units * 10^9, 2^-20ths
    };
    static std::vector<Point> points_of(const Demand& demand);
    void summarise();
    /// Lets in the way who is due later than t.
    void meet_runs(Place& place, Nanoseconds t) const;
    void pass(Place& place) const;
    /// What is left in an interval of t, from the last point of `place` to the next.
    [[nodiscard]] Signed slack(const Place& place, Nanoseconds t) const;

    Supply supply_;
    std::vector<Point> points_;  // ascending
    std::vector<Run> runs_;      // ascending
    std::vector<Block> blocks_;  // of kBlock points each; the last begins at all points
    Place top_;
};

}  // namespace ravelin::admission
