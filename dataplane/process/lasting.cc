// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/lasting.h"

#include <algorithm>

#include "dataplane/port_policies.h"
#include "dataplane/process/element_overlap.h"
#include "dataplane/process/rule_proof.h"
#include "dataplane/stage.h"
#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_live.h"
#include "pipelines/stages/firewall_policy.h"
#include "pipelines/stages/firewall_rule_reader.h"

namespace ravelin {

using firewall::NamedRule;

Result<std::vector<NamedRule>> rules_of_paths(const Paths& paths,
                                              const std::vector<std::string>& ports) {
    std::vector<NamedRule> out;
    for (const model::Path& path : paths) {
        auto node = model::decode(path.rule());
        if (!node) return std::move(node.error()).within(path.name());
        auto rule = firewall::read_rule(*node, ports);
        if (!rule) return std::move(rule.error()).within(path.name());
        out.push_back(std::move(*rule));
    }
    return out;
}

bool concerns(std::span<const NamedRule> paths, SetType type, const SetElement& element) {
    return std::ranges::any_of(
        paths, [&](const NamedRule& path) { return meets(path.rule, type, element); });
}

Result<std::shared_ptr<LiveSet>> set_of(const SetDecl& decl,
                                        const std::vector<TimedElement>& elements) {
    SetDecl fitting = decl;
    fitting.size = static_cast<uint32_t>(std::max<size_t>(1, elements.size()));
    auto out = LiveSet::create(fitting);
    if (!out) return std::move(out.error());
    for (const auto& [element, expires_ms] : elements) (*out)->add(element, expires_ms);
    return std::shared_ptr<LiveSet>(std::move(*out));
}

Result<std::unique_ptr<PolicySnapshot>> with_sets(const PolicySnapshot& policy, LiveSets sets) {
    auto out = std::make_unique<PolicySnapshot>(policy);
    out->sets = std::move(sets);
    const auto config = firewall_config(policy);
    if (config == nullptr) return out;
    for (PolicySnapshot::Step& step : out->steps) {
        if (step.stage != StageRegistry::get().index("firewall")) continue;
        auto with = std::make_shared<firewall::FirewallPolicy>(
            static_cast<const firewall::FirewallPolicy&>(*step.policy));
        with->sets = out->sets;
        auto made = firewall::rebuild(*with, *config, names_of(policy.ports));
        if (!made) return std::move(made.error());
        step.policy = std::move(*made);
    }
    return out;
}

Result<std::unique_ptr<PolicySnapshot>> when_timeouts_are_over(const PolicySnapshot& policy,
                                                               std::span<const NamedRule> paths) {
    LiveSets sets = policy.sets;
    bool any = false;
    for (auto& set : sets) {
        bool lapses = false;
        std::vector<TimedElement> lasting;
        set->for_each([&](const SetElement& element, uint64_t expires_ms) {
            if (!concerns(paths, set->decl().type, element)) return;
            if (expires_ms != 0)
                lapses = true;
            else
                lasting.emplace_back(element, 0);
        });
        if (!lapses) continue;
        auto made = set_of(set->decl(), lasting);
        if (!made) return std::move(made.error());
        set = std::move(*made);
        any = true;
    }
    if (!any) return std::unique_ptr<PolicySnapshot>();
    return with_sets(policy, std::move(sets));
}

}  // namespace ravelin
