// SPDX-License-Identifier: Apache-2.0
// The part of ChangeFlow that brings journal and data plane together again.
#include <fmt/format.h>

#include <utility>

#include "controlplane/change/change_flow.h"
#include "controlplane/change/crash_point.h"
#include "controlplane/loop/log.h"

namespace ravelin::control {
namespace {

using Kind = commit::Decision::Kind;
using commit::RecordKind;
using std::chrono::milliseconds;

constexpr unsigned kMaxRounds = 6;  // reconcile() settles in three
constexpr milliseconds kResendTimeout{120'000};
constexpr milliseconds kStatusTimeout{10'000};
constexpr milliseconds kSlack{100};  // the data plane's deadline and ours are not one clock

commit::DataplaneView view_of(const model::DataplaneStatus& status) {
    return {status.generation(), status.previous(), status.confirm_remaining_ms(),
            status.rolled_back_from()};
}

std::optional<RecordKind> record_of(Kind kind, bool provisional) {
    switch (kind) {
        case Kind::record_commit:
            return RecordKind::commit;
        case Kind::record_rollback:
            return RecordKind::rollback;
        case Kind::record_abort:
            return RecordKind::abort;
        case Kind::wait_confirm:
            return provisional ? std::nullopt : std::optional(RecordKind::provisional);
        case Kind::nothing:
        case Kind::resend:
            break;
    }
    return std::nullopt;
}

}  // namespace

void ChangeFlow::reconcile(const model::DataplaneStatus& status) {
    if (!busy_) reconcile_round(view_of(status), 0);
}

void ChangeFlow::reconcile_round(const commit::DataplaneView& view, unsigned round) {
    const commit::JournalState& state = store_.state();
    const commit::Decision decision = commit::reconcile(state, view);
    if (decision.warning) log_warning(decision.explanation);
    if (round >= kMaxRounds)
        return log_error("data plane and journal do not come to agree: " + decision.explanation);
    crash_point("reconciling");
    const commit::GenerationInfo* info = state.find(state.pending);
    const bool provisional = info != nullptr && info->state == commit::GenerationState::provisional;
    if (const auto record = record_of(decision.kind, provisional)) {
        if (Status s = store_.settle(*record); !s) {
            log_error("cannot record what the data plane did: " + s.error().message);
            loop_.after(milliseconds(1000), [this] { look_again(); });
            return;
        }
        crash_point("reconciled");
    }
    if (decision.kind == Kind::resend) return resend(decision.generation, round);
    if (decision.settled()) return now_settled();
    reconcile_round(view, round + 1);
}

void ChangeFlow::resend(uint64_t generation, unsigned round) {
    if (store_.committed().generation != generation) return apply_older(generation);
    busy_ = true;
    crash_point("resending");
    const model::LiveChange live = live_ ? live_(generation) : model::LiveChange();
    link_.send_apply(
        store_.committed().snapshot, 0, kResendTimeout,
        [this, round](Result<model::Reply> reply) { resent(std::move(reply), round); },
        live_ ? &live : nullptr);
}

void ChangeFlow::resent(Result<model::Reply> reply, unsigned round) {
    busy_ = false;
    if (!reply) return link_.drop(reply.error().message);
    if (!reply->error().empty()) {
        log_error("the data plane refuses the committed policy: " + reply->error());
        loop_.after(milliseconds(1000), [this] { look_again(); });
        return;
    }
    crash_point("resent");
    reconcile_round(view_of(reply->status()), round + 1);
}

/// The current generation's files are damaged: what was committed before it becomes a new one, so
/// that no number ever stands for two policies.
void ChangeFlow::apply_older(uint64_t damaged) {
    answer_interrupted();
    const Policy& good = store_.committed();
    if (good.generation == 0) {
        settled_ = true;
        return log_error(
            fmt::format("generation {} is lost and there is none to put in its place", damaged));
    }
    settled_ = true;  // as far as it can be: apply() asks for it
    apply({good.tree,
           good.yaml,
           0,
           "ravelin-controlplane",
           fmt::format("generation {} is damaged: generation {} again", damaged, good.generation),
           {.force = true, .session = {}}},
          [](const Outcome& outcome) {
              if (const auto* failed = std::get_if<Failure>(&outcome)) log_error(failed->message);
          });
}

void ChangeFlow::now_settled() {
    settled_ = true;
    watch_deadline();
    if (changed_) changed_();
    answer_interrupted();
}

void ChangeFlow::answer_interrupted() {
    const uint64_t generation = std::exchange(interrupted_, 0);
    const Done done = generation == 0 ? nullptr : std::exchange(done_, nullptr);
    if (!done) return;
    const commit::GenerationInfo* info = store_.state().find(generation);
    if (info != nullptr && info->state == commit::GenerationState::committed)
        return done(Changed{generation, false, 0});
    if (info != nullptr && info->state == commit::GenerationState::provisional)
        return done(Changed{generation, true, info->confirm_deadline_ms});
    done(Failure{FailureKind::kUnavailable,
                 fmt::format("the data plane was lost meanwhile; generation {} was not applied",
                             generation)});
}

void ChangeFlow::look_again() {
    if (!link_.connected() || busy_) return;
    model::ToDataplane request;
    request.mutable_status();
    link_.send(std::move(request), kStatusTimeout, [this](Result<model::Reply> reply) {
        if (reply && reply->error().empty()) reconcile(reply->status());
    });
}

/// Looks again when an unconfirmed change must have been rolled back.
void ChangeFlow::watch_deadline() {
    loop_.cancel(std::exchange(deadline_, EventLoop::kNoTimer));
    if (store_.state().pending == 0) return;
    const milliseconds left(link_.last_status().confirm_remaining_ms());
    deadline_ = loop_.after(left + kSlack, [this] {
        deadline_ = EventLoop::kNoTimer;
        look_again();
    });
}

}  // namespace ravelin::control
