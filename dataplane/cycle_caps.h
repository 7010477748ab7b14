// SPDX-License-Identifier: Apache-2.0
// CycleCaps: who has used more of one worker's time than its cap on `cpu` allows. The worker tells
// the cycles that were charged to everybody anyway; here they are debts, which time pays back. Who
// owes more than a burst is beyond its cap until it does not, and its packets are dropped early.
#pragma once
#include <span>
#include <vector>

#include "dataplane/principals.h"
#include "dataplane/sched/usage.h"

namespace ravelin {

class CycleCaps {
  public:
    using PrincipalId = sched::PrincipalId;

    CycleCaps() : states_(sched::kMaxPrincipals), beyond_(sched::kMaxPrincipals) {}
    /// Once a turn. `now`: of the clock; `usage` may lag behind (account.h). Every 2^16 cycles,
    /// some 20 us, at most 64 principals are looked at, those of the policy in turn.
    void follow(const Principals& principals, const sched::Usage& usage, uint64_t now) noexcept {
        if (principals.serial != serial_) [[unlikely]]
            change(principals, usage, now);
        if (!shares_.empty() && now - looked_ >= kPause) [[unlikely]]
            look(usage, now);
    }
    /// The policy in force has no principals, and those of before go: theirs may be others' memory.
    void forget() noexcept {
        serial_ = 0;
        shares_ = {};
        counted_ = {};
        beyond_count_ = 0;
    }
    /// Somebody is beyond a cap.
    [[nodiscard]] bool anybody() const noexcept { return beyond_count_ != 0; }
    /// Whether the principal or one above it is. Any id, also one that nobody has any more.
    [[nodiscard]] bool beyond(PrincipalId id) const noexcept {
        if (index(id) >= shares_.size()) return false;
        for (PrincipalId at = id; at != sched::kNoPrincipal; at = shares_[index(at)].above)
            if (beyond_[index(at)] != 0) return true;
        return false;
    }
    static size_t memory_bytes() noexcept {
        return sched::kMaxPrincipals * (sizeof(State) + sizeof(uint8_t));
    }

  private:
    static constexpr size_t kATurn = 64;
    static constexpr uint64_t kPause = 1 << 16;
    struct State {
        uint64_t seen = 0;   // cycles that were charged when it was last looked at
        uint64_t owed = 0;   // 2^-16 cycles: what a short time pays back is less than one
        uint64_t until = 0;  // cycles of the clock: paid back up to here
    };
    void change(const Principals& principals, const sched::Usage& usage, uint64_t now) noexcept;
    void look(const sched::Usage& usage, uint64_t now) noexcept;
    void settle(PrincipalId id, uint64_t cycles, uint64_t now) noexcept;

    uint64_t serial_ = 0;                           // of whom they are; 0: none
    std::span<const Principals::CpuShare> shares_;  // by id; empty: nobody has a cap
    std::span<const PrincipalId> counted_;
    size_t next_ = 0;      // of counted_
    uint64_t looked_ = 0;  // cycles of the clock: last
    std::vector<State> states_;
    std::vector<uint8_t> beyond_;
    unsigned beyond_count_ = 0;
};

}  // namespace ravelin
