// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_wire.h"

#include <utility>

#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_schema.h"

namespace ravelin::firewall {
namespace {

config::Node* firewall_in(config::Node& tree) {
    for (auto& [name, pipeline] : tree.members())
        for (config::Node& stage : pipeline.items())
            for (auto& [stage_name, config] : stage.members())
                if (name == "pipeline" && stage_name == "firewall") return &config;
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

config::Node with_rules(config::Node config, config::Node rules) {
    if (config::Node* firewall = firewall_in(config)) firewall->set("rules", std::move(rules));
    return config;
}

}  // namespace ravelin::firewall
