// SPDX-License-Identifier: Apache-2.0
#include "controlplane/admission/descent.h"

#include <algorithm>
#include <limits>

namespace ravelin::admission {

/// The least deadline in [t, next] that leaves enough from t on, where t is the last point of
/// place_ and nothing was missing from `next` on.
void Descent::settle(Nanoseconds t, Nanoseconds next) {
    const Signed here = outline_.slack(place_, t);
    if (deadline_ <= t) {
        if (first_ + rate_ * (t - deadline_) <= here) return;
        if (first_ <= here) {
            deadline_ = t - static_cast<Nanoseconds>((here - first_) / rate_);
            return;
        }
        deadline_ = t;
    }
    const Signed missing = first_ - here;
    const Signed slope = scaled_supply(outline_.supply_) - place_.rate;
    if (missing <= slope * (deadline_ - t)) return;
    const Signed wait = slope > 0 ? static_cast<Signed>(ceil_div(Wide(missing), Wide(slope)))
                                  : static_cast<Signed>(next - t);
    deadline_ = static_cast<Nanoseconds>(std::min<Signed>(t + wait, next));
}

/// Whether all points of the block leave enough for the newcomer as it is.
bool Descent::has_room(size_t block) const {
    const Nanoseconds first = outline_.points_[block * Outline::kBlock].at;
    const Nanoseconds last = outline_.points_[outline_.blocks_[block].place.points - 1].at;
    return deadline_ <= first &&
           first_ + rate_ * (last - deadline_) <= outline_.blocks_[block].slack;
}

Nanoseconds Descent::run(Nanoseconds least, Nanoseconds longest) {
    const Nanoseconds none = longest + 1;
    if (place_.rate + rate_ > scaled_supply(outline_.supply_)) return none;
    deadline_ = least;
    Nanoseconds next = std::numeric_limits<Nanoseconds>::max() / 2;
    for (;;) {
        const size_t blocks = (place_.points + Outline::kBlock - 1) / Outline::kBlock;
        if (place_.points == blocks * Outline::kBlock || place_.points == outline_.points_.size()) {
            if (blocks > 0) place_ = outline_.blocks_[blocks - 1].place;
            if (blocks > 1 && has_room(blocks - 1)) {
                next = outline_.points_[(blocks - 1) * Outline::kBlock].at;
                place_ = outline_.blocks_[blocks - 2].place;
                continue;
            }
        }
        const Nanoseconds t = place_.points > 0 ? outline_.points_[place_.points - 1].at : 0;
        outline_.meet_runs(place_, t);
        if (t < next) settle(t, next);
        if (deadline_ > longest) return none;
        if (deadline_ > t || place_.points == 0) return others_survive() ? deadline_ : none;
        outline_.pass(place_);
        next = t;
    }
}

/// Whether those due before the newcomer bear that it may be in their way.
bool Descent::others_survive() {
    if (outline_.supply_.preemptive) return true;
    while (place_.points > 0) {
        const Nanoseconds t = outline_.points_[place_.points - 1].at;
        outline_.meet_runs(place_, t);
        if (place_.longest_run >= work_) return true;  // so are others, for longer
        const Signed more = scaled(work_) - scaled(place_.longest_run);
        if (t < deadline_ && outline_.slack(place_, t) < more) return false;
        const size_t block = place_.points / Outline::kBlock;
        if (place_.points % Outline::kBlock == 1 && block > 0) {
            size_t below = block;  // blocks whose least slack bears it are passed at once
            while (below > 0 && outline_.blocks_[below - 1].slack >= scaled(work_)) --below;
            if (below == 0) return true;
            place_ = outline_.blocks_[below - 1].place;
            continue;
        }
        outline_.pass(place_);
    }
    return true;
}

}  // namespace ravelin::admission
