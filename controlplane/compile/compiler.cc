// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/compiler.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/compile/checks.h"
#include "controlplane/compile/locate.h"
#include "controlplane/compile/promises.h"
#include "controlplane/compile/shadow_warnings.h"
#include "controlplane/config/yaml_loader.h"
#include "dataplane/policy_builder.h"
#include "dataplane/stage.h"
#include "pipelines/model/schema.h"
#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_rules.h"
#include "pipelines/stages/nat_schema.h"

namespace ravelin::control {
namespace {

using config::Node;

std::vector<std::string_view> stage_names() {
    std::vector<std::string_view> names;
    for (const StageDecl* stage : StageRegistry::get().stages()) names.push_back(stage->name);
    return names;
}

bool is_builtin(std::string_view name) {
    const auto builtin = firewall::builtin_rules();
    return name == firewall::kDefaultRule ||
           std::ranges::any_of(builtin, [&](const auto& rule) { return rule.name == name; });
}

Node* rules_in(Node& tree, std::string_view of_stage) {
    Node* found = nullptr;
    for (auto& [name, pipeline] : tree.members())
        for (Node& stage : pipeline.items())
            for (auto& [stage_name, config] : stage.members())
                for (auto& [member, value] : config.members())
                    if (name == "pipeline" && stage_name == of_stage && member == "rules")
                        found = &value;
    return found;
}

}  // namespace

std::string encode_snapshot(const Node& tree, uint64_t generation) {
    model::PolicySnapshot snapshot;
    snapshot.set_generation(generation);
    model::encode(tree, *snapshot.mutable_config());
    return snapshot.SerializeAsString();
}

Result<DecodedSnapshot> decode_snapshot(std::string_view bytes) {
    model::PolicySnapshot snapshot;
    if (bytes.size() > INT32_MAX ||
        !snapshot.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())))
        return Error{"is no encoded policy"};
    auto tree = model::decode(snapshot.config());
    if (!tree) return std::move(tree.error());
    config::widen_texts(*tree, model::kConfigSchema, StageRegistry::schema_of);
    if (Status s = config::conforms(*tree, model::kConfigSchema, StageRegistry::schema_of); !s)
        return std::move(s.error());
    return DecodedSnapshot{snapshot.generation(), std::move(*tree)};
}

std::vector<CompiledNatRule> nat_rules_of(const Node& tree) {
    std::vector<CompiledNatRule> out;
    for (const Node& stage : tree["pipeline"].items())
        for (const Node& rule : stage["nat"]["rules"].items())
            if (rule.has("slot") && rule.has("new-slot"))
                out.push_back({rule["name"].as_text(), rule["kind"].as_text(),
                               static_cast<uint32_t>(rule["slot"].as_integer()),
                               static_cast<uint32_t>(rule["new-slot"].as_integer())});
    return out;
}

std::vector<SlottedRule> slotted_rules(const Node& tree) {
    std::vector<SlottedRule> out;
    for (const CompiledNatRule& rule : nat_rules_of(tree)) {
        out.push_back({nat::counted_as(rule.name), rule.slot});
        out.push_back({nat::new_counted_as(rule.name), rule.new_slot});
    }
    for (const Node& stage : tree["pipeline"].items())
        for (const Node& rule : stage["firewall"]["rules"].items())
            if (rule.has("slot"))
                out.push_back(
                    {rule["name"].as_text(), static_cast<uint32_t>(rule["slot"].as_integer())});
    return out;
}

std::vector<CompiledRule> rules_of(const Node& tree) {
    std::vector<std::string> ports;
    for (const Node& port : tree["ports"].items()) ports.push_back(port["name"].as_text());
    std::vector<CompiledRule> out;
    for (const Node& stage : tree["pipeline"].items()) {
        const Node& config = stage["firewall"];
        if (config.is_null()) continue;
        auto rules = firewall::rules_of(config, ports, tree["mode"].as_text() == "wire");
        if (!rules) continue;
        for (const firewall::NamedRule& rule : *rules)
            out.push_back({rule.name, std::string(firewall::action_name(rule.action)), rule.slot,
                           is_builtin(rule.name)});
        out.push_back({std::string(firewall::kDefaultRule), config["default"].as_text(),
                       firewall::kDefaultSlot, true});
    }
    return out;
}

Result<Compiled> Compiler::compile(std::string_view text, const std::string& file,
                                   const SlotMap& slots) {
    const auto names = stage_names();
    auto loaded =
        config::load_text(text, file, model::kConfigSchema, StageRegistry::schema_of, names);
    if (!loaded) return std::move(loaded.error());
    if (Status s = check_configuration(loaded->tree, loaded->positions); !s)
        return std::move(s.error());
    auto compiled = finish(std::move(loaded->tree), slots, loaded->positions);
    if (!compiled) return compiled;
    auto& warnings = compiled->warnings;
    warnings.insert(warnings.begin(), loaded->warnings.begin(), loaded->warnings.end());
    auto shadowed = shadow_warnings(compiled->tree, loaded->positions);
    std::ranges::move(shadowed, std::back_inserter(warnings));
    return compiled;
}

Result<Compiled> Compiler::recompile(Node tree, const SlotMap& slots) {
    return finish(std::move(tree), slots, config::Positions("stored configuration"));
}

Status Compiler::set_slots(Node& tree, const SlotMap& slots) const {
    struct Wanted {
        Node& rule;
        std::string_view member;
    };
    std::vector<Wanted> wanted;
    std::vector<std::string> names;
    const auto want = [&](Node& rule, std::string_view member, std::string name) {
        wanted.push_back({rule, member});
        names.push_back(std::move(name));
    };
    if (Node* rules = rules_in(tree, "firewall"))
        for (Node& rule : rules->items())
            if (const std::string& name = rule["name"].as_text(); !is_builtin(name))
                want(rule, "slot", name);
    if (Node* rules = rules_in(tree, "nat"))
        for (Node& rule : rules->items()) {
            want(rule, "slot", nat::counted_as(rule["name"].as_text()));
            want(rule, "new-slot", nat::new_counted_as(rule["name"].as_text()));
        }
    auto proposed = slots.propose(names);
    if (!proposed) return std::move(proposed.error()).within("firewall: rules");
    for (size_t i = 0; i < wanted.size(); ++i)
        wanted[i].rule.set(wanted[i].member, Node::integer((*proposed)[i]));
    return ok_status();
}

Status Compiler::promises(Node& tree) const {
    auto promised = Promises::of(tree);
    if (!promised) return std::move(promised.error());
    promised->write_splits(tree);
    if (reserved_) promised->restore(reserved_());
    const auto& uncovered = promised->uncovered();
    return uncovered.empty() ? ok_status() : Status(Error{uncovered.begin()->second});
}

Result<Compiled> Compiler::finish(Node tree, const SlotMap& slots,
                                  const config::Positions& positions) {
    Compiled out;
    if (Status s = gate_ ? gate_(tree) : ok_status(); !s) return locate(s.error(), tree, positions);
    if (Status s = set_slots(tree, slots); !s) return locate(s.error(), tree, positions);
    auto trial = build_policy(0, std::make_shared<const Node>(tree), PortFacts{}, trial_.get());
    if (!trial) return locate(trial.error(), tree, positions);
    if (Status s = promises(tree); !s) return locate(s.error(), tree, positions);
    trial_ = std::move(*trial);
    out.rules = rules_of(tree);
    out.tree = std::move(tree);
    return out;
}

}  // namespace ravelin::control
