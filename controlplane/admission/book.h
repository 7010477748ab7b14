// SPDX-License-Identifier: Apache-2.0
// What is promised on one resource, kept as each of the three tests wants it: the paper's sum
// (shares.h), the outline (outline.h) and the exact demand bound (demand_bound.h).
#pragma once
#include "controlplane/admission/demand_bound.h"
#include "controlplane/admission/outline.h"
#include "controlplane/admission/shares.h"
#include "controlplane/admission/split.h"

namespace ravelin::admission {

class Book {
  public:
    explicit Book(Resource resource)
        : resource_(std::move(resource)), supply_(supply_of(resource_)), outline_(supply_) {}

    DemandBound::Slot add(const Demand& demand);
    /// Restores to the bit what was before it was added.
    void remove(DemandBound::Slot slot);

    /// The same promises on a resource that became `resource`, kept or not.
    [[nodiscard]] Book with(Resource resource) const;

    /// d_min of the paper (S37), for demands of any deadline: who has longer than its period is
    /// counted with the period, else W/d would be less than it uses. Above `longest`: none.
    [[nodiscard]] Nanoseconds paper_least(const Demand& newcomer, Nanoseconds longest) const;
    [[nodiscard]] Nanoseconds outline_least(const Demand& newcomer, Nanoseconds longest) const {
        return outline_.sufficient_deadline(newcomer, longest);
    }
    [[nodiscard]] DemandBound::Least exact_least(const Demand& newcomer, Nanoseconds longest,
                                                 Effort& effort) const {
        return bound_.least_deadline(newcomer, supply_, longest, effort);
    }
    /// Whether all here keep their deadlines, in whatever order they came.
    [[nodiscard]] bool keeps(Effort& effort) const {
        return outline_.fits() || bound_.fits(supply_, effort) == DemandBound::Answer::kFits;
    }
    [[nodiscard]] Load load_of(const Demand& newcomer, Nanoseconds least) const;

    [[nodiscard]] bool has_rate_for(const Demand& newcomer) const {
        return bound_.rates().fits(supply_.rate, newcomer.work, newcomer.period);
    }
    [[nodiscard]] const Resource& resource() const { return resource_; }
    [[nodiscard]] const Supply& supply() const { return supply_; }
    [[nodiscard]] const Shares& shares() const { return shares_; }
    [[nodiscard]] const DemandBound& bound() const { return bound_; }

  private:
    Resource resource_;
    Supply supply_;
    Shares shares_;
    Outline outline_;
    DemandBound bound_;
};

}  // namespace ravelin::admission
