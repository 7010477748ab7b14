// SPDX-License-Identifier: Apache-2.0
// One question to an outline: a pass from its last point down. Between two points demand and
// supply are straight lines and the supply is the steeper one, so only points are looked at.
#pragma once
#include "controlplane/admission/outline.h"

namespace ravelin::admission {

class Descent {
  public:
    Descent(const Outline& outline, const Demand& newcomer)
        : outline_(outline),
          work_(newcomer.work),
          first_(scaled(Wide{newcomer.work} * newcomer.burst)),
          rate_(scaled_rate(newcomer.work, newcomer.period)),
          place_(outline.top_) {}

    /// `least`: a deadline below which there is none.
    Nanoseconds run(Nanoseconds least, Nanoseconds longest);

  private:
    [[nodiscard]] bool has_room(size_t block) const;
    void settle(Nanoseconds t, Nanoseconds next);
    [[nodiscard]] bool others_survive();

    const Outline& outline_;
    Work work_;
    Signed first_, rate_;  // the newcomer's packets that come at once, and all: as Point
    Outline::Place place_;
    Nanoseconds deadline_ = 0;
};

}  // namespace ravelin::admission
