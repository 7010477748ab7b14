// SPDX-License-Identifier: Apache-2.0
// FlowTable: flows that are counted, by their source and by their principal. Counts are not kept
// over a crash; the flags are, and the counts by source follow from them.
#include "dataplane/flow_table.h"
#include "dataplane/principal_flows.h"
#include "dataplane/source_counts.h"

namespace ravelin {

void FlowTable::count_with(SourceCounts& counts) noexcept {
    counts_ = &counts;
    uint32_t cursor = 0;
    for_each(cursor, capacity_, [&](Flow& flow) {
        uint8_t lost = flow.proven() ? uint8_t{kFlowBudgeted} : uint8_t{0};
        if ((flow.flags & kFlowCounted) != 0 && !counts.acquire(flow.originator(), flow.rule))
            lost |= kFlowCounted;
        const bool budgeted = (flow.flags & kFlowBudgeted) != 0 && !flow.proven();
        if (budgeted && !counts.acquire(flow.originator(), SourceCounts::kUnproven))
            lost |= kFlowBudgeted;
        flow.flags = static_cast<uint8_t>(flow.flags & ~lost);
    });
}

void FlowTable::uncount(Flow& flow, uint8_t flags) noexcept {
    const unsigned ends = flow.flags & flags;
    flow.flags = static_cast<uint8_t>(flow.flags & ~ends);
    if (counts_ == nullptr) return;
    if ((ends & kFlowCounted) != 0) counts_->release(flow.originator(), flow.rule);
    if ((ends & kFlowBudgeted) != 0) counts_->release(flow.originator(), SourceCounts::kUnproven);
}

void FlowTable::charge_to(Flow& flow, sched::PrincipalId id, bool counted) noexcept {
    const sched::PrincipalId before{flow.principal};
    flow.principal = static_cast<uint16_t>(index(id));
    if (principals_ == nullptr || (before == id && !counted)) return;
    if (before != sched::kCorePrincipal) principals_->release(before);
    if (id != sched::kCorePrincipal && !counted) principals_->acquire(id);
}

}  // namespace ravelin
