// SPDX-License-Identifier: Apache-2.0
#include "controlplane/live/rule_script.h"

#include <string_view>
#include <unordered_map>

#include "pipelines/model/tree_codec.h"

namespace ravelin::control {
namespace {

using config::Node;

std::string_view name_of(const Node& rule) { return rule["name"].as_text(); }

}  // namespace

const std::vector<Node>& rule_nodes(const Node& tree) {
    static const std::vector<Node> none;
    for (const Node& stage : tree["pipeline"].items())
        if (stage.has("firewall")) return stage["firewall"]["rules"].items();
    return none;
}

std::vector<model::RuleChange> rule_script(const Node& given, const Node& now) {
    const auto &before = rule_nodes(given), &after = rule_nodes(now);
    std::unordered_map<std::string_view, size_t> place;
    for (size_t i = 0; i < before.size(); ++i) place.emplace(name_of(before[i]), i);
    std::vector<bool> kept(before.size(), false), stays(after.size(), false);
    size_t next = 0;  // rules that stay do so in order
    for (size_t i = 0; i < after.size(); ++i) {
        const auto at = place.find(name_of(after[i]));
        if (at == place.end() || at->second < next || before[at->second] != after[i]) continue;
        kept[at->second] = stays[i] = true;
        next = at->second + 1;
    }
    std::vector<model::RuleChange> out;
    for (size_t i = 0; i < before.size(); ++i)
        if (!kept[i]) out.emplace_back().set_remove(std::string(name_of(before[i])));
    for (size_t i = 0; i < after.size(); ++i) {
        if (stays[i]) continue;
        model::RuleChange& add = out.emplace_back();
        model::encode(after[i], *add.mutable_add());
        add.set_place(i == 0 ? model::RuleChange::FIRST : model::RuleChange::AFTER);
        if (i != 0) add.set_anchor(std::string(name_of(after[i - 1])));
    }
    return out;
}

}  // namespace ravelin::control
