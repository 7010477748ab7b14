// SPDX-License-Identifier: Apache-2.0
// Live changes of rules as the control plane sends them, from the words of a configuration.
#pragma once
#include <stdexcept>
#include <string>

#include "control.pb.h"
#include "controlplane/config/yaml_loader.h"
#include "dataplane/process/policy_store.h"
#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_schema.h"

namespace ravelin::test {

/// When no change has come for long: what waits is merged.
inline constexpr Now kInAPause{.ns = UINT64_MAX};

/// A rule such as `{name: stop, action: drop}` that counts in `slot`, placed last. Throws with what
/// is wrong.
inline model::RuleChange rule_added(const std::string& text, uint32_t slot,
                                    const config::Node& sets = {}) {
    auto rule = config::load_map(text, "rule", firewall::kRuleSchema, sets);
    if (!rule) throw std::runtime_error(rule.error().message);
    rule->set("slot", config::Node::integer(slot));
    model::RuleChange change;
    model::encode(*rule, *change.mutable_add());
    return change;
}

inline model::RuleChange rule_removed(const std::string& name) {
    model::RuleChange change;
    change.set_remove(name);
    return change;
}

/// The change of the generation in force that comes next.
inline Status change_rule(PolicyStore& store, const model::RuleChange& rule,
                          const Paths& keep = {}) {
    model::LiveChange change;
    change.set_generation(store.current()->generation);
    change.set_serial(store.live().serial() + 1);
    *change.add_rules() = rule;
    const Now now = Now::read();
    return store.change(change, now, now.ns, keep);
}

}  // namespace ravelin::test
