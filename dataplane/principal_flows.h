// SPDX-License-Identifier: Apache-2.0
// PrincipalFlows: how many flows are charged to each principal, and to all below it. One table for
// all workers, so that a cap holds for the box and not for a worker's share. Written only where a
// flow of a principal begins or ends; flows that are nobody's count for `core` and are not counted.
#pragma once
#include <atomic>
#include <cstddef>
#include <vector>

#include "dataplane/sched/principal.h"

namespace ravelin {

class PrincipalFlows {
  public:
    using PrincipalId = sched::PrincipalId;
    PrincipalFlows() : counts_(sched::kMaxPrincipals) {}

    /// One more, whatever the caps say. Not of `core`.
    void acquire(PrincipalId id) noexcept;
    /// One more, unless the cap of the principal or of one above it is reached. `table`: the
    /// policy's, whose caps count.
    [[nodiscard]] bool acquire(PrincipalId id, const sched::PrincipalTable& table) noexcept;
    /// Whether that would be granted.
    [[nodiscard]] bool has_room(PrincipalId id, const sched::PrincipalTable& table) const noexcept;
    void release(PrincipalId id) noexcept;
    /// Its own, without those below it.
    [[nodiscard]] uint32_t own(PrincipalId id) const noexcept {
        return counts_[index(id)].own.load(std::memory_order_relaxed);
    }
    [[nodiscard]] uint32_t all(PrincipalId id) const noexcept {
        return counts_[index(id)].all.load(std::memory_order_acquire);
    }
    /// Control thread, while a policy with this table is built: who is above whom. Nothing changes
    /// for names that are in force, be the new policy published or not: they keep what is above
    /// them, and PrincipalTable::build gives no id away that is theirs or has flows.
    void take_order(const sched::PrincipalTable& table) noexcept;
    [[nodiscard]] size_t memory_bytes() const noexcept { return counts_.size() * sizeof(Count); }

  private:
    struct alignas(16) Count {  // four to a cache line, none in two
        std::atomic<uint32_t> own{0}, all{0};
        std::atomic<uint32_t> above{index(sched::kNoPrincipal)};
    };
    [[nodiscard]] PrincipalId above(PrincipalId id) const noexcept {
        return PrincipalId{counts_[index(id)].above.load(std::memory_order_relaxed)};
    }
    void drop_all(PrincipalId from, PrincipalId end) noexcept;

    std::vector<Count> counts_;
};

}  // namespace ravelin
