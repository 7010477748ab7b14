// SPDX-License-Identifier: Apache-2.0
// Caps: one worker's buckets of principals whose bandwidth is capped, which lie with their accounts
// (sched/usage.h). Each worker has an even share of a cap, so nobody waits for another's count. In
// the virtual scheduling form of a token bucket (ITU-T I.371 annex A): what was taken is a time
// until which it is worked off.
#pragma once
#include "dataplane/cycle_caps.h"
#include "dataplane/principals.h"
#include "dataplane/sched/usage.h"

namespace ravelin {

class Caps {
  public:
    using PrincipalId = sched::PrincipalId;

    /// `usage` has kMaxPrincipals at least.
    explicit Caps(sched::Usage& usage) : usage_(usage) {}
    /// Whose hold from here on: those of the policy that is pinned. Debts made at another rate are
    /// at most a burst of the new one.
    void follow(const Principals& principals, uint64_t now_ns) noexcept {
        if (principals.serial != serial_) [[unlikely]]
            change(principals, now_ns);
    }
    /// The policy in force has no principals.
    void forget() noexcept {
        serial_ = 0;
        any_ = false;
        cycles_.forget();
    }
    /// Somebody has one.
    [[nodiscard]] bool any() const noexcept { return any_; }
    /// Takes `bytes` of what a principal and those above it may send, if all have them. A packet,
    /// of 64 KiB at most, may owe a part. Any id, also one that nobody has any more.
    [[nodiscard]] bool take(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept {
        if (index(id) >= sched::kMaxPrincipals) [[unlikely]]
            return true;
        sched::Bucket& bucket = usage_.bucket(id);
        if (bucket.rate.above != sched::kNoPrincipal) [[unlikely]]
            return take_of_all(id, bytes, now_ns);
        const uint64_t now = now_ns << 8, owed = owed_of(bucket, now);
        if (owed > bucket.rate.burst) return false;
        bucket.owed_until = now + owed + (bucket.rate.cost * bytes >> 16);
        return true;
    }
    /// The same of several packets at once; false: not all of them fit, and none is taken.
    [[nodiscard]] bool take_all(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept;
    /// Those on cpu, which the worker keeps count of.
    [[nodiscard]] CycleCaps& cycles() noexcept { return cycles_; }
    static size_t memory_bytes() noexcept { return CycleCaps::memory_bytes(); }

  private:
    void change(const Principals& principals, uint64_t now_ns) noexcept;
    [[nodiscard]] bool take_of_all(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept;
    template <typename Fits>
    bool take_if(PrincipalId id, uint32_t bytes, uint64_t now_ns, Fits&& fits) noexcept;
    /// How far ahead of now. What is further than a packet can lead to is of before the clock went
    /// round.
    static uint64_t owed_of(const sched::Bucket& bucket, uint64_t now) noexcept {
        const uint64_t ahead = bucket.owed_until - now;
        return ahead <= bucket.rate.burst + bucket.rate.cost ? ahead : 0;
    }

    sched::Usage& usage_;
    uint64_t serial_ = 0;   // of those that hold; 0: none
    uint32_t reached_ = 0;  // buckets from here on have no cap
    bool any_ = false;
    CycleCaps cycles_;
};

}  // namespace ravelin
