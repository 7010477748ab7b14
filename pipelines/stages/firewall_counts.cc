// SPDX-License-Identifier: Apache-2.0
// Flows that count for their source: for the rule that accepts them, and until they are answered.
#include "dataplane/source_counts.h"
#include "pipelines/stages/firewall_judge.h"

namespace ravelin::firewall {

// Counts the flow to come wherever it counts; counted_ says where, also if it is refused.
// `shown`: its source has answered, so the budget for those that have not is none of its business.
Outcome Judge::admit(const Subject& s, const Rule& rule, Outcome so_far, bool shown) noexcept {
    SourceCounts* counts = flows_.counts();
    counted_ = ask_.counted ? uint8_t{kFlowCounted} : uint8_t{0};
    if (so_far != Outcome::kPass) return so_far;
    if (counts != nullptr && rule.counted && counted_ == 0 && !context_.dry_run &&
        counts->acquire(s.meta->source, rule.slot))
        counted_ = kFlowCounted;
    return shown ? Outcome::kPass : admit_unproven(s);
}

Outcome Judge::admit_unproven(const Subject& s) noexcept {
    const UnprovenBudget& budget = policy_.unproven;
    SourceCounts* counts = flows_.counts();
    const bool own = s.meta->has(PacketMeta::kFromKernel);
    if (budget.per_source != 0 && counts != nullptr && !own) {
        constexpr uint32_t kKind = SourceCounts::kUnproven;
        const bool within = context_.dry_run
                                ? counts->count(s.meta->source, kKind) < budget.per_source
                                : counts->acquire(s.meta->source, kKind, budget.per_source);
        if (!within) return Outcome::kUnprovenSource;
        if (!context_.dry_run) counted_ |= kFlowBudgeted;
    }
    const uint64_t most = uint64_t{flows_.capacity()} * budget.percent / 100;
    if (budget.percent == 100 || flows_.unproven() < most) return Outcome::kPass;
    if (budget.drop || flows_.oldest_unproven() == nullptr) return Outcome::kUnprovenBudget;
    if (!context_.dry_run) {
        flows_.shed();
        changed_ = true;
    }
    return Outcome::kPass;
}

void Judge::withdraw(const Subject& s, const Rule& rule) noexcept {
    SourceCounts* counts = flows_.counts();
    if ((counted_ & kFlowCounted) != 0) counts->release(s.meta->source, rule.slot);
    if ((counted_ & kFlowBudgeted) != 0) counts->release(s.meta->source, SourceCounts::kUnproven);
    counted_ = 0;
    if (charged_) context_.policy->principals->flows->release(s.meta->principal);
    charged_ = false;
}

// The flow goes over to the rule that accepts it now, beyond its number or not.
void Judge::recount(Flow& flow, const Rule& rule) noexcept {
    const bool accepted = rule.action == Action::kAccept;
    const uint32_t slot = accepted ? rule.slot : kNoRule;
    const bool counted = (flow.flags & kFlowCounted) != 0;
    const bool to_count = accepted && rule.counted;
    if (!context_.dry_run && (counted || to_count)) {
        SourceCounts* counts = flows_.counts();
        flows_.uncount(flow, kFlowCounted);
        if (to_count && counts != nullptr && counts->acquire(flow.originator(), slot))
            flow.flags = static_cast<uint8_t>(flow.flags | kFlowCounted);
    }
    flow.rule = slot;
    if (classes_ != nullptr) charge_again(flow);
}

}  // namespace ravelin::firewall
