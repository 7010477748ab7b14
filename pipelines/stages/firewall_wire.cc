// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_wire.h"

#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_schema.h"

namespace ravelin::firewall {
namespace {

config::Node* rules_in(config::Node& tree) {
    for (auto& [name, pipeline] : tree.members())
        for (config::Node& stage : pipeline.items())
            for (auto& [stage_name, config] : stage.members())
                for (auto& [member, value] : config.members())
                    if (name == "pipeline" && stage_name == "firewall" && member == "rules")
                        return &value;
    return nullptr;
}

}  // namespace

Result<RuleEdit> read_edit(const model::RuleChange& change) {
    RuleEdit edit;
    edit.anchor = change.anchor();
    edit.remove = change.remove();
    if (change.place() < model::RuleChange::LAST || change.place() > model::RuleChange::AFTER)
        return Error{"rule: found an unknown place"};
    edit.place = static_cast<RuleEdit::Place>(change.place());
    if (!change.has_add()) return edit;
    auto rule = model::decode(change.add());
    if (!rule) return std::move(rule.error());
    if (auto s = config::conforms(*rule, kRuleSchema, nullptr); !s) return std::move(s.error());
    if (!rule->has("slot")) return Error{"rule: has no slot"};
    edit.rule = std::move(*rule);
    return edit;
}

Result<config::Node> with_rules(config::Node config, const RuleChanges& changes) {
    config::Node* rules = rules_in(config);
    if (rules == nullptr && !changes.empty()) return Error{"the policy has no firewall"};
    for (const model::RuleChange& change : changes) {
        auto edit = read_edit(change);
        if (!edit) return std::move(edit.error());
        if (auto s = edit_rules(*rules, *edit); !s) return std::move(s.error());
    }
    return config;
}

}  // namespace ravelin::firewall
