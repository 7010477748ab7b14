// SPDX-License-Identifier: Apache-2.0
// Caps: one worker's buckets of principals whose bandwidth is capped. Each worker has an even share
// of a cap, so nobody waits for another's count. In the virtual scheduling form of a token bucket
// (ITU-T I.371 annex A): what was taken is a time until which it is worked off.
#pragma once
#include <span>
#include <vector>

#include "dataplane/cycle_caps.h"
#include "dataplane/principals.h"

namespace ravelin {

class Caps {
  public:
    using PrincipalId = sched::PrincipalId;

    Caps() : owed_until_(sched::kMaxPrincipals) {}
    /// Whose hold from here on: those of the policy that is pinned. Debts made at another rate are
    /// at most a burst of the new one.
    void follow(const Principals& principals, uint64_t now_ns) noexcept {
        if (principals.rates.data() != rates_.data()) [[unlikely]]
            change(principals.rates, now_ns);
        rates_ = principals.rates;
    }
    /// Somebody has one.
    [[nodiscard]] bool any() const noexcept { return !rates_.empty(); }
    /// Takes `bytes` of what a principal and those above it may send, if all have them.
    [[nodiscard]] bool take(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept;
    /// The same of several packets at once; false: not all of them fit, and none is taken.
    [[nodiscard]] bool take_all(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept;
    /// Those on cpu, which the worker keeps count of.
    [[nodiscard]] CycleCaps& cycles() noexcept { return cycles_; }
    /// Asks for the memory that take() reads. Any id, also one that nobody has any more.
    void fetch(PrincipalId id) const noexcept {
        __builtin_prefetch(rates_.data() + index(id));
        __builtin_prefetch(owed_until_.data() + index(id), 1);
    }
    static size_t memory_bytes() noexcept {
        return sched::kMaxPrincipals * sizeof(uint64_t) + CycleCaps::memory_bytes();
    }

  private:
    void change(std::span<const Principals::Rate> rates, uint64_t now_ns) noexcept;
    [[nodiscard]] uint64_t owed(uint32_t id, uint64_t now) const noexcept;
    template <typename Fits>
    bool take_if(PrincipalId id, uint32_t bytes, uint64_t now_ns, Fits&& fits) noexcept;

    std::span<const Principals::Rate> rates_;  // by id; empty: nobody has a cap
    // By id, in the time of rates_, which wraps around after 834 days.
    std::vector<uint64_t> owed_until_;
    CycleCaps cycles_;
};

}  // namespace ravelin
