// SPDX-License-Identifier: Apache-2.0
// Discipline: what happens to a function that burns more than it stated for one principal. Charging
// alone keeps others whole in the long run; this bounds what a single run can do to them.
#pragma once
#include <algorithm>
#include <cstdint>

namespace ravelin::sched {

struct DisciplineLimits {
    uint32_t tolerance_percent = 25;  ///< beyond what was stated
    uint8_t strikes_to_single = 4;    ///< then one packet a run, until all strikes are gone
    uint8_t strikes_to_suspend = 64;  ///< 0: never
};

class Discipline {
  public:
    /// One run of `packets` took `cycles`; `stated` a packet (0: nothing stated, nothing to
    /// break), `interrupted` at its limit. True: it overran.
    bool judge(uint64_t stated, uint64_t cycles, unsigned packets, bool interrupted,
               const DisciplineLimits& limits) noexcept {
        const uint64_t each = std::min<uint64_t>(cycles / std::max(packets, 1u), UINT32_MAX);
        estimate_ = static_cast<uint32_t>(estimate_ == 0 ? std::max<uint64_t>(each, 1)
                                                         : (uint64_t{estimate_} * 7 + each) / 8);
        const uint64_t allowed = stated * std::max(packets, 1u);
        const bool overran =
            stated != 0 &&
            (interrupted || cycles > allowed + allowed / 100 * limits.tolerance_percent);
        if (overran) {
            if (strikes_ != UINT8_MAX) ++strikes_;
            if (!interrupted) believe(static_cast<uint32_t>(each));
        } else {
            if (strikes_ != 0) --strikes_;
            believed_ -= (believed_ + 7) / 8;
            repeated_ -= (repeated_ + 7) / 8;
        }
        single_ = strikes_ != 0 && (single_ || strikes_ >= limits.strikes_to_single);
        suspended_ = limits.strikes_to_suspend != 0 && strikes_ >= limits.strikes_to_suspend;
        return overran;
    }
    /// Cycles that a packet is reckoned to take; at least 1.
    [[nodiscard]] uint64_t expected(uint64_t stated) const {
        return std::max(
            {stated, uint64_t{believed_}, stated == 0 ? uint64_t{estimate_} : 0, uint64_t{1}});
    }
    /// What must be paid before: stated, or what it took instead twice of late. Once may have been
    /// the machine, and is paid for already: to be due later by as much, for dozens of packets
    /// until it is forgotten, would be paying again.
    [[nodiscard]] uint64_t owed(uint64_t stated) const {
        return std::max(stated, uint64_t{repeated_});
    }
    /// Packet by packet; so is the first of a function that says nothing of what it takes.
    [[nodiscard]] bool single(uint64_t stated) const {
        return single_ || (stated == 0 && estimate_ == 0 && believed_ == 0);
    }
    [[nodiscard]] bool suspended() const { return suspended_; }

  private:
    void believe(uint32_t each) noexcept {
        repeated_ = std::max(repeated_, std::min(believed_, each));
        believed_ = std::max(believed_, each);
    }

    uint32_t estimate_ = 0;
    uint32_t believed_ = 0, repeated_ = 0;  ///< what it took beyond: of late, and before that too
    uint8_t strikes_ = 0;
    bool single_ = false, suspended_ = false;
};

}  // namespace ravelin::sched
