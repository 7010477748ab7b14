// SPDX-License-Identifier: Apache-2.0
#include "dataplane/policy_builder.h"

#include <fmt/format.h>

#include <algorithm>

#include "dataplane/functions.h"
#include "dataplane/paced_ports.h"
#include "dataplane/stage.h"

namespace ravelin {
namespace {

SetDecl declared(const std::string& name, const config::Node& node) {
    return {name, set_type_of(node["type"].as_text()).value_or(SetType::kPrefixes),
            static_cast<uint32_t>(node["size"].as_integer())};
}

Result<std::shared_ptr<LiveSet>> resized(const LiveSet& before, const SetDecl& decl) {
    if (before.size() > decl.size)
        return Error{fmt::format("sets.{}.size: found {}, and the set has {} elements", decl.name,
                                 decl.size, before.size())};
    auto fresh = LiveSet::create(decl);
    if (!fresh) return std::move(fresh.error());
    before.for_each([&](const SetElement& element, uint64_t expires_ms) {
        (*fresh)->add(element, expires_ms);
    });
    return std::shared_ptr<LiveSet>(std::move(*fresh));
}

// A set that is declared as before is the same set, with its elements. One whose size changed takes
// them over.
Status add_sets(PolicySnapshot& snapshot, const config::Node& sets,
                const PolicySnapshot* previous) {
    for (const auto& [name, node] : sets.members()) {
        if (node.kind() != config::Node::Kind::kMap) continue;  // by value, in the rules
        const SetDecl decl = declared(name, node);
        std::shared_ptr<LiveSet> set;
        for (size_t i = 0; previous != nullptr && i < previous->sets.size(); ++i)
            if (previous->sets[i]->decl().name == name) set = previous->sets[i];
        if (set != nullptr && set->decl().type == decl.type && set->decl().size != decl.size) {
            auto grown = resized(*set, decl);
            if (!grown) return std::move(grown.error());
            set = std::move(*grown);
        } else if (set == nullptr || set->decl() != decl) {
            auto fresh = LiveSet::create(decl);
            if (!fresh) return std::move(fresh.error());
            set = std::move(*fresh);
        }
        snapshot.sets.push_back(std::move(set));
    }
    return ok_status();
}

bool same_ports(const PolicySnapshot& a, const PolicySnapshot& b) {
    return a.mode == b.mode && a.ports == b.ports;
}

std::shared_ptr<const StagePolicy> unchanged(const PolicySnapshot* previous,
                                             const PolicySnapshot& now, uint16_t stage,
                                             const config::Node& config) {
    if (previous == nullptr || !same_ports(*previous, now)) return nullptr;
    for (const auto& step : previous->steps)
        if (step.stage == stage && *step.config == config) return step.policy;
    return nullptr;
}

std::shared_ptr<const StagePolicy> policy_before(const PolicySnapshot* previous, uint16_t stage) {
    if (previous == nullptr) return nullptr;
    for (const auto& step : previous->steps)
        if (step.stage == stage) return step.policy;
    return nullptr;
}

}  // namespace

RuleNames::RuleNames(std::vector<RuleInfo> rules) {
    std::ranges::stable_sort(rules, {}, &RuleInfo::slot);
    shared_ = std::make_shared<const std::vector<RuleInfo>>(std::move(rules));
}

void RuleNames::put(RuleInfo rule) {
    std::erase_if(added_, [&](const RuleInfo& other) { return other.slot == rule.slot; });
    added_.push_back(std::move(rule));
}

const RuleInfo* RuleNames::find_added(uint32_t slot) const {
    const auto at = std::ranges::find(added_, slot, &RuleInfo::slot);
    return at == added_.end() ? nullptr : &*at;
}

const RuleInfo* RuleNames::find(uint32_t slot) const {
    if (const RuleInfo* added = find_added(slot)) return added;
    if (shared_ == nullptr) return nullptr;
    const auto at = std::ranges::lower_bound(*shared_, slot, {}, &RuleInfo::slot);
    return at == shared_->end() || at->slot != slot ? nullptr : &*at;
}

const RuleInfo* RuleNames::find(std::string_view name) const {
    const auto in = [&](const std::vector<RuleInfo>& rules) {
        const auto at = std::ranges::find(rules, name, &RuleInfo::name);
        return at == rules.end() ? nullptr : &*at;
    };
    if (const RuleInfo* added = in(added_)) return added;
    const RuleInfo* there = shared_ == nullptr ? nullptr : in(*shared_);
    return there != nullptr && find_added(there->slot) == nullptr ? there : nullptr;
}

size_t RuleNames::size() const {
    if (shared_ == nullptr) return added_.size();
    const auto fresh = [&](const RuleInfo& rule) {
        return !std::ranges::binary_search(*shared_, rule.slot, {}, &RuleInfo::slot);
    };
    return shared_->size() + static_cast<size_t>(std::ranges::count_if(added_, fresh));
}

std::vector<RuleInfo> RuleNames::all() const {
    std::vector<RuleInfo> out;
    for (size_t i = 0; shared_ != nullptr && i < shared_->size(); ++i)
        if (find_added((*shared_)[i].slot) == nullptr) out.push_back((*shared_)[i]);
    out.insert(out.end(), added_.begin(), added_.end());
    return out;
}

LiveSet* PolicySnapshot::find_set(std::string_view name) const {
    for (const auto& set : sets)
        if (set->decl().name == name) return set.get();
    return nullptr;
}

Result<std::unique_ptr<PolicySnapshot>> build_policy(uint64_t generation,
                                                     std::shared_ptr<const config::Node> whole,
                                                     const PortFacts& facts,
                                                     const PolicySnapshot* previous) {
    const config::Node& config = *whole;
    auto snapshot = std::make_unique<PolicySnapshot>();
    std::vector<RuleInfo> rules;
    snapshot->generation = generation;
    snapshot->epoch = snapshot->first_epoch = static_cast<uint32_t>(generation);
    snapshot->mode = config["mode"].as_text() == "wire" ? PolicySnapshot::Mode::kWire
                                                        : PolicySnapshot::Mode::kRouter;
    auto ports = read_ports(config["ports"], snapshot->mode, facts);
    if (!ports) return std::move(ports.error());
    snapshot->ports = std::move(*ports);
    snapshot->vlans = vlans_of(snapshot->ports);
    auto principals = read_principals(whole, previous != nullptr ? previous->principals : nullptr,
                                      facts.principal_flows);
    if (!principals) return std::move(principals.error());
    snapshot->principals = std::move(*principals);
    auto paced =
        read_paced_ports(config, facts, *snapshot, previous != nullptr ? previous->paced : nullptr);
    if (!paced) return std::move(paced.error());
    snapshot->paced = std::move(*paced);
    auto functions = read_functions(config, facts, *snapshot,
                                    previous != nullptr ? previous->functions : nullptr);
    if (!functions) return std::move(functions.error());
    snapshot->functions = std::move(*functions);
    if (auto s = add_sets(*snapshot, config["sets"], previous); !s) return std::move(s.error());
    StageRegistry& registry = StageRegistry::get();
    const auto& pipeline = config["pipeline"].items();
    for (const config::Node& entry : pipeline) {
        const auto& [name, stage_config] = entry.members().front();
        const int index = registry.index(name);
        if (index < 0) return Error{fmt::format("pipeline: no stage '{}'", name)};
        const auto stage = static_cast<uint16_t>(index);
        CompileContext context{*snapshot, rules,
                               unchanged(previous, *snapshot, stage, stage_config),
                               policy_before(previous, stage)};
        auto policy = registry.stages()[stage]->compile(stage_config, context);
        if (!policy) return std::move(policy.error()).within(name);
        const std::shared_ptr<const config::Node> given(whole, &stage_config);
        snapshot->steps.push_back({stage, std::move(*policy), given, given});
    }
    snapshot->rules = RuleNames(std::move(rules));
    return snapshot;
}

}  // namespace ravelin
