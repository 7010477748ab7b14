// SPDX-License-Identifier: Apache-2.0
// ChangeFlow: a policy change from the operator's request to its acknowledgement, in the order that
// survives a crash anywhere: history files, intent, data plane, record, answer. And what puts
// journal and data plane in agreement again whenever they meet.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "controlplane/change/failure.h"
#include "controlplane/change/guard.h"
#include "controlplane/change/policy_store.h"
#include "controlplane/commit/reconcile.h"
#include "controlplane/compile/compiler.h"
#include "controlplane/link/dataplane_link.h"
#include "controlplane/loop/event_loop.h"

namespace ravelin::control {

/// What an operator wants done and signs with their name.
struct ChangeRequest {
    config::Node tree;  ///< of Compiled, against the store's slots
    std::string yaml;
    uint32_t confirm_ms = 0;  ///< 0: final at once
    std::string author, comment;
    Guard guard = {};
};

struct Changed {
    uint64_t generation = 0;
    bool provisional = false;
    uint64_t deadline_unix_ms = 0;  ///< to confirm until; 0: final
};

class ChangeFlow {
  public:
    using Outcome = std::variant<Changed, Failure>;
    using Done = std::function<void(Outcome)>;

    ChangeFlow(EventLoop& loop, DataplaneLink& link, PolicyStore& store, Compiler& compiler)
        : loop_(loop), link_(link), store_(store), compiler_(compiler) {}
    ~ChangeFlow() { loop_.cancel(deadline_); }
    ChangeFlow(const ChangeFlow&) = delete;
    ChangeFlow& operator=(const ChangeFlow&) = delete;

    /// Called whenever another generation may be in force.
    void on_change(std::function<void()> changed) { changed_ = std::move(changed); }

    /// What is live beside the committed policy and goes with it when it is sent again.
    using Live = std::function<model::LiveChange(uint64_t generation)>;
    void send_along(Live live) { live_ = std::move(live); }

    /// Each calls `done` once, when the outcome is certain and durable.
    void apply(ChangeRequest request, Done done);
    void confirm(Done done);
    /// Without a generation: back from an unconfirmed change, else to the generation before the
    /// current one. With one: that generation's policy becomes a new generation.
    void rollback(std::optional<uint64_t> generation, std::string author, std::string comment,
                  Guard guard, Done done);

    /// The data plane (re)appeared, with this status: makes journal and data plane agree.
    void reconcile(const model::DataplaneStatus& status);
    /// Something happened there: asks for its status and reconciles.
    void look_again();
    /// The data plane has the policy the journal says, as far as is known.
    [[nodiscard]] bool settled() const { return settled_ && !busy_; }
    void connection_lost() { settled_ = false; }

  private:
    std::optional<Failure> obstacle(bool pending_allowed) const;
    std::optional<Failure> begin(ChangeRequest& request, uint64_t generation, uint64_t deadline);
    void applied(uint64_t generation, uint64_t deadline, Result<model::Reply> reply);
    void interrupted(uint64_t generation, const std::string& why);
    void finish(Outcome outcome);
    void settle_and_finish(commit::RecordKind kind, const char* step, Outcome outcome);
    void undo_provisional(const Guard& guard, Done done);
    void reconcile_round(const commit::DataplaneView& view, unsigned round);
    void resend(uint64_t generation, unsigned round);
    void resent(Result<model::Reply> reply, unsigned round);
    void apply_older(uint64_t damaged);
    void now_settled();
    void answer_interrupted();
    void watch_deadline();

    EventLoop& loop_;
    DataplaneLink& link_;
    PolicyStore& store_;
    Compiler& compiler_;
    std::function<void()> changed_;
    Live live_;
    bool busy_ = false;  // a request or a resend is under way
    bool settled_ = false;
    Done done_;                 // of the request under way
    uint64_t interrupted_ = 0;  // generation whose fate reconciliation decides for done_
    EventLoop::TimerId deadline_ = EventLoop::kNoTimer;
};

}  // namespace ravelin::control
