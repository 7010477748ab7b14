// SPDX-License-Identifier: Apache-2.0
#include "controlplane/change/policy_store.h"

#include <fmt/format.h>

#include "controlplane/compile/compiler.h"
#include "controlplane/loop/event_loop.h"
#include "controlplane/loop/log.h"

namespace ravelin::control {
namespace {

constexpr uint64_t kCompactAt = 1 << 20;  // journal bytes; ~8,000 records

Result<Policy> policy_of(commit::StoredGeneration stored) {
    auto decoded = decode_snapshot(stored.snapshot);
    if (!decoded)
        return std::move(decoded.error())
            .within(fmt::format("history of generation {}", stored.generation));
    return Policy{stored.generation, std::move(stored.yaml), std::move(stored.snapshot),
                  std::move(decoded->tree)};
}

}  // namespace

Result<std::unique_ptr<PolicyStore>> PolicyStore::open(const std::string& directory,
                                                       commit::FileOps& files,
                                                       commit::OnDamage on_damage) {
    auto journal = commit::Journal::open(directory, files, on_damage);
    if (!journal) return std::move(journal.error());
    for (const std::string& warning : journal->warnings()) log_warning(warning);
    auto history = commit::History::open(directory, files);
    if (!history) return std::move(history.error());
    std::unique_ptr<PolicyStore> store(
        new PolicyStore(files, directory, std::move(*journal), std::move(*history)));
    store->load_slots();
    store->load_policies();
    return store;
}

void PolicyStore::load_slots() {
    auto text = commit::read_file(files_, directory_ + "/slots.json");
    if (!text) return;  // none yet
    auto slots = SlotMap::parse(*text);
    // Not worth refusing to start: the slots in force stand in the committed policy.
    if (!slots)
        return log_warning(directory_ + "/slots.json: " + slots.error().message +
                           ": starting anew");
    slots_ = std::move(*slots);
}

void PolicyStore::load_policies() {
    if (state().current != 0) {
        auto good = history_.last_good(state());
        if (!good)
            log_error(good.error().message);
        else {
            for (const std::string& warning : good->warnings) log_warning(warning);
            auto policy = policy_of(std::move(good->stored));
            if (policy)
                committed_ = std::move(*policy);
            else
                log_error(policy.error().message);
        }
    }
    if (state().pending != 0) {
        auto policy = load(state().pending);
        if (policy)
            pending_ = std::move(*policy);
        else
            log_error(policy.error().message);
    }
    adopt_slots();
}

Result<Policy> PolicyStore::load(uint64_t generation) const {
    auto stored = history_.load(generation);
    if (!stored) return std::move(stored.error());
    return policy_of(std::move(*stored));
}

const Policy& PolicyStore::in_force() const {
    const commit::GenerationInfo* info = state().find(state().pending);
    const bool provisional = info != nullptr && info->state == commit::GenerationState::provisional;
    return provisional ? pending_ : committed_;
}

Status PolicyStore::store(Policy policy) {
    if (Status s = history_.store(policy.generation, policy.yaml, policy.snapshot); !s) return s;
    pending_ = std::move(policy);
    return ok_status();
}

Status PolicyStore::intend(const commit::Intent& intent) {
    return journal_.intent(intent, unix_ms());
}

Status PolicyStore::settle(commit::RecordKind kind) {
    const uint64_t now = unix_ms();
    using Kind = commit::RecordKind;
    Status recorded = kind == Kind::provisional ? journal_.provisional(now)
                      : kind == Kind::commit    ? journal_.commit(now)
                      : kind == Kind::abort     ? journal_.abort(now)
                                                : journal_.rollback(now);
    if (!recorded) return recorded;
    if (kind == Kind::commit) committed_ = std::move(pending_);
    if (kind != Kind::provisional) pending_ = {};
    adopt_slots();
    if (kind == Kind::commit) prune();
    return ok_status();
}

void PolicyStore::adopt_slots() {
    const Policy& policy = in_force();
    if (policy.generation == 0) return;
    slots_.adopt(slotted_rules(policy.tree), policy.generation, read_slot_);
    save_slots();
}

void PolicyStore::save_slots() {
    if (Status s = commit::replace_file(files_, directory_ + "/slots.json", slots_.to_json()); !s)
        log_warning("rule slots are not saved: " + s.error().message);
}

void PolicyStore::adopt_slots(const config::Node& live) {
    slots_.adopt(slotted_rules(live), in_force().generation, read_slot_);
}

void PolicyStore::prune() {
    const config::Node& keep = committed_.tree["control"]["history"];
    auto oldest = history_.prune(
        state(), keep.is_null() ? commit::kDefaultKeep : static_cast<uint64_t>(keep.as_integer()));
    if (!oldest) return log_warning("history: " + oldest.error().message);
    if (journal_.bytes() < kCompactAt) return;
    if (Status s = journal_.compact(*oldest); !s) log_warning("journal: " + s.error().message);
}

}  // namespace ravelin::control
