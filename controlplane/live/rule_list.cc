// SPDX-License-Identifier: Apache-2.0
#include "controlplane/live/rule_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "controlplane/live/rule_script.h"

namespace ravelin::control {
namespace {

using config::Node;
using firewall::is_builtin;
using firewall::RuleEdit;

const std::string& name_of(const Node& rule) { return rule["name"].as_text(); }

/// The other rule whose flows it asks for; empty: none.
const std::string& asks_for(const Node& rule) {
    static const std::string none;
    const std::string& of = rule["connections"]["of"].as_text();
    return of == name_of(rule) || is_builtin(of) ? none : of;
}

}  // namespace

void RuleList::reset(const Node& tree) {
    firewall_ = std::ranges::any_of(tree["pipeline"].items(),
                                    [](const Node& stage) { return stage.has("firewall"); });
    const auto& given = rule_nodes(tree);
    rules_.assign(given.begin(), given.end());
    at_.clear();
    at_.reserve(given.size());
    askers_.clear();
    for (auto rule = rules_.begin(); rule != rules_.end(); ++rule) enter(rule);
}

Status RuleList::change(const firewall::RuleChanges& changes) {
    Status done = carry_out(changes);
    if (!done) undo();
    steps_.clear();
    gone_.clear();
    return done;
}

Status RuleList::fits(const firewall::RuleChanges& changes) {
    Status would = carry_out(changes);
    undo();
    return would;
}

Node RuleList::rules() const {
    Node out = Node::list();
    out.items().assign(rules_.begin(), rules_.end());
    return out;
}

Status RuleList::carry_out(const firewall::RuleChanges& changes) {
    if (!firewall_ && !changes.empty()) return Error{"the policy has no firewall"};
    for (const model::RuleChange& change : changes) {
        auto edit = firewall::read_edit(change);
        if (!edit) return std::move(edit.error());
        if (Status s = carry_out(*edit); !s) return s;
    }
    return check_counts();
}

Status RuleList::carry_out(const RuleEdit& edit) {
    if (edit.rule.is_null()) {
        const auto found = at_.find(edit.remove);
        if (found == at_.end()) return firewall::no_rule(edit.remove);
        const auto rule = found->second, next = std::next(rule);
        leave(rule);
        gone_.splice(gone_.end(), rules_, rule);
        steps_.push_back({rule, false, next});
        return ok_status();
    }
    const std::string& name = name_of(edit.rule);
    if (is_builtin(name) || name == firewall::kDefaultRule || at_.contains(name))
        return firewall::name_taken(name);
    const auto place = place_of(edit);
    if (!place) return place.error();
    const auto rule = rules_.insert(*place, edit.rule);
    enter(rule);
    steps_.push_back({rule, true});
    return ok_status();
}

/// The rule it is to stand before.
Result<RuleList::Rules::iterator> RuleList::place_of(const RuleEdit& edit) {
    if (edit.place == RuleEdit::Place::kFirst) return rules_.begin();
    if (edit.place == RuleEdit::Place::kLast) return rules_.end();
    const auto anchor = at_.find(edit.anchor);
    if (anchor == at_.end()) return firewall::no_rule(edit.anchor);
    return edit.place == RuleEdit::Place::kAfter ? std::next(anchor->second) : anchor->second;
}

void RuleList::undo() {
    for (; !steps_.empty(); steps_.pop_back()) {
        const Step& step = steps_.back();
        if (step.came) {
            leave(step.rule);
            rules_.erase(step.rule);
        } else {
            rules_.splice(step.next, gone_, step.rule);
            enter(step.rule);
        }
    }
}

void RuleList::enter(Rules::iterator rule) {
    const std::string& name = name_of(*rule);
    if (!is_builtin(name)) at_.emplace(name, rule);
    if (const std::string& of = asks_for(*rule); !of.empty()) askers_.emplace(of, name);
}

void RuleList::leave(Rules::iterator rule) {
    const std::string& name = name_of(*rule);
    at_.erase(name);
    if (const std::string& of = asks_for(*rule); !of.empty()) askers_.erase({of, name});
}

/// Whether the flows that rules ask for are counted, as far as the steps may have changed that.
Status RuleList::check_counts() const {
    for (const Step& step : steps_) {
        const std::string& name = name_of(*step.rule);
        if (const std::string& of = asks_for(*step.rule);
            !of.empty() && askers_.contains({of, name}))
            if (Status s = check_count(name, of); !s) return s;
        const auto asker = askers_.lower_bound({name, ""});
        if (asker == askers_.end() || asker->first != name) continue;
        if (Status s = check_count(asker->second, name); !s) return s;
    }
    return ok_status();
}

Status RuleList::check_count(const std::string& asker, const std::string& of) const {
    if (const auto found = at_.find(of); found != at_.end()) {
        const Node& rule = *found->second;
        const bool stateful = rule["stateful"].is_null() || rule["stateful"].as_bool();
        if (rule["action"].as_text() == "accept" && stateful) return ok_status();
    }
    return Error{fmt::format(
        "rule '{}': connections.of: found '{}', expected a rule that accepts and is stateful",
        asker, of)};
}

}  // namespace ravelin::control
