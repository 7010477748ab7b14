// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_live.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "pipelines/stages/firewall_build.h"

namespace ravelin::firewall {

Error no_rule(std::string_view name) {
    return Error{is_builtin(name)
                     ? fmt::format("rule '{}': is built in, expected a configured rule", name)
                     : fmt::format("rule '{}': there is none of this name", name)};
}

Error name_taken(std::string_view name) {
    return Error{fmt::format("rule '{}': there is one of this name already", name)};
}

namespace {

/// The list of edited rules while edits are carried out: rules of the tables by their place, those
/// added between them.
class Edited {
  public:
    explicit Edited(const FirewallTables& tables) : tables_(tables) {}

    Status take(const HeldEdit& held) {
        const RuleEdit& edit = held.edit;
        return edit.rule.is_null() ? remove(edit.remove) : add(held);
    }
    [[nodiscard]] bool gone(uint32_t place) const {
        return std::ranges::find(gone_, place) != gone_.end();
    }
    struct Added {
        const HeldEdit* held;
        uint32_t before;  // index into tables.order; its size: behind all
    };
    std::vector<Added> added;
    [[nodiscard]] const std::vector<uint32_t>& gone() const { return gone_; }
    [[nodiscard]] Status check() const {
        if (auto s = check_slots(); !s) return s;
        return gone_.empty() ? ok_status() : check_counted();
    }

  private:
    /// Whether every rule that was added counts in a slot of its own.
    [[nodiscard]] Status check_slots() const {
        std::unordered_set<uint32_t> free, taken;
        for (const uint32_t place : gone_) free.insert(tables_.order[place].slot);
        for (const Added& one : added) {
            const uint32_t slot = one.held->named.slot;
            const bool known = tables_.slots.contains(slot) && !free.contains(slot);
            if (known || slot >= kReservedSlots || !taken.insert(slot).second)
                return Error{
                    fmt::format("rule '{}': slot {} is another's", one.held->named.name, slot)};
        }
        return ok_status();
    }
    /// Whether no rule that stays asks for the flows of one that goes.
    [[nodiscard]] Status check_counted() const {
        for (const uint32_t place : tables_.asking) {
            const FirewallTables::Place& rule = tables_.order[place];
            if (gone(place)) continue;
            const auto of = tables_.place_of.find(rule.counts_of);
            if (of != tables_.place_of.end() && gone(of->second))
                return Error{
                    fmt::format("rule '{}': rule '{}' counts its flows (connections.of), expected "
                                "that one deleted first",
                                rule.counts_of, rule.name)};
        }
        return ok_status();
    }
    // Index into `added`, or its size.
    [[nodiscard]] size_t find_added(std::string_view name) const {
        size_t i = names_.contains(name) ? 0 : added.size();
        while (i < added.size() && added[i].held->named.name != name) ++i;
        return i;
    }
    [[nodiscard]] const uint32_t* find_place(const std::string& name) const {
        const auto at = tables_.place_of.find(name);
        return at == tables_.place_of.end() || gone(at->second) ? nullptr : &at->second;
    }
    Status remove(const std::string& name) {
        if (const size_t at = find_added(name); at < added.size()) {
            names_.erase(name);
            added.erase(added.begin() + static_cast<std::ptrdiff_t>(at));
            return ok_status();
        }
        const uint32_t* place = find_place(name);
        if (place == nullptr) return no_rule(name);
        gone_.push_back(*place);
        return ok_status();
    }
    Status add(const HeldEdit& held) {
        const std::string& name = held.named.name;
        if (is_builtin(name) || name == kDefaultRule || find_place(name) != nullptr ||
            find_added(name) < added.size())
            return name_taken(name);
        const auto behind = static_cast<uint32_t>(tables_.order.size());
        if (held.edit.place == RuleEdit::Place::kFirst) return insert(held, 0, 0);
        if (held.edit.place == RuleEdit::Place::kLast) return insert(held, added.size(), behind);
        const bool after = held.edit.place == RuleEdit::Place::kAfter;
        if (const size_t at = find_added(held.edit.anchor); at < added.size())
            return insert(held, after ? at + 1 : at, added[at].before);
        const uint32_t* place = find_place(held.edit.anchor);
        if (place == nullptr) return no_rule(held.edit.anchor);
        // Right before the anchor is behind all that stand before it; right after it is ahead of
        // all that stand before the next.
        size_t at = 0;
        while (at < added.size() && added[at].before <= *place) ++at;
        return insert(held, at, after ? *place + 1 : *place);
    }
    Status insert(const HeldEdit& held, size_t at, uint32_t before) {
        names_.insert(held.named.name);
        added.insert(added.begin() + static_cast<std::ptrdiff_t>(at), {&held, before});
        return ok_status();
    }

