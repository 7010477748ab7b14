// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "pipelines/stages/firewall_build.h"
#include "pipelines/stages/firewall_extra_schema.h"

namespace ravelin::firewall {
namespace {

// Points `to` at the live sets that `rule` names.
Status bind_sets(const NamedRule& rule, const LiveSets& sets, std::vector<LiveTest>& tests,
                 CompiledRule& to) {
    if (rule.live.empty()) return ok_status();
    to.live = static_cast<uint32_t>(tests.size()) + 1;
    for (const LiveRef& ref : rule.live) {
        const LiveMember& member = kLiveMembers[static_cast<size_t>(ref.field)];
        const auto set =
            std::ranges::find_if(sets, [&](const auto& s) { return s->decl().name == ref.set; });
        const auto word = [](SetType type) { return kSetTypes[static_cast<size_t>(type)]; };
        if (set == sets.end())
            return Error{fmt::format("{}: found '@{}', expected a live set", member.name, ref.set)};
        if ((*set)->decl().type != member.type)
            return Error{fmt::format("{}: '@{}' is a set of {}, expected one of {}", member.name,
                                     ref.set, word((*set)->decl().type), word(member.type))};
        tests.push_back({set->get(), ref.field, &ref == &rule.live.back()});
    }
    return ok_status();
}

}  // namespace

TcpWindow window_named(std::string_view word) {
    const auto at = std::ranges::find(kWindowWords, word);
    return at == kWindowWords.end() ? TcpWindow::strict
                                    : static_cast<TcpWindow>(at - kWindowWords.begin());
}

CompiledRule compiled(const NamedRule& rule) {
    CompiledRule out;
    out.slot = rule.slot;
    out.action = rule.action;
    out.hop_limit = rule.hop_limit;
    out.stateful = rule.stateful;
    out.log = rule.log;
    return out;
}

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

bool RuleTables::live_holds(const CompiledRule& rule, const ClassifierKey& key) const noexcept {
    for (const LiveTest* test = &live_tests[rule.live - 1];; ++test) {
        if (!test->holds(key)) return false;
        if (test->last) return true;
    }
}

size_t RuleTables::memory_bytes() const {
    return classifier.memory_bytes() + trees.memory_bytes() +
           rules.capacity() * sizeof(CompiledRule) + live_tests.capacity() * sizeof(LiveTest) +
           words.capacity() * sizeof(RuleWord);
}

void keep_limits(const FirewallPolicy* policy, KeptTables& kept) {
    if (policy == nullptr) return;
    kept.push_back(&policy->tables->rules);
    if (policy->delta != nullptr) kept.push_back(&policy->delta->added);
}

RuleWord word_of(const CompiledRule& rule) noexcept {
    const bool asks =
        !rule.plain() || rule.log || rule.proxy != nullptr || rule.action == Action::kReject;
    const auto kind = asks                           ? RuleWord::kAsks
                      : rule.action == Action::kDrop ? RuleWord::kDrops
                      : rule.stateful                ? RuleWord::kKeeps
                                                     : RuleWord::kAccepts;
    return {static_cast<uint16_t>(rule.slot), kind};
}

Result<BuiltRules> build_rules(std::span<const NamedRule> named, const BuildContext& context) {
    BuiltRules out;
    RuleTables& to = out.tables;
    const ClassifierInput input = classifier_input(named);
    auto classifier = Classifier::build(input.rules);
    if (!classifier) return std::move(classifier.error());
    to.classifier = std::move(*classifier);
    std::vector<uint32_t> counted;
    auto extras = add_extras(to, counted, named, context);
    if (!extras) return std::move(extras.error());
    for (size_t entry = 0; entry < input.origin.size(); ++entry) {
        const uint32_t origin = input.origin[entry];
        while (out.first.size() <= origin) out.first.push_back(static_cast<uint32_t>(entry));
        CompiledRule& rule = to.rules.emplace_back(compiled(named[origin]));
        rule.extra = (*extras)[origin];
        rule.counted = std::ranges::binary_search(counted, rule.slot);
        rule.proxy = add_proxy(to, named[origin], context.kept);
        if (auto s = bind_sets(named[origin], context.sets, to.live_tests, rule); !s)
            return std::move(s.error()).within(fmt::format("rule '{}'", named[origin].name));
    }
    while (out.first.size() <= named.size())
        out.first.push_back(static_cast<uint32_t>(to.rules.size()));
    if (context.beside != nullptr) return out;
    to.trees = CutTrees::build(input.rules);
    if (to.trees.empty()) return out;
    to.words.reserve(to.rules.size());
    for (const CompiledRule& rule : to.rules) to.words.push_back(word_of(rule));
    to.takes_invalid = std::ranges::any_of(input.rules, [](const ClassifierRule& r) {
        return r.states == 0 || (r.states & kStateInvalid) != 0;
    });
    return out;
}

Result<std::vector<sched::PrincipalId>> principals_of(std::span<const NamedRule> named,
                                                      const Principals* declared) {
    std::vector<sched::PrincipalId> out(named.size(), sched::kNoPrincipal);
    for (size_t i = 0; i < named.size(); ++i) {
        const std::string& name = named[i].principal;
        if (name.empty()) continue;
        static const config::Node none;
        if (auto wrong = undeclared(name, declared == nullptr ? none : *declared->declared))
            return std::move(*wrong).within(fmt::format("rule '{}'", named[i].name));
        out[i] = declared->table.find(name);
    }
    return out;
}

Result<std::shared_ptr<const FirewallTables>> build_tables(std::span<const NamedRule> named,
                                                           const FirewallPolicy& policy,
                                                           const FirewallPolicy* previous) {
    BuildContext context{policy.sets, {}};
    keep_limits(previous, context.kept);
    auto built = build_rules(named, context);
    if (!built) return std::move(built.error());
    auto out = std::make_shared<FirewallTables>();
    out->rules = std::move(built->tables);
    const auto principals = principals_of(named, policy.principals.get());
    if (!principals) return principals.error();
    for (size_t i = 0; i < named.size(); ++i) {
        const NamedRule& rule = named[i];
        if (!rule.window.empty()) {
            out->windows.resize(limits::kMaxRules, policy.window);
            out->windows[rule.slot] = window_named(rule.window);
        }
        if ((*principals)[i] != sched::kNoPrincipal) {
            out->principals.resize(limits::kMaxRules, sched::kNoPrincipal);
            out->principals[rule.slot] = (*principals)[i];
        }
        if (is_builtin(rule.name)) continue;
        const uint32_t first = built->first[i], end = built->first[i + 1];
        if (!rule.extra.connections.of.empty())
            out->asking.push_back(static_cast<uint32_t>(out->order.size()));
        const bool counted = first != end && out->rules.rules[first].counted;
        out->place_of.emplace(rule.name, static_cast<uint32_t>(out->order.size()));
        out->order.push_back(
            {rule.name, rule.slot, first, end, counted, rule.extra.connections.of});
        out->slots.insert(rule.slot);
    }
    out->end = built->first.back();
    return std::shared_ptr<const FirewallTables>(std::move(out));
}

size_t FirewallDelta::memory_bytes() const {
    return sizeof *this + gone.capacity() / 8 + added.memory_bytes() +
           before.capacity() * sizeof(uint32_t) + windows.capacity() * sizeof(windows[0]) +
           principals.capacity() * sizeof(principals[0]);
}

size_t FirewallTables::memory_bytes() const {
    constexpr size_t kNode = 48;  // of a hash table, about
    return sizeof *this + rules.memory_bytes() + windows.capacity() +
           principals.capacity() * sizeof(principals[0]) +
           order.capacity() * (2 * sizeof(Place) + 2 * kNode);
}

}  // namespace ravelin::firewall
