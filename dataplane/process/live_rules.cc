// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/live_rules.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>

#include <algorithm>
#include <functional>
#include <system_error>
#include <utility>

#include "dataplane/port_policies.h"
#include "dataplane/stage.h"
#include "pipelines/stages/firewall_policy.h"
#include "pipelines/stages/firewall_rule_reader.h"

namespace ravelin {
namespace {

using firewall::Action;
using firewall::FirewallPolicy;
using firewall::HeldEdit;
using firewall::NamedRule;
using Held = firewall::HeldEdits::value_type;

// Of the firewall; their number where there is none.
size_t firewall_step(const PolicySnapshot& snapshot) {
    const int stage = StageRegistry::get().index("firewall");
    size_t i = 0;
    while (i < snapshot.steps.size() && snapshot.steps[i].stage != stage) ++i;
    return i;
}

const FirewallPolicy& firewall_of(const StagePolicy& policy) {
    return static_cast<const FirewallPolicy&>(policy);
}

Error no_firewall() { return Error{"the policy has no firewall"}; }

Result<Held> read(const model::RuleChange& change, const std::vector<std::string>& ports) {
    auto edit = firewall::read_edit(change);
    if (!edit) return std::move(edit.error());
    auto held = std::make_shared<HeldEdit>();
    held->edit = std::move(*edit);
    if (held->edit.rule.is_null()) return Held(std::move(held));
    auto named = firewall::read_rule(held->edit.rule, ports);
    if (!named) return std::move(named.error());
    named->slot = static_cast<uint32_t>(held->edit.rule["slot"].as_integer());
    held->named = std::move(*named);
    return Held(std::move(held));
}

/// Of the scheduler: below whatever else wants the CPU, or beside it.
void set_policy(std::thread& thread, int policy) {
    const sched_param none{};
    [[maybe_unused]] const int refused =
        pthread_setschedparam(thread.native_handle(), policy, &none);
}

/// Whether a thread may go back to its share of the CPU (sched(7), RLIMIT_NICE).
bool may_come_back() {
    rlimit nice{};
    return ::getrlimit(RLIMIT_NICE, &nice) == 0 && nice.rlim_cur >= 20;
}

/// On what CPU nobody else wants, so that no change waits for it: until it is waited for itself.
/// Where no thread is to be had it is done at once.
std::thread in_background(std::function<void()> work) {
    try {
        std::thread thread(work);
        if (may_come_back()) set_policy(thread, SCHED_IDLE);
        return thread;
    } catch (const std::system_error&) {
        work();
        return {};
    }
}

void wait_for(std::thread& thread) {
    if (!thread.joinable()) return;
    set_policy(thread, SCHED_OTHER);
    thread.join();
}

void name(const HeldEdit& held, RuleNames& names) {
    if (held.edit.rule.is_null()) return;
    names.put({held.named.name, held.named.slot, std::string(action_name(held.named.action))});
}

}  // namespace

LiveRules::Next LiveRules::edited(const PolicySnapshot& now, const RuleChanges& changes) {
    const size_t step = firewall_step(now);
    if (step == now.steps.size()) return no_firewall();
    const FirewallPolicy& policy = firewall_of(*now.steps[step].policy);
    auto next = std::make_unique<PolicySnapshot>(now);
    const auto ports = names_of(now.ports);
    wanted_ = edits_;
    for (const model::RuleChange& change : changes) {
        auto held = read(change, ports);
        if (!held) return std::move(held.error());
        name(**held, next->rules);
        wanted_.push_back(std::move(*held));
        cancel();
    }
    auto delta = firewall::make_delta(policy, wanted_);
    if (!delta) return std::move(delta.error());
    auto with = std::make_shared<FirewallPolicy>(policy);
    with->delta = std::move(*delta);
    next->steps[step].policy = std::move(with);
    return next;
}

/// A rule that comes and goes before a merge has taken it up leaves nothing behind. Where another
/// edit stands by it, both stay.
void LiveRules::cancel() {
    const std::string& name = wanted_.back()->edit.remove;
    if (!wanted_.back()->edit.rule.is_null()) return;
    const size_t merging = merge_ == nullptr ? 0 : merge_->edits.size(), last = wanted_.size() - 1;
    for (size_t i = last; i-- > merging;) {
        const HeldEdit& other = *wanted_[i];
        if (other.edit.anchor == name || other.edit.remove == name) return;
        if (other.edit.rule.is_null() || other.named.name != name) continue;
        wanted_.pop_back();
        wanted_.erase(wanted_.begin() + static_cast<std::ptrdiff_t>(i));
        return;
    }
}

std::vector<NamedRule> LiveRules::suspects(const PolicySnapshot& now,
                                           const RuleChanges& changes) const {
    std::vector<NamedRule> out;
    const auto ports = names_of(now.ports);
    for (const model::RuleChange& change : changes) {
        const auto held = read(change, ports);
        if (!held) continue;
        if ((*held)->edit.rule.is_null()) {
            if (auto rule = find(now, (*held)->edit.remove);
                rule && rule->action == Action::kAccept)
                out.push_back(std::move(*rule));
        } else if ((*held)->named.action != Action::kAccept) {
            out.push_back((*held)->named);
        }
    }
    std::erase_if(out, [](const NamedRule& rule) { return !rule.matches; });
    return out;
}

std::optional<NamedRule> LiveRules::find(const PolicySnapshot& now, const std::string& name) const {
    const auto added = std::ranges::find(edits_.rbegin(), edits_.rend(), name,
                                         [](const Held& held) { return held->named.name; });
    if (added != edits_.rend()) return (*added)->named;
    const config::Node& rules = (*now.steps[firewall_step(now)].config)["rules"];
    for (const config::Node& rule : rules.items())
        if (rule["name"].as_text() == name)
            if (auto named = firewall::read_rule(rule, names_of(now.ports)))
                return std::move(*named);
    return std::nullopt;
}

LiveRules::Next LiveRules::rebuilt(const PolicySnapshot& now, const RuleChanges& changes) {
    const size_t at = firewall_step(now);
    auto next = std::make_unique<PolicySnapshot>(now);
    if (at == now.steps.size()) return changes.empty() ? Next(std::move(next)) : no_firewall();
    const auto ports = names_of(now.ports);
    firewall::HeldEdits edits;
    for (const model::RuleChange& change : changes) {
        auto held = read(change, ports);
        if (!held) return std::move(held.error());
        edits.push_back(std::move(*held));
    }
    PolicySnapshot::Step& step = next->steps[at];
    if (changes.empty() && step.config == step.given && firewall_of(*step.policy).delta == nullptr)
        return next;
    auto config = firewall::with_edits(*step.given, edits);
    if (!config) return std::move(config.error());
    auto policy = firewall::rebuild(firewall_of(*step.policy), *config, ports);
    if (!policy) return std::move(policy.error());
    next->rules = RuleNames(*(*policy)->infos);
    step.policy = std::move(*policy);
    step.config = std::make_shared<const config::Node>(std::move(*config));
    return next;
}

void LiveRules::accept() {
    edits_ = std::move(wanted_);
    wanted_.clear();
    clear_away();
}

void LiveRules::clear_away() {
    if (spent_.empty()) return;
    wait_for(cleaner_);
    cleaner_ = in_background([spent = std::exchange(spent_, {})]() mutable { spent.clear(); });
}

void LiveRules::forget() {
    wait();
    wait_for(cleaner_);
    spent_.clear();
    merge_.reset();
    edits_.clear();
    problem_.clear();
}

void LiveRules::wait() {
    if (merge_ != nullptr) wait_for(merge_->thread);
}

void LiveRules::hurry() {
    if (merge_ != nullptr && merge_->thread.joinable()) set_policy(merge_->thread, SCHED_OTHER);
}

void LiveRules::start_merge(const PolicySnapshot& now) {
    if (edits_.empty() || merge_ != nullptr || !problem_.empty()) return;
    const PolicySnapshot::Step& step = now.steps[firewall_step(now)];
    merge_ = std::make_unique<Merge>();
    merge_->edits = edits_;
    merge_->ports = names_of(now.ports);
    merge_->before = step.policy;
    merge_->config = step.config;
    merge_->thread = in_background([merge = merge_.get()] {
        if (Status s = run(*merge); !s) merge->after = std::move(s.error());
        merge->done.store(true, std::memory_order_release);
    });
}

Status LiveRules::run(Merge& merge) {
    auto config = firewall::with_edits(*merge.config, merge.edits);
    if (!config) return std::move(config.error());
    merge.after = firewall::rebuild(firewall_of(*merge.before), *config, merge.ports);
    if (!merge.after) return std::move(merge.after.error());
    merge.names = RuleNames(*(*merge.after)->infos);
    merge.merged = std::make_shared<const config::Node>(std::move(*config));
    return ok_status();
}

std::unique_ptr<PolicySnapshot> LiveRules::take_merged(const PolicySnapshot& now) {
    if (merge_ == nullptr || !merge_->done.load(std::memory_order_acquire)) return nullptr;
    wait();
    const std::unique_ptr<Merge> merge = std::move(merge_);
    if (!merge->after) {
        problem_ = merge->after.error().message;
        return nullptr;
    }
    // What came meanwhile stands beside the new tables.
    wanted_.assign(edits_.begin() + static_cast<std::ptrdiff_t>(merge->edits.size()), edits_.end());
    const PolicySnapshot::Step& held = now.steps[firewall_step(now)];
    auto delta = firewall::make_delta(**merge->after, wanted_, &firewall_of(*held.policy));
    if (!delta) {
        problem_ = delta.error().message;
        return nullptr;
    }
    auto next = std::make_unique<PolicySnapshot>(now);
    next->rules = std::move(merge->names);
    for (const Held& edit : wanted_) name(*edit, next->rules);
    auto policy = std::make_shared<FirewallPolicy>(**merge->after);
    policy->delta = std::move(*delta);
    PolicySnapshot::Step& step = next->steps[firewall_step(now)];
    spent_ = {firewall_of(*held.policy).tables, step.config};
    step.policy = std::move(policy);
    step.config = merge->merged;
    return next;
}

}  // namespace ravelin
