// SPDX-License-Identifier: Apache-2.0
// Sums of work over time, W_1/d_1 + W_2/d_2 + ..., against a capacity (requirements S36 to S38):
// decided as in exact arithmetic, in 128 bits but for sums so near the capacity that these do not
// tell. Taking back what was given restores the sum to the bit.
#pragma once
#include <map>

#include "controlplane/admission/quantities.h"

namespace ravelin::admission {

class Shares {
  public:
    /// work: units; time: ns, > 0; at most kMostWork units/s together.
    void add(Work work, Nanoseconds time);
    /// Of what was added before.
    void remove(Work work, Nanoseconds time);

    /// Whether the sum and work/time together are at most `capacity` (units/s). Equality fits.
    [[nodiscard]] bool fits(Work capacity, Work work, Nanoseconds time) const;
    /// The least whole number of ns with which `work` fits: d_min = W/R (S37), rounded against the
    /// applicant. More than `longest`: it does not fit within that.
    [[nodiscard]] Nanoseconds least_time(Work capacity, Work work, Nanoseconds longest) const;
    /// Units/s in 2^-64ths, rounded down: less than size() of these too low.
    [[nodiscard]] Wide sum() const { return sum_; }
    [[nodiscard]] size_t size() const { return size_; }

  private:
    [[nodiscard]] bool fits_exactly(Work capacity, Work work, Nanoseconds time) const;
    Wide sum_ = 0;  // of the shares, each rounded down
    size_t size_ = 0;
    size_t rounded_ = 0;                // how many were
    std::map<Nanoseconds, Wide> work_;  // by time
};

/// ceil(work * 10^9 * 2^64 / rate) where rate is in units/s and 2^-64ths; at most `most` + 1.
Nanoseconds time_for(Wide work, Wide rate, Nanoseconds most);

}  // namespace ravelin::admission
