// SPDX-License-Identifier: Apache-2.0
// The exact test of one resource under earliest deadline first: in no interval of length t may the
// work that arrives and is due within it exceed what the resource does in t (Baruah, Mok, Rosier
// 1990). A run that cannot be interrupted delays by its length whoever is due before it (George,
// Rivierre, Spuri 1996). Walked from the far end down, as Zhang and Burns 2009 do (QPA), so that
// few t are looked at; on the way down the least deadline of a newcomer is found.
#pragma once
#include <utility>
#include <vector>

#include "controlplane/admission/shares.h"

namespace ravelin::admission {

/// What a walk may still cost, in demands looked at (1 to 2 ns each). Spent: the walk gives up.
struct Effort {
    static constexpr int64_t kDefault = 50'000'000;
    int64_t left = kDefault;
};

class DemandBound {
  public:
    using Slot = uint32_t;

    Slot add(const Demand& demand);
    void remove(Slot slot);
    [[nodiscard]] size_t size() const { return deadline_.size() - free_.size(); }
    [[nodiscard]] Demand demand(Slot slot) const {
        return {work_[slot], burst_[slot], period_[slot], deadline_[slot]};
    }
    [[nodiscard]] const Shares& rates() const { return rates_; }  ///< of work over period

    enum class Answer : uint8_t { kFits, kNever, kUndecided };
    struct Least {
        Answer answer = Answer::kNever;
        Nanoseconds deadline = 0;  ///< of kFits
    };
    /// The least deadline with which `newcomer` and all here keep theirs; kNever when there is none
    /// up to `longest`. newcomer.deadline is not looked at.
    [[nodiscard]] Least least_deadline(const Demand& newcomer, const Supply& supply,
                                       Nanoseconds longest, Effort& effort) const;

    /// Whether all here keep their deadlines.
    [[nodiscard]] Answer fits(const Supply& supply, Effort& effort) const;

    /// The most units that arrive and are due within t ns.
    [[nodiscard]] Wide due_within(Nanoseconds t) const;

    /// Steps of the longest run of those due later than t: (deadline, work), falling in deadline,
    /// rising in work. That a packet may come before its release changes nothing: packets of one
    /// reservation go in order, so what runs first is due first and adds to the demand instead.
    using Stairs = std::vector<std::pair<Nanoseconds, Work>>;
    [[nodiscard]] Stairs stairs() const;

  private:
    friend class Walk;
    void put(Slot slot, const Demand& demand);
    [[nodiscard]] Nanoseconds horizon(const Demand& newcomer, const Supply& supply,
                                      Nanoseconds least, Nanoseconds longest) const;
    // By slot; a free one has no work and a deadline that never comes.
    std::vector<Nanoseconds> deadline_, period_;
    std::vector<Work> work_;
    std::vector<uint32_t> burst_;
    std::vector<Slot> free_;
    Shares rates_;  // work over period
};

}  // namespace ravelin::admission
