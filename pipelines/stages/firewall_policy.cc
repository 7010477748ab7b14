// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "dataplane/port_policies.h"
#include "dataplane/stage.h"
#include "pipelines/stages/classify.h"
#include "pipelines/stages/firewall_build.h"
#include "pipelines/stages/firewall_schema.h"

namespace ravelin::firewall {
namespace {

constexpr int64_t kNsPerMs = 1'000'000;

Timeouts timeouts_of(const config::Node& node) {
    Timeouts t;
    const auto take = [&](std::string_view name, uint32_t& to) {
        if (node.has(name)) to = static_cast<uint32_t>(node[name].as_integer() / kNsPerMs);
    };
    take("tcp-syn-sent", t.tcp_syn_sent);
    take("tcp-syn-received", t.tcp_syn_received);
    take("tcp-established", t.tcp_established);
    take("tcp-fin-wait", t.tcp_fin_wait);
    take("tcp-close-wait", t.tcp_close_wait);
    take("tcp-last-ack", t.tcp_last_ack);
    take("tcp-time-wait", t.tcp_time_wait);
    take("tcp-closed", t.tcp_closed);
    take("udp", t.udp);
    take("udp-stream", t.udp_stream);
    take("icmp", t.icmp);
    take("other", t.other);
    return t;
}

Action action_of(const config::Node& node) {
    const auto at = std::ranges::find(kActionWords, node.as_text());
    return at == kActionWords.end() ? Action::kDrop
                                    : static_cast<Action>(at - kActionWords.begin());
}

Status place_rules(FirewallPolicy& policy, std::span<const NamedRule> named,
                   const FirewallPolicy* previous) {
    auto tables = build_tables(named, policy, previous);
    if (!tables) return std::move(tables.error());
    policy.tables = std::move(*tables);
    for (size_t i = 0; i < named.size(); ++i)
        if (named[i].arp && named[i].matches) policy.arp = compiled(named[i]);
    return ok_status();
}

void take_settings(FirewallPolicy& policy, const config::Node& config) {
    policy.timeouts = timeouts_of(config["timeouts"]);
    policy.window = window_named(config["tcp-window"].as_text());
    const config::Node& unproven = config["unproven-budget"];
    if (unproven.has("percent"))
        policy.unproven.percent = static_cast<uint32_t>(unproven["percent"].as_integer());
    policy.unproven.per_source = static_cast<uint32_t>(unproven["per-source"].as_integer());
    policy.unproven.drop = unproven["when-full"].as_text() == "drop";
    policy.pickup = config["pickup"].as_text() == "validated";
    policy.keep_established = config["keep-established"].as_bool();
    policy.reject_rate = static_cast<uint32_t>(config["reject-rate"].as_integer());
    policy.otherwise.action = action_of(config["default"]);
    policy.otherwise.log = config["log-default"].as_bool();
    policy.otherwise.slot = kDefaultSlot;
}

void publish(const FirewallPolicy& policy, CompileContext& context) {
    context.rules.insert(context.rules.end(), policy.infos->begin(), policy.infos->end());
}

bool fits(const FirewallPolicy& same, const CompileContext& context) {
    return same.sets == context.snapshot.sets && same.delta == nullptr &&
           same.principals == context.snapshot.principals;
}

// Here, where a rule's place in the file is known.
Status check_principals(const config::Node& rules, const Principals* declared) {
    static const config::Node none;
    for (size_t i = 0; i < rules.items().size(); ++i) {
        const config::Node& rule = rules.items()[i];
        if (auto wrong = undeclared(rule["principal"].as_text(),
                                    declared == nullptr ? none : *declared->declared))
            return std::move(*wrong).within(
                fmt::format("rules[{}] '{}'", i, rule["name"].as_text()));
    }
    return ok_status();
}

}  // namespace

// Names every rule, disabled ones too, so that the operator sees them with their counters.
std::vector<RuleInfo> names_of(std::span<const NamedRule> named, const CompiledRule& otherwise) {
    std::vector<RuleInfo> out;
    const auto add = [&](std::string name, uint32_t slot, Action action) {
        out.push_back({std::move(name), slot, std::string(action_name(action))});
    };
    for (const NamedRule& rule : named) add(rule.name, rule.slot, rule.action);
    add(std::string(kDefaultRule), otherwise.slot, otherwise.action);
    return out;
}

// Both lists in one order, so that a rule is asked only if none before it took the packet.
const CompiledRule* FirewallPolicy::match_edited(const RuleKey& key, int hop_limit,
                                                 Ask& ask) const noexcept {
    const RuleTables &base = tables->rules, &added = delta->added;
    std::array<uint16_t, kChunkRules> matching;
    size_t count = 0, next = 0;
    (void)added.classifier.find(key, [&](uint32_t rule) {
        matching[count++] = static_cast<uint16_t>(rule);
        return false;
    });
    const CompiledRule* found = nullptr;
    const auto take = [&](const RuleTables& from, uint32_t rule) {
        if (from.takes(from.rules[rule], key, hop_limit, ask)) found = &from.rules[rule];
        return found != nullptr;
    };
    const auto take_added = [&](uint32_t before) {
        for (; next < count && delta->before[matching[next]] <= before; ++next)
            if (take(added, matching[next])) return true;
        return false;
    };
    const uint32_t at = base.classifier.find(key, [&](uint32_t rule) {
        return take_added(rule) || (!delta->hides(rule) && take(base, rule));
    });
    if (at == Classifier::kNoMatch) take_added(UINT32_MAX);
    return found;
}

TcpWindow FirewallPolicy::window_of(uint32_t slot) const noexcept {
    if (delta != nullptr)
        for (const auto& [of, its_own] : delta->windows)
            if (of == slot) return its_own;
    return slot < tables->windows.size() ? tables->windows[slot] : window;
}

sched::PrincipalId FirewallPolicy::principal_of(uint32_t slot) const noexcept {
    if (delta != nullptr)
        for (const auto& [of, principal] : delta->principals)
            if (of == slot) return principal;
    return slot < tables->principals.size() ? tables->principals[slot] : sched::kNoPrincipal;
}

size_t FirewallPolicy::limit_bytes() const {
    return tables->rules.limit_bytes() + (delta == nullptr ? 0 : delta->added.limit_bytes());
}

size_t FirewallPolicy::limit_count() const {
    return tables->rules.limits.size() + (delta == nullptr ? 0 : delta->added.limits.size());
}

size_t FirewallPolicy::memory_bytes() const {
    const size_t edits = delta == nullptr ? 0 : delta->memory_bytes();
    return sizeof *this + tables->memory_bytes() + edits + infos->capacity() * sizeof(RuleInfo);
}

Result<std::shared_ptr<const StagePolicy>> compile_firewall(const config::Node& config,
                                                            CompileContext& context) {
    if (classify::policy_of(context.snapshot) != nullptr)
        return Error{
            "found classify before it, expected that later: a flow says whom it is charged to"};
    if (context.unchanged != nullptr) {
        const auto& same = static_cast<const FirewallPolicy&>(*context.unchanged);
        if (fits(same, context)) {
            publish(same, context);
            return context.unchanged;
        }
    }
    const auto ports = names_of(context.snapshot.ports);
    auto policy = std::make_shared<FirewallPolicy>();
    policy->wire = context.snapshot.mode == PolicySnapshot::Mode::kWire;
    auto named = rules_of(config, ports, policy->wire);
    if (!named) return std::move(named.error());
    if (auto s = check_principals(config["rules"], context.snapshot.principals.get()); !s)
        return std::move(s.error());
    take_settings(*policy, config);
    policy->sets = context.snapshot.sets;
    policy->principals = context.snapshot.principals;
    policy->arp = policy->otherwise;
    const auto* previous = static_cast<const FirewallPolicy*>(context.previous.get());
    if (auto s = place_rules(*policy, *named, previous); !s) return std::move(s.error());
    policy->infos =
        std::make_shared<const std::vector<RuleInfo>>(names_of(*named, policy->otherwise));
    publish(*policy, context);
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

}  // namespace ravelin::firewall
