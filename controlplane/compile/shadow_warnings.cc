// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/shadow_warnings.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "pipelines/stages/firewall_rules.h"
#include "pipelines/tables/shadow.h"

namespace ravelin::control {
namespace {

using config::Node;
using firewall::NamedRule;

/// Name -> index in the file; a rule that is not there is built in.
std::map<std::string, size_t> indices_of(const Node& rules) {
    std::map<std::string, size_t> out;
    for (size_t i = 0; i < rules.items().size(); ++i) out[rules.items()[i]["name"].as_text()] = i;
    return out;
}

/// Rule -> the rule that covers it. Where a rule is two to the classifier, both must be covered.
std::map<uint32_t, uint32_t> shadowed_of(std::span<const NamedRule> rules) {
    const firewall::ClassifierInput input = firewall::classifier_input(rules);
    std::map<uint32_t, size_t> parts, covered;
    for (const uint32_t origin : input.origin) ++parts[origin];
    std::map<uint32_t, uint32_t> out;
    std::vector<bool> partial;
    for (const uint32_t origin : input.origin) partial.push_back(!rules[origin].exact());
    for (const ShadowedRule& s : find_shadowed(input.rules, partial)) {
        const uint32_t rule = input.origin[s.rule], by = input.origin[s.by];
        if (rule == by || ++covered[rule] < parts[rule]) continue;
        out[rule] = by;
    }
    return out;
}

std::vector<std::string> warnings_of(const Node& config, std::span<const NamedRule> rules,
                                     const config::Positions& positions) {
    const auto indices = indices_of(config["rules"]);
    const auto place = [&](const std::string& name) {
        const auto found = indices.find(name);
        return found == indices.end()
                   ? std::string("built in")
                   : positions.at(fmt::format("pipeline.firewall.rules[{}]", found->second));
    };
    std::vector<std::string> out;
    for (const auto& [rule, by] : shadowed_of(rules)) {
        const std::string &name = rules[rule].name, &earlier = rules[by].name;
        if (!indices.contains(name)) continue;
        out.push_back(
            fmt::format("{}: rule '{}' never matches: rule '{}' ({}) takes all its packets, "
                        "expected a narrower rule before it",
                        place(name), name, earlier, place(earlier)));
    }
    return out;
}

}  // namespace

std::vector<std::string> shadow_warnings(const Node& tree, const config::Positions& positions) {
    std::vector<std::string> ports, out;
    for (const Node& port : tree["ports"].items()) ports.push_back(port["name"].as_text());
    for (const Node& stage : tree["pipeline"].items()) {
        const Node& config = stage["firewall"];
        auto rules = firewall::rules_of(config, ports, tree["mode"].as_text() == "wire");
        if (config.is_null() || !rules) continue;
        out = warnings_of(config, *rules, positions);
    }
    return out;
}

}  // namespace ravelin::control
