// SPDX-License-Identifier: Apache-2.0
// rule-add, rule-del, rule-list: rules that change without a new generation.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "controlplane/api/services.h"
#include "controlplane/config/yaml_loader.h"
#include "controlplane/live/rule_script.h"
#include "dataplane/principals.h"
#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_rule_reader.h"
#include "pipelines/stages/firewall_schema.h"
#include "pipelines/stages/nat_schema.h"

namespace ravelin::control {
namespace {

constexpr std::array<std::string_view, 4> kPlaces{"last", "first", "before", "after"};

/// What the data plane would refuse may not be written down: after a crash it would come back.
Status sets_fit(const firewall::NamedRule& rule, const config::Node& sets) {
    for (const firewall::LiveRef& ref : rule.live) {
        const auto& [member, type] = firewall::kLiveMembers[static_cast<size_t>(ref.field)];
        const std::string& found = sets[ref.set]["type"].as_text();
        const std::string_view expected = kSetTypes[static_cast<size_t>(type)];
        if (found != expected)
            return Error{fmt::format("rule '{}': {}: '@{}' is a set of {}, expected one of {}",
                                     rule.name, member, ref.set, found, expected)};
    }
    return ok_status();
}

/// The slot of a rule that comes, be it the one of a rule long gone.
Result<uint32_t> slot_for(Services& s, const std::string& name) {
    if (auto slot = s.store.slots().propose(name)) return slot;
    std::vector<std::string> names;
    for (const SlottedRule& other : slotted_rules(s.live.tree()))
        if (other.name != name) names.push_back(other.name);
    names.push_back(name);
    const auto slots = s.store.slots().propose(names);
    if (!slots) return slots.error();
    return slots->back();
}

/// The rule as read, with its hit counter's slot. Error: what is wrong with it.
Result<config::Node> read(Services& s, const std::string& text) {
    const config::Node& tree = s.store.in_force().tree;
    auto rule = config::load_map(text, "rule", firewall::kRuleSchema, tree["sets"]);
    if (!rule) return rule;
    std::vector<std::string> ports;
    for (const config::Node& port : tree["ports"].items()) ports.push_back(port["name"].as_text());
    const auto named = firewall::read_rule(*rule, ports);
    if (!named)
        return Error{
            fmt::format("rule '{}': {}", (*rule)["name"].as_text(), named.error().message)};
    if (auto fit = sets_fit(*named, tree["sets"]); !fit) return std::move(fit.error());
    if (auto wrong = undeclared(named->principal, tree["principals"]))
        return std::move(*wrong).within(fmt::format("rule '{}'", named->name));
    const auto slot = slot_for(s, named->name);
    if (!slot) return slot.error();
    rule->set("slot", config::Node::integer(*slot));
    return rule;
}

/// Whether the rules in force can be changed so.
std::optional<Failure> fits(Services& s, const model::LiveChange& change) {
    const Status would = s.live.fits(change.rules());
    if (would) return std::nullopt;
    return Failure{FailureKind::kInvalid, would.error().message};
}

LiveFlow::Done answer(const CallPtr& call, std::shared_ptr<std::string> name) {
    return answer_live(call, [name = std::move(name)] { return Json{{"rule", *name}}; });
}

void rule_add(Services& s, const CallPtr& call) {
    const std::string text = call->text("rule"), anchor = call->text("anchor");
    std::string place = call->text("place");
    auto guard = guard_of(*call);
    if (!guard) return;
    if (place.empty()) place = "last";
    const auto at = std::ranges::find(kPlaces, place);
    if (at == kPlaces.end())
        return call->fail(
            FailureKind::kInvalid,
            fmt::format("place: found '{}', expected last, first, before or after", place));
    const auto where = static_cast<model::RuleChange::Place>(at - kPlaces.begin());
    auto name = std::make_shared<std::string>();
    s.live.change(
        [&s, text, anchor, where, name](model::LiveChange& change) -> std::optional<Failure> {
            if (auto waits = pending(s)) return waits;
            const auto rule = read(s, text);
            if (!rule) return Failure{FailureKind::kInvalid, rule.error().message};
            *name = (*rule)["name"].as_text();
            model::RuleChange& out = *change.add_rules();
            model::encode(*rule, *out.mutable_add());
            out.set_place(where);
            out.set_anchor(anchor);
            return fits(s, change);
        },
        answer(call, name), std::move(*guard));
}

void rule_del(Services& s, const CallPtr& call) {
    const std::string name = call->text("name");
    auto guard = guard_of(*call);
    if (!guard) return;
    s.live.change(
        [&s, name](model::LiveChange& change) -> std::optional<Failure> {
            if (auto waits = pending(s)) return waits;
            change.add_rules()->set_remove(name);
            return fits(s, change);
        },
        answer(call, std::make_shared<std::string>(name)), std::move(*guard));
}

/// Rules that came, with their hits, and names of those that went.
void rule_list(Services& s, const CallPtr& call) {
    const config::Node& tree = s.live.tree();
    Json rules = Json::array(), deleted = Json::array();
    const auto script = rule_script(s.store.in_force().tree, tree);
    std::set<std::string> names;
    for (const model::RuleChange& change : script)
        if (!change.has_add())
            deleted.push_back(change.remove());
        else if (const auto rule = model::decode(change.add()))
            names.insert((*rule)["name"].as_text());
    for (const CompiledRule& rule : rules_of(tree))
        if (names.contains(rule.name)) rules.push_back(counted(s, rule));
    call->result({{"generation", s.store.in_force().generation},
                  {"rules", std::move(rules)},
                  {"deleted", std::move(deleted)}});
}

/// What a slot has counted since the rule has it; `known` may be null.
RuleCounter count_of(const Services& s, uint32_t slot, const RuleSlot* known) {
    const CounterReader* reader = s.counters.reader();
    if (reader == nullptr) return {};
    const RuleCounter count = reader->rule(slot);
    return known == nullptr ? count
                            : since_baseline(count, reader->header().started_unix_ms, *known);
}

}  // namespace

Json counted(const Services& s, const CompiledNatRule& rule) {
    const RuleSlot* known = s.store.slots().find(nat::counted_as(rule.name));
    const RuleSlot* fresh = s.store.slots().find(nat::new_counted_as(rule.name));
    const RuleCounter count = count_of(s, rule.slot, known);
    return {{"name", rule.name},
            {"kind", rule.kind},
            {"packets", count.packets},
            {"bytes", count.bytes},
            {"translations", count_of(s, rule.new_slot, fresh).packets},
            {"since_generation", known == nullptr ? 0 : known->since_generation}};
}

Json counted(const Services& s, const CompiledRule& rule) {
    const RuleSlot* known = rule.builtin ? nullptr : s.store.slots().find(rule.name);
    const RuleCounter count = count_of(s, rule.slot, known);
    return {{"name", rule.name},
            {"action", rule.action},
            {"packets", count.packets},
            {"bytes", count.bytes},
            {"since_generation", known == nullptr ? 0 : known->since_generation},
            {"builtin", rule.builtin},
            {"slot", rule.slot}};
}

void add_rule_methods(Server& server, Services& services) {
    Services* s = &services;
    server.add("rule-add", [s](const CallPtr& call) { rule_add(*s, call); });
    server.add("rule-del", [s](const CallPtr& call) { rule_del(*s, call); });
    server.add("rule-list", [s](const CallPtr& call) { rule_list(*s, call); });
}

}  // namespace ravelin::control
