// SPDX-License-Identifier: Apache-2.0
// PolicyStore: the state directory as one thing: journal, history, rule slots, and in memory the
// policies that are committed and pending, ready to be sent again.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "controlplane/commit/history.h"
#include "controlplane/commit/journal.h"
#include "controlplane/compile/slots.h"
#include "dataplane/config/node.h"
#include "dataplane/result.h"

namespace ravelin::control {

/// One generation, as sent and as a tree.
struct Policy {
    uint64_t generation = 0;  ///< 0: none
    std::string yaml;         ///< the operator's text
    std::string snapshot;     ///< encoded model::PolicySnapshot
    config::Node tree;
};

class PolicyStore {
  public:
    /// Opens or creates the state directory. Error: path and what is wrong there.
    static Result<std::unique_ptr<PolicyStore>> open(const std::string& directory,
                                                     commit::FileOps& files,
                                                     commit::OnDamage on_damage);

    [[nodiscard]] commit::Journal& journal() { return journal_; }
    [[nodiscard]] const commit::JournalState& state() const { return journal_.state(); }
    [[nodiscard]] const commit::History& history() const { return history_; }
    [[nodiscard]] const SlotMap& slots() const { return slots_; }
    /// What the journal calls current, or an older one where its files are damaged.
    [[nodiscard]] const Policy& committed() const { return committed_; }
    [[nodiscard]] const Policy& pending() const { return pending_; }
    /// The pending one while the journal says it is provisional, else the committed one.
    [[nodiscard]] const Policy& in_force() const;

    /// What a rule's slot counts now; set once by the owner.
    void set_slot_reader(SlotMap::ReadSlot read) { read_slot_ = std::move(read); }

    /// The slots of a tree that live changes made of that in force are known from now on, and after
    /// save_slots() in the next process as well.
    void adopt_slots(const config::Node& live);
    /// The same of one rule that came or went.
    void adopt_slot(const SlottedRule& rule) {
        slots_.come(rule, in_force().generation, read_slot_);
    }
    void release_slot(std::string_view rule) { slots_.go(rule); }
    void save_slots();

    /// Above every number used so far.
    [[nodiscard]] Result<uint64_t> next_generation(uint64_t dataplane_generation) const {
        return history_.next_generation(state(), dataplane_generation);
    }
    [[nodiscard]] Result<Policy> load(uint64_t generation) const;

    /// The steps of a change, each durable when it returns. Errors: nothing changed.
    Status store(Policy policy);
    Status intend(const commit::Intent& intent);
    Status settle(commit::RecordKind kind);

  private:
    PolicyStore(commit::FileOps& files, std::string directory, commit::Journal journal,
                commit::History history)
        : files_(files),
          directory_(std::move(directory)),
          journal_(std::move(journal)),
          history_(std::move(history)) {}
    void load_policies();
    void load_slots();
    void adopt_slots();
    void prune();

    commit::FileOps& files_;
    std::string directory_;
    commit::Journal journal_;
    commit::History history_;
    SlotMap slots_;
    SlotMap::ReadSlot read_slot_;
    Policy committed_, pending_;
};

}  // namespace ravelin::control
