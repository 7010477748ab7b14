// SPDX-License-Identifier: Apache-2.0
// A simulated data plane, and the control plane's use of the commit code as main does it.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/commit/history.h"
#include "controlplane/commit/reconcile.h"
#include "tests/unit/fake_disk.h"

namespace ravelin::commit {

struct SimDataplane {
    DataplaneView view;
    std::string policy, held;  // of view.generation and view.previous

    void apply(uint64_t generation, const std::string& snapshot, bool confirm) {
        held = std::exchange(policy, snapshot);
        view = {generation, view.generation, confirm ? 60000u : 0u, view.rolled_back_from};
    }
    bool confirm() { return std::exchange(view.confirm_remaining_ms, 0u) != 0; }
    bool rollback() {
        if (view.confirm_remaining_ms == 0) return false;
        policy = held;
        view = {view.previous, 0, 0, view.generation};
        return true;
    }
    void restart() { *this = {}; }
};

/// The control plane as main drives it. `acknowledged` outlives crashes: it is what operators saw.
struct Acknowledged {
    uint64_t current = 0, highest = 0;
    std::map<uint64_t, std::string> yaml;  // committed
    std::vector<uint64_t> undone;
};

class Driver {
  public:
    Driver(FakeDisk& disk, SimDataplane& dataplane, Acknowledged& seen)
        : disk_(disk), dataplane_(dataplane), seen_(seen) {}

    Status start() {
        auto journal = Journal::open("/s", disk_);
        if (!journal) return journal.error();
        journal_.emplace(std::move(*journal));
        auto history = History::open("/s", disk_);
        if (!history) return history.error();
        history_.emplace(std::move(*history));
        return settle();
    }
    Status settle() {
        for (int round = 0; round < 4; ++round) {
            const Decision d = reconcile(journal_->state(), dataplane_.view);
            if (Status done = record(*journal_, d, 1); !done) return done;
            if (d.settled()) return ok_status();
            if (d.kind != Decision::Kind::resend) continue;
            auto stored = history_->load(d.generation);
            if (!stored) return stored.error();
            dataplane_.apply(d.generation, stored->snapshot, false);
        }
        return Error{"does not settle"};
    }
    Status apply(bool confirm) {
        if (Status ready = settle(); !ready) return ready;
        const auto g = history_->next_generation(journal_->state(), dataplane_.view.generation);
        if (!g) return g.error();
        const std::string text = "policy " + std::to_string(*g);
        if (Status s = history_->store(*g, text, "compiled " + text); !s) return s;
        if (Status s = journal_->intent({*g, confirm ? 99u : 0u, "a", "c"}, 1); !s) return s;
        used_ = std::max(used_, *g);
        dataplane_.apply(*g, "compiled " + text, confirm);
        if (Status s = confirm ? journal_->provisional(2) : journal_->commit(2); !s) return s;
        seen_.highest = *g;
        if (!confirm) acknowledge(*g);
        return ok_status();
    }
    Status confirm() {
        const uint64_t g = journal_->state().pending;
        if (g == 0 || !dataplane_.confirm()) return Error{"nothing to confirm"};
        if (Status s = journal_->commit(3); !s) return s;
        acknowledge(g);
        return ok_status();
    }
    Status rollback() {
        const uint64_t g = journal_->state().pending;
        if (g == 0 || !dataplane_.rollback()) return Error{"nothing to roll back"};
        if (Status s = journal_->rollback(3); !s) return s;
        seen_.undone.push_back(g);
        return ok_status();
    }
    Status expire() {
        dataplane_.rollback();
        return settle();
    }
    Status prune() {
        const auto oldest = history_->prune(journal_->state(), 2);
        if (!oldest) return oldest.error();
        std::erase_if(seen_.yaml, [&](const auto& e) { return e.first < *oldest; });
        return journal_->compact(*oldest);
    }
    /// Whether both sides agree and everything acknowledged is there, as acknowledged.
    void check() const {
        const JournalState& s = journal_->state();
        const DataplaneView& v = dataplane_.view;
        ASSERT_EQ(v.generation, s.pending != 0 ? s.pending : s.current);
        ASSERT_EQ(s.pending != 0, v.confirm_remaining_ms > 0);
        ASSERT_GE(s.current, seen_.current);
        if (v.generation != 0) {
            const auto stored = history_->load(v.generation);
            ASSERT_TRUE(stored.ok()) << stored.error().message;
            ASSERT_EQ(dataplane_.policy, stored->snapshot);
            ASSERT_EQ(dataplane_.policy, "compiled " + stored->yaml);
        }
        for (const auto& [generation, yaml] : seen_.yaml) {
            const GenerationInfo* info = s.find(generation);
            if (generation < s.previous && info == nullptr) continue;  // pruned, unacknowledged
            ASSERT_TRUE(info != nullptr && info->state == GenerationState::committed);
            const auto stored = history_->load(generation);
            ASSERT_TRUE(stored.ok() || generation < s.previous);
            if (stored.ok()) {
                ASSERT_EQ(stored->yaml, yaml);
            }
        }
        for (const uint64_t generation : seen_.undone) {
            ASSERT_NE(s.current, generation);
            ASSERT_NE(v.generation, generation);
        }
        const auto next = history_->next_generation(s, v.generation);
        ASSERT_GT(*next, std::max({used_, seen_.highest, s.highest}));
    }
    [[nodiscard]] const JournalState& state() const { return journal_->state(); }

  private:
    void acknowledge(uint64_t g) {
        seen_.current = seen_.highest = g;
        seen_.yaml[g] = "policy " + std::to_string(g);
    }
    FakeDisk& disk_;
    SimDataplane& dataplane_;
    Acknowledged& seen_;
    std::optional<Journal> journal_;
    std::optional<History> history_;
    uint64_t used_ = 0;
};

}  // namespace ravelin::commit
