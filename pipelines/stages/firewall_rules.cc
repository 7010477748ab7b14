// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_set>

#include "dataplane/net/headers.h"
#include "dataplane/verdict.h"
#include "pipelines/stages/firewall_rule_reader.h"

namespace ravelin::firewall {
namespace {

NamedRule from_builtin(const BuiltinRule& builtin, size_t index, bool wire) {
    NamedRule r;
    r.name = builtin.name;
    r.slot = builtin_slot(index);
    r.hop_limit = builtin.hop_limit;
    r.stateful = builtin.states != kStateUntracked;
    r.arp = builtin.name == kArpRule;
    if (r.arp) return r;
    r.rule.protocols = {*protocol_of(builtin.protocol)};
    r.rule.icmp_types = builtin.icmp_types;
    r.rule.states = builtin.states;
    if (builtin.link_scope && !wire) r.rule.out_ports = {kLocalPort};
    return r;
}

// ARP has neither addresses nor ports that a rule could look at.
Status check_arp(const config::Node& node) {
    for (const auto& [member, value] : node.members()) {
        static constexpr std::array<std::string_view, 6> kMay{"name", "action",   "log",
                                                              "slot", "disabled", "stateful"};
        if (!value.is_null() && std::ranges::find(kMay, member) == kMay.end())
            return Error{
                fmt::format("{}: decides all ARP; expected action, log and disabled only", member)};
    }
    return ok_status();
}

// Puts the rules in order and keeps names and slots apart.
class RuleList {
  public:
    RuleList(bool builtin, bool wire, size_t configured) {
        rules_.reserve(builtin_rules().size() + configured);
        names_.reserve(configured);
        slots_.reserve(configured);
        for (size_t i = 0; builtin && i < builtin_rules().size(); ++i)
            rules_.push_back(from_builtin(builtin_rules()[i], i, wire));
        builtins_ = rules_.size();
    }

    Status add(NamedRule rule, const config::Node& node, size_t index) {
        if (rule.name == kDefaultRule)
            return Error{"name: what decides in the end is called so; choose another"};
        if (!names_.insert(rule.name).second) return Error{"name: two rules have it"};
        NamedRule* replaced = find_builtin(rule.name);
        rule.arp = rule.name == kArpRule;
        if (rule.arp)
            if (auto s = check_arp(node); !s) return s;
        // Wherever it stands, and without the others: the control plane gives such names no slot.
        const auto builtin = std::ranges::find(builtin_rules(), rule.name, &BuiltinRule::name);
        const bool reserved = builtin != builtin_rules().end();
        rule.slot = reserved ? builtin_slot(static_cast<size_t>(builtin - builtin_rules().begin()))
                             : static_cast<uint32_t>(index);
        if (node.has("slot")) rule.slot = static_cast<uint32_t>(node["slot"].as_integer());
        if (!reserved && rule.slot >= kReservedSlots)
            return Error{
                fmt::format("slot: found {}, expected less than {}", rule.slot, kReservedSlots)};
        if (!slots_.insert(rule.slot).second)
            return Error{fmt::format("slot: another rule counts in {}", rule.slot)};
        if (replaced != nullptr)
            *replaced = std::move(rule);
        else
            rules_.push_back(std::move(rule));
        return ok_status();
    }
    std::vector<NamedRule> take() { return std::move(rules_); }

  private:
    NamedRule* find_builtin(std::string_view name) {
        for (size_t i = 0; i < builtins_; ++i)
            if (rules_[i].name == name) return &rules_[i];
        return nullptr;
    }
    std::vector<NamedRule> rules_;
    size_t builtins_ = 0;
    std::unordered_set<std::string> names_;
    std::unordered_set<uint32_t> slots_;
};

}  // namespace

Result<std::vector<NamedRule>> rules_of(const config::Node& firewall_config,
                                        const std::vector<std::string>& port_names, bool wire) {
    const config::Node& builtin = firewall_config["builtin"];
    const auto& nodes = firewall_config["rules"].items();
    RuleList list(builtin.is_null() || builtin.as_bool(), wire, nodes.size());
    for (size_t i = 0; i < nodes.size(); ++i) {
        const auto where = [&] {
            return fmt::format("rules[{}] '{}'", i, nodes[i]["name"].as_text());
        };
        auto rule = read_rule(nodes[i], port_names);
        if (!rule) return std::move(rule.error()).within(where());
        if (auto s = list.add(std::move(*rule), nodes[i], i); !s)
            return std::move(s.error()).within(where());
    }
    return list.take();
}

ClassifierInput classifier_input(std::span<const NamedRule> rules) {
    ClassifierInput input;
    input.rules.reserve(rules.size());
    input.origin.reserve(rules.size());
    const auto add = [&](const ClassifierRule& rule, size_t origin) {
        input.rules.push_back(rule);
        input.origin.push_back(static_cast<uint32_t>(origin));
    };
    for (size_t i = 0; i < rules.size(); ++i) {
        if (!rules[i].matches || rules[i].arp) continue;
        add(rules[i].rule, i);
        if (rules[i].icmp6_types.empty()) continue;
        ClassifierRule second = rules[i].rule;
        second.protocols = {net::kIcmpv6};
        second.icmp_types = rules[i].icmp6_types;
        add(second, i);
    }
    return input;
}

}  // namespace ravelin::firewall
