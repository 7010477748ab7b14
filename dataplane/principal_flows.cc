// SPDX-License-Identifier: Apache-2.0
#include "dataplane/principal_flows.h"

namespace ravelin {

using sched::kNoPrincipal;

void PrincipalFlows::acquire(PrincipalId id) noexcept {
    counts_[index(id)].own.fetch_add(1, std::memory_order_relaxed);
    for (; id != kNoPrincipal; id = above(id))
        counts_[index(id)].all.fetch_add(1, std::memory_order_relaxed);
}

bool PrincipalFlows::acquire(PrincipalId id, const sched::PrincipalTable& table) noexcept {
    // Who is beyond a cap writes nothing: a flood would move the line from worker to worker.
    if (!has_room(id, table)) return false;
    for (PrincipalId at = id; at != kNoPrincipal; at = above(at)) {
        const uint32_t before = counts_[index(at)].all.fetch_add(1, std::memory_order_relaxed);
        const uint32_t cap = table[at].caps.flows;
        if (cap == 0 || before < cap) continue;
        drop_all(id, above(at));
        return false;
    }
    counts_[index(id)].own.fetch_add(1, std::memory_order_relaxed);
    return true;
}

bool PrincipalFlows::has_room(PrincipalId id, const sched::PrincipalTable& table) const noexcept {
    for (; id != kNoPrincipal; id = above(id))
        if (const uint32_t cap = table[id].caps.flows; cap != 0 && all(id) >= cap) return false;
    return true;
}

void PrincipalFlows::release(PrincipalId id) noexcept {
    counts_[index(id)].own.fetch_sub(1, std::memory_order_relaxed);
    drop_all(id, kNoPrincipal);
}

// With its last flow an id may be given away, and have another above it.
void PrincipalFlows::drop_all(PrincipalId from, PrincipalId end) noexcept {
    while (from != end) {
        const PrincipalId next = above(from);
        counts_[index(from)].all.fetch_sub(1, std::memory_order_release);
        from = next;
    }
}

void PrincipalFlows::take_order(const sched::PrincipalTable& table) noexcept {
    for (uint32_t i = sched::kFirstPrincipal; i < table.size(); ++i) {
        const auto& entry = table[PrincipalId{i}];
        if (!entry.name.empty())
            counts_[i].above.store(index(entry.parent), std::memory_order_relaxed);
    }
}

}  // namespace ravelin
