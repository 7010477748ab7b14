// SPDX-License-Identifier: Apache-2.0
// The part of LiveFlow that keeps the list of rules, the tree made of it, and their hit counters.
#include <fmt/format.h>

#include <algorithm>

#include "controlplane/live/live_flow.h"
#include "controlplane/live/rule_script.h"
#include "controlplane/loop/log.h"
#include "pipelines/stages/firewall_wire.h"

namespace ravelin::control {
namespace {

// Where counts began, which a crash may forget, is saved when changes pause.
constexpr std::chrono::milliseconds kSaveSlots{1000};
constexpr uint64_t kSaveSlotsAfterMs = 10'000;

}  // namespace

LiveFlow::Version LiveFlow::version() const {
    return {store_.in_force().generation, state_.rules_serial()};
}

RuleList& LiveFlow::list() {
    if (list_of_ == version()) return list_;
    const Policy& policy = store_.in_force();
    const auto& changes = state_.rules(policy.generation);
    list_.reset(policy.tree);
    shorten_at_ = kShortenAt;
    if (Status s = list_.change({changes.begin(), changes.end()}); !s)
        log_error("live journal: " + s.error().message);  // by another version, or by hand
    list_of_ = version();
    return list_;
}

const config::Node& LiveFlow::tree() {
    const Policy& policy = store_.in_force();
    if (state_.rules(policy.generation).empty()) return policy.tree;
    if (tree_of_ == version()) return tree_;
    tree_ = firewall::with_rules(policy.tree, list().rules());
    tree_of_ = version();
    return tree_;
}

Status LiveFlow::fits(const firewall::RuleChanges& changes) { return list().fits(changes); }

/// Hit counters of live rules are their own, for as long as they are known.
void LiveFlow::adopt_rules() {
    if (state_.rules(store_.in_force().generation).empty()) return;
    store_.adopt_slots(tree());
    save_later();
}

void LiveFlow::adopt(const firewall::RuleChanges& changes) {
    for (const model::RuleChange& change : changes) {
        const auto edit = firewall::read_edit(change);
        if (!edit) continue;
        const config::Node& rule = edit->rule;
        if (rule.is_null())
            store_.release_slot(edit->remove);
        else
            store_.adopt_slot(
                {rule["name"].as_text(), static_cast<uint32_t>(rule["slot"].as_integer())});
    }
    save_later();
}

void LiveFlow::save_later() {
    const uint64_t now = unix_ms();
    if (save_ == EventLoop::kNoTimer)
        unsaved_since_ms_ = now;
    else if (now - unsaved_since_ms_ > kSaveSlotsAfterMs)
        return;
    else
        loop_.cancel(save_);
    save_ = loop_.after(kSaveSlots, [this] {
        save_ = EventLoop::kNoTimer;
        store_.save_slots();
    });
}

/// Rules that came and went again leave nothing behind.
void LiveFlow::shorten_rules() {
    const Policy& policy = store_.in_force();
    if (state_.rules(policy.generation).size() < shorten_at_) return;
    state_.set_rules(policy.generation, rule_script(policy.tree, tree()));
    shorten_at_ = std::max(kShortenAt, 2 * state_.rules(policy.generation).size());
}

void LiveFlow::take(const model::LiveChange& change) {
    const bool of_now =
                   change.rules_size() != 0 && change.generation() == store_.in_force().generation,
               listed = of_now && list_of_ == version(),
               promised = promises_ && promises_of_ == promises_version();
    state_.take(change);
    if (promised) keep_promises(change);
    if (listed && list_.change(change.rules())) list_of_ = version();
    if (of_now) adopt(change.rules());
}

}  // namespace ravelin::control
