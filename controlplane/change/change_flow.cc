// SPDX-License-Identifier: Apache-2.0
#include "controlplane/change/change_flow.h"

#include <fmt/format.h>

#include <utility>

#include "controlplane/change/crash_point.h"
#include "controlplane/loop/log.h"

namespace ravelin::control {
namespace {

using commit::RecordKind;
using std::chrono::milliseconds;

constexpr milliseconds kApplyTimeout{120'000};  // first Apply boots EAL; a full table takes seconds
constexpr milliseconds kSmallTimeout{10'000};
constexpr milliseconds kInterruptedTimeout{30'000};

Failure failure(FailureKind kind, std::string message) { return {kind, std::move(message)}; }

}  // namespace

std::optional<Failure> ChangeFlow::obstacle(bool pending_allowed) const {
    if (busy_)
        return failure(FailureKind::kRefused,
                       "another change is under way, expected it to end first");
    if (!link_.connected()) return failure(FailureKind::kUnavailable, link_.problem());
    if (!settled_)
        return failure(FailureKind::kUnavailable,
                       "the data plane is being brought to the committed policy");
    const uint64_t pending = store_.state().pending;
    if (pending != 0 && !pending_allowed)
        return failure(
            FailureKind::kRefused,
            fmt::format(
                "generation {} waits for its confirmation, expected confirm or rollback first",
                pending));
    return std::nullopt;
}

std::optional<Failure> ChangeFlow::begin(ChangeRequest& request, uint64_t generation,
                                         uint64_t deadline) {
    Policy policy{generation, std::move(request.yaml), encode_snapshot(request.tree, generation),
                  std::move(request.tree)};
    if (Status s = store_.store(std::move(policy)); !s)
        return failure(FailureKind::kInternal, s.error().message);
    crash_point("history");
    if (Status s = store_.intend({generation, deadline, request.author, request.comment}); !s)
        return failure(FailureKind::kInternal, s.error().message);
    crash_point("intent");
    return std::nullopt;
}

void ChangeFlow::apply(ChangeRequest request, Done done) {
    if (auto blocked = obstacle(false)) return done(std::move(*blocked));
    auto generation = store_.next_generation(link_.last_status().generation());
    if (!generation) return done(failure(FailureKind::kInternal, generation.error().message));
    const uint64_t deadline = request.confirm_ms == 0 ? 0 : unix_ms() + request.confirm_ms;
    const auto keep = kept_paths(request.guard, request.tree, store_.in_force().tree);
    if (auto failed = begin(request, *generation, deadline)) return done(std::move(*failed));
    busy_ = true;
    done_ = std::move(done);
    link_.send_apply(
        store_.pending().snapshot, request.confirm_ms, kApplyTimeout,
        [this, g = *generation, deadline](Result<model::Reply> reply) {
            applied(g, deadline, std::move(reply));
        },
        nullptr, keep);
    crash_point("sent");
}

void ChangeFlow::applied(uint64_t generation, uint64_t deadline, Result<model::Reply> reply) {
    if (!reply) return interrupted(generation, reply.error().message);
    if (!reply->error().empty()) {
        const Failure refused = failure(FailureKind::kRefused, reply->error());
        return settle_and_finish(RecordKind::abort, "aborted", refused);
    }
    crash_point("applied");
    if (deadline == 0)
        return settle_and_finish(RecordKind::commit, "committed", Changed{generation, false, 0});
    settle_and_finish(RecordKind::provisional, "provisional", Changed{generation, true, deadline});
    watch_deadline();
}

/// Carried out or not? The next meeting tells.
void ChangeFlow::interrupted(uint64_t generation, const std::string& why) {
    busy_ = settled_ = false;
    interrupted_ = generation;
    loop_.after(kInterruptedTimeout, [this, generation] {
        if (interrupted_ != generation) return;
        interrupted_ = 0;
        if (const Done done = std::exchange(done_, nullptr))
            done(failure(
                FailureKind::kUnavailable,
                fmt::format("the data plane was lost meanwhile; the fate of generation {} is open",
                            generation)));
    });
    link_.drop(why);
}

void ChangeFlow::settle_and_finish(RecordKind kind, const char* step, Outcome outcome) {
    if (Status s = store_.settle(kind); !s) {
        // The data plane has moved on and the journal has not: the next look repairs it.
        loop_.after(milliseconds(1000), [this] { look_again(); });
        return finish(
            failure(FailureKind::kInternal,
                    "the data plane took it, but it is not recorded: " + s.error().message));
    }
    crash_point(step);
    if (changed_) changed_();
    finish(std::move(outcome));
}

void ChangeFlow::finish(Outcome outcome) {
    busy_ = false;
    if (const auto* changed = std::get_if<Changed>(&outcome))
        log_info(fmt::format("generation {} is in force{}", changed->generation,
                             changed->provisional ? ", to be confirmed" : ""));
    if (const Done done = std::exchange(done_, nullptr)) done(std::move(outcome));
    crash_point("acknowledged");
}

void ChangeFlow::confirm(Done done) {
    if (auto blocked = obstacle(true)) return done(std::move(*blocked));
    const uint64_t pending = store_.state().pending;
    if (pending == 0) return done(failure(FailureKind::kRefused, "nothing waits for confirmation"));
    busy_ = true;
    done_ = std::move(done);
    crash_point("confirming");
    model::ToDataplane request;
    request.mutable_confirm()->set_generation(pending);
    link_.send(std::move(request), kSmallTimeout, [this, pending](Result<model::Reply> reply) {
        if (!reply) return interrupted(pending, reply.error().message);
        if (!reply->error().empty()) {
            finish(failure(FailureKind::kRefused, reply->error()));
            return look_again();
        }
        crash_point("confirmed");
        loop_.cancel(std::exchange(deadline_, EventLoop::kNoTimer));
        settle_and_finish(RecordKind::commit, "committed", Changed{pending, false, 0});
    });
}

void ChangeFlow::rollback(std::optional<uint64_t> generation, std::string author,
                          std::string comment, Guard guard, Done done) {
    if (auto blocked = obstacle(!generation)) return done(std::move(*blocked));
    const commit::JournalState& state = store_.state();
    if (!generation && state.pending != 0) return undo_provisional(guard, std::move(done));
    const uint64_t target = generation.value_or(state.previous);
    if (target == 0) return done(failure(FailureKind::kRefused, "there is no earlier generation"));
    auto policy = store_.load(target);
    if (!policy) return done(failure(FailureKind::kRefused, policy.error().message));
    auto compiled = compiler_.recompile(std::move(policy->tree), store_.slots());
    if (!compiled) return done(failure(FailureKind::kInvalid, compiled.error().message));
    if (comment.empty()) comment = fmt::format("rollback to generation {}", target);
    apply({std::move(compiled->tree), std::move(policy->yaml), 0, std::move(author),
           std::move(comment), std::move(guard)},
          std::move(done));
}

void ChangeFlow::undo_provisional(const Guard& guard, Done done) {
    busy_ = true;
    done_ = std::move(done);
    const uint64_t pending = store_.state().pending;
    crash_point("rolling-back");
    model::ToDataplane request;
    request.mutable_rollback();
    for (model::Path& path : kept_paths(guard, store_.committed().tree, store_.in_force().tree))
        *request.add_keep() = std::move(path);
    link_.send(std::move(request), kSmallTimeout, [this, pending](Result<model::Reply> reply) {
        if (!reply) return interrupted(pending, reply.error().message);
        if (!reply->error().empty()) {
            finish(failure(FailureKind::kRefused, reply->error()));
            return look_again();
        }
        crash_point("rolled-back");
        loop_.cancel(std::exchange(deadline_, EventLoop::kNoTimer));
        settle_and_finish(RecordKind::rollback, "recorded",
                          Changed{store_.state().current, false, 0});
    });
}

}  // namespace ravelin::control
