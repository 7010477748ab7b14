// SPDX-License-Identifier: Apache-2.0
// Whom packets and flows are charged to: the rule says, else the address of who opened the flow,
// else the port it came in by. What the kernel opens is the box's own, and core's.
#include "pipelines/stages/firewall_judge.h"

namespace ravelin::firewall {

sched::PrincipalId Judge::charged(uint32_t slot, const PacketMeta& meta) const noexcept {
    if (meta.has(PacketMeta::kFromKernel)) return sched::kCorePrincipal;
    const sched::PrincipalId by_rule = policy_.principal_of(slot);
    if (by_rule != sched::kNoPrincipal) return by_rule;
    return meta.has(PacketMeta::kArp) ? classes_->bind(meta.in_port)
                                      : classes_->bind(meta.source, meta.in_port);
}

sched::PrincipalId Judge::charged(uint32_t slot, const Flow& flow) const noexcept {
    if (flow.in_port == kLocalPort) return sched::kCorePrincipal;
    const sched::PrincipalId by_rule = policy_.principal_of(slot);
    return by_rule != sched::kNoPrincipal ? by_rule
                                          : classes_->bind(flow.originator(), flow.in_port);
}

// The packet pays that found out; its flow is gone, but still lies where it was.
Outcome Judge::cut(const Subject& s, const Flow& flow) const noexcept {
    if (classes_ != nullptr) s.meta->principal = charged(s.meta->rule, flow);
    return Outcome::kFlowCut;
}

// A flow judged anew is charged to whom the policy in force says, beyond a cap or not.
void Judge::charge_again(Flow& flow) noexcept {
    const sched::PrincipalId id = charged(flow.rule, flow);
    if (context_.dry_run)
        flow.principal = static_cast<uint16_t>(index(id));
    else
        flows_.charge_to(flow, id);
}

namespace {

// Whose cap it is that has no room: for all that changes meanwhile, the nearest that has none.
Outcome beyond(sched::PrincipalId id, const Principals& principals) noexcept {
    for (; id != sched::kNoPrincipal; id = principals.table[id].parent) {
        const uint32_t cap = principals.table[id].caps.flows;
        if (cap == 0 || principals.flows->all(id) < cap) continue;
        const bool memory = !principals.by_memory.empty() && principals.by_memory[index(id)];
        return memory ? Outcome::kPrincipalMemory : Outcome::kPrincipalFlows;
    }
    return Outcome::kPrincipalFlows;
}

}  // namespace

// Counts the flow to come; charged_ says so, also if it is refused for another reason.
Outcome Judge::admit_principal(const Subject& s, const Rule& rule) noexcept {
    const Principals& principals = *context_.policy->principals;
    const sched::PrincipalId id = charged(rule.slot, *s.meta);
    s.meta->principal = id;
    if (id == sched::kCorePrincipal || principals.flows == nullptr) return Outcome::kPass;
    if (context_.dry_run)
        return principals.flows->has_room(id, principals.table) ? Outcome::kPass
                                                                : beyond(id, principals);
    charged_ = principals.flows->acquire(id, principals.table);
    return charged_ ? Outcome::kPass : beyond(id, principals);
}

}  // namespace ravelin::firewall