    const FirewallTables& tables_;
    std::vector<uint32_t> gone_;
    std::unordered_set<std::string_view> names_;  // of `added`
};

// A slot may have been another rule's, with a window of its own.
std::vector<std::pair<uint32_t, TcpWindow>> windows_of(std::span<const NamedRule> named,
                                                       const FirewallPolicy& policy) {
    std::vector<std::pair<uint32_t, TcpWindow>> out;
    for (const NamedRule& rule : named)
        if (!rule.window.empty())
            out.emplace_back(rule.slot, window_named(rule.window));
        else if (!policy.tables->windows.empty())
            out.emplace_back(rule.slot, policy.window);
    return out;
}

size_t index_of(const config::Node& rules, std::string_view name) {
    size_t i = 0;
    while (i < rules.items().size() && rules.items()[i]["name"].as_text() != name) ++i;
    return i;
}

}  // namespace

Status edit_rules(config::Node& rules, const RuleEdit& edit) {
    auto& items = rules.items();
    const auto iterator = [&](size_t i) { return items.begin() + static_cast<std::ptrdiff_t>(i); };
    if (edit.rule.is_null()) {
        const size_t at = index_of(rules, edit.remove);
        if (at == items.size() || is_builtin(edit.remove)) return no_rule(edit.remove);
        items.erase(iterator(at));
        return ok_status();
    }
    const std::string& name = edit.rule["name"].as_text();
    if (is_builtin(name) || name == kDefaultRule || index_of(rules, name) < items.size())
        return name_taken(name);
    size_t at = edit.place == RuleEdit::Place::kFirst ? 0 : items.size();
    if (edit.place == RuleEdit::Place::kBefore || edit.place == RuleEdit::Place::kAfter) {
        at = index_of(rules, edit.anchor);
        if (at == items.size() || is_builtin(edit.anchor)) return no_rule(edit.anchor);
        if (edit.place == RuleEdit::Place::kAfter) ++at;
    }
    items.insert(iterator(at), edit.rule);
    return ok_status();
}

Result<std::shared_ptr<const FirewallDelta>> make_delta(
    const FirewallPolicy& policy, std::span<const HeldEdits::value_type> edits,
    const FirewallPolicy* previous) {
    using Delta = std::shared_ptr<const FirewallDelta>;
    if (edits.size() > kMostLiveEdits)
        return Error{fmt::format("{} live edits, at most {} fit", edits.size(), kMostLiveEdits)};
    const FirewallTables& tables = *policy.tables;
    Edited edited(tables);
    for (const auto& held : edits)
        if (auto s = edited.take(*held); !s) return std::move(s.error());
    if (auto s = edited.check(); !s) return std::move(s.error());
    if (edited.gone().empty() && edited.added.empty()) return Delta();
    auto out = std::make_shared<FirewallDelta>();
    out->edits.assign(edits.begin(), edits.end());
    if (!edited.gone().empty()) out->gone.assign(tables.rules.rules.size(), false);
    for (const uint32_t place : edited.gone())
        for (uint32_t i = tables.order[place].first; i < tables.order[place].end; ++i)
            out->gone[i] = true;
    std::vector<NamedRule> named;
    for (const Edited::Added& added : edited.added) named.push_back(added.held->named);
    BuildContext context{policy.sets, {}, &tables};
    keep_limits(&policy, context.kept);
    keep_limits(previous, context.kept);
    auto built = build_rules(named, context);
    if (!built) return std::move(built.error());
    out->added = std::move(built->tables);
    for (size_t i = 0; i < named.size(); ++i) {
        const uint32_t before = edited.added[i].before;
        const uint32_t at = before < tables.order.size() ? tables.order[before].first : tables.end;
        out->before.insert(out->before.end(), built->first[i + 1] - built->first[i], at);
    }
    out->windows = windows_of(named, policy);
    const auto principals = principals_of(named, policy.principals.get());
    if (!principals) return principals.error();
    // A slot may have been another rule's, which charged somebody.
    for (size_t i = 0; i < named.size(); ++i)
        if ((*principals)[i] != sched::kNoPrincipal || !tables.principals.empty())
            out->principals.emplace_back(named[i].slot, (*principals)[i]);
    return Delta(std::move(out));
}

Result<config::Node> with_edits(config::Node firewall_config,
                                std::span<const HeldEdits::value_type> edits) {
    config::Node rules = firewall_config["rules"];
    for (const auto& held : edits)
        if (auto s = edit_rules(rules, held->edit); !s) return std::move(s.error());
    firewall_config.set("rules", std::move(rules));
    return firewall_config;
}

Result<std::shared_ptr<const FirewallPolicy>> rebuild(const FirewallPolicy& old,
                                                      const config::Node& config,
                                                      const std::vector<std::string>& port_names) {
    auto named = rules_of(config, port_names, old.wire);
    if (!named) return std::move(named.error());
    auto tables = build_tables(*named, old, &old);
    if (!tables) return std::move(tables.error());
    auto out = std::make_shared<FirewallPolicy>(old);
    out->tables = std::move(*tables);
    out->delta = nullptr;
    out->infos = std::make_shared<const std::vector<RuleInfo>>(names_of(*named, old.otherwise));
    return std::shared_ptr<const FirewallPolicy>(std::move(out));
}

}  // namespace ravelin::firewall
