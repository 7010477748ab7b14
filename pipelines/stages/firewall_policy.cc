// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_policy.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "dataplane/stage.h"
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

CompiledRule compiled(const NamedRule& rule, size_t info) {
    CompiledRule out;
    out.slot = rule.slot;
    out.info = static_cast<uint32_t>(info);
    out.action = rule.action;
    out.hop_limit = rule.hop_limit;
    out.stateful = rule.stateful;
    out.log = rule.log;
    return out;
}

// Points `to` at the live sets that `rule` names.
Status bind_sets(FirewallPolicy& policy, const NamedRule& rule, CompiledRule& to) {
    if (rule.live.empty()) return ok_status();
    to.live = static_cast<uint32_t>(policy.live_tests.size()) + 1;
    for (const LiveRef& ref : rule.live) {
        const LiveMember& member = kLiveMembers[static_cast<size_t>(ref.field)];
        const auto set = std::ranges::find_if(
            policy.sets, [&](const auto& s) { return s->decl().name == ref.set; });
        const auto word = [](SetType type) { return kSetTypes[static_cast<size_t>(type)]; };
        if (set == policy.sets.end())
            return Error{fmt::format("{}: found '@{}', expected a live set", member.name, ref.set)};
        if ((*set)->decl().type != member.type)
            return Error{fmt::format("{}: '@{}' is a set of {}, expected one of {}", member.name,
                                     ref.set, word((*set)->decl().type), word(member.type))};
        policy.live_tests.push_back({set->get(), ref.field, &ref == &rule.live.back()});
    }
    return ok_status();
}

// Names every rule, disabled ones too, so that the operator sees them with their counters.
void describe(FirewallPolicy& policy, std::span<const NamedRule> named) {
    policy.info_of_slot.assign(limits::kMaxRules, kNoRule);
    const auto add = [&](std::string name, uint32_t slot, Action action) {
        policy.info_of_slot[slot] = static_cast<uint32_t>(policy.first_info + policy.infos.size());
        policy.infos.push_back({std::move(name), slot, std::string(action_name(action))});
    };
    for (const NamedRule& rule : named) add(rule.name, rule.slot, rule.action);
    add(std::string(kDefaultRule), policy.otherwise.slot, policy.otherwise.action);
}

TcpWindow window_of(std::string_view word) {
    const auto at = std::ranges::find(kWindowWords, word);
    return at == kWindowWords.end() ? TcpWindow::strict
                                    : static_cast<TcpWindow>(at - kWindowWords.begin());
}

void take_windows(FirewallPolicy& policy, std::span<const NamedRule> named) {
    for (const NamedRule& rule : named) {
        if (rule.window.empty()) continue;
        policy.windows.resize(limits::kMaxRules, policy.window);
        policy.windows[rule.slot] = window_of(rule.window);
    }
}

Status place_rules(FirewallPolicy& policy, std::span<const NamedRule> named,
                   const FirewallPolicy* previous) {
    ClassifierInput input = classifier_input(named);
    auto classifier = Classifier::build(input.rules);
    if (!classifier) return std::move(classifier.error());
    policy.classifier = std::move(*classifier);
    std::vector<uint32_t> extras;
    if (auto s = policy.add_extras(named, previous, extras); !s) return s;
    for (const uint32_t origin : input.origin) {
        CompiledRule rule = compiled(named[origin], policy.first_info + origin);
        rule.extra = extras[origin];
        rule.counted = std::ranges::binary_search(policy.counted_slots, rule.slot);
        rule.proxy = policy.add_proxy(named[origin], previous);
        if (auto s = bind_sets(policy, named[origin], rule); !s)
            return std::move(s.error()).within(fmt::format("rule '{}'", named[origin].name));
        policy.rules.push_back(rule);
    }
    for (size_t i = 0; i < named.size(); ++i)
        if (named[i].arp && named[i].matches)
            policy.arp = compiled(named[i], policy.first_info + i);
    return ok_status();
}

void take_settings(FirewallPolicy& policy, const config::Node& config) {
    policy.timeouts = timeouts_of(config["timeouts"]);
    policy.window = window_of(config["tcp-window"].as_text());
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
    context.rules.insert(context.rules.end(), policy.infos.begin(), policy.infos.end());
}

}  // namespace

bool LiveTest::holds(const ClassifierKey& key) const noexcept {
    switch (field) {
        case LiveField::kFrom:
            return set->holds_address(key.source);
        case LiveField::kTo:
            return set->holds_address(key.destination);
        case LiveField::kFromPorts:
            return set->holds_port(key.source_port);
        case LiveField::kToPorts:
            return set->holds_port(key.destination_port);
        case LiveField::kFromEndpoint:
            return set->holds_endpoint(key.source, key.source_port);
        case LiveField::kToEndpoint:
            return set->holds_endpoint(key.destination, key.destination_port);
        case LiveField::kFromTo:
            return set->holds_pair(key.source, key.destination);
    }
    return false;
}

bool FirewallPolicy::live_holds(const CompiledRule& rule, const ClassifierKey& key) const noexcept {
    for (const LiveTest* test = &live_tests[rule.live - 1];; ++test) {
        if (!test->holds(key)) return false;
        if (test->last) return true;
    }
}

size_t FirewallPolicy::memory_bytes() const {
    return sizeof *this + live_tests.capacity() * sizeof(LiveTest) + classifier.memory_bytes() +
           rules.capacity() * sizeof(CompiledRule) + windows.capacity() +
           infos.capacity() * sizeof(RuleInfo) + info_of_slot.capacity() * sizeof(uint32_t);
}

Result<std::shared_ptr<const StagePolicy>> compile_firewall(const config::Node& config,
                                                            CompileContext& context) {
    // The infos' place is part of the compiled rules; another stage's rules may have moved it.
    if (context.unchanged != nullptr) {
        const auto& same = static_cast<const FirewallPolicy&>(*context.unchanged);
        if (same.first_info == context.rules.size() && same.sets == context.snapshot.sets) {
            publish(same, context);
            return context.unchanged;
        }
    }
    std::vector<std::string> ports;
    std::ranges::transform(context.snapshot.ports, std::back_inserter(ports), &PortPolicy::name);
    auto policy = std::make_shared<FirewallPolicy>();
    policy->wire = context.snapshot.mode == PolicySnapshot::Mode::kWire;
    auto named = rules_of(config, ports, policy->wire);
    if (!named) return std::move(named.error());
    take_settings(*policy, config);
    policy->sets = context.snapshot.sets;
    policy->first_info = context.rules.size();
    policy->otherwise.info = static_cast<uint32_t>(policy->first_info + named->size());
    policy->arp = policy->otherwise;
    const auto* previous = static_cast<const FirewallPolicy*>(context.previous.get());
    if (auto s = place_rules(*policy, *named, previous); !s) return std::move(s.error());
    take_windows(*policy, *named);
    describe(*policy, *named);
    publish(*policy, context);
    return std::shared_ptr<const StagePolicy>(std::move(policy));
}

}  // namespace ravelin::firewall
