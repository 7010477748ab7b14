// SPDX-License-Identifier: Apache-2.0
// One walk down the demand bound of a resource (demand_bound.h).
#pragma once
#include "controlplane/admission/demand_bound.h"

namespace ravelin::admission {

class Walk {
  public:
    Walk(const DemandBound& set, const Demand& newcomer, const Supply& supply);
    /// From t = horizon down. The newcomer's deadline begins at `least` and grows as it must.
    DemandBound::Least run(Nanoseconds horizon, Nanoseconds least, Nanoseconds longest,
                           Effort& effort);

  private:
    [[nodiscard]] Wide due_within(Nanoseconds t) const;
    [[nodiscard]] Work run_in_the_way(Nanoseconds t) const;
    [[nodiscard]] Nanoseconds same_run_down_to(Nanoseconds t) const;
    [[nodiscard]] Nanoseconds needed_for(Wide work) const;
    bool give_way(Nanoseconds t, Nanoseconds longest);

    const DemandBound& set_;
    Demand newcomer_;
    Supply supply_;
    DemandBound::Stairs stairs_;
};

}  // namespace ravelin::admission
