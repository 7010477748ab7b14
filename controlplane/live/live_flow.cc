// SPDX-License-Identifier: Apache-2.0
#include "controlplane/live/live_flow.h"

#include <fmt/format.h>

#include <utility>
#include <vector>

#include "controlplane/change/crash_point.h"
#include "controlplane/loop/log.h"
#include "pipelines/model/tree_codec.h"

namespace ravelin::control {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kTimeout{30'000};  // a worker that hangs is given up after 10 s
constexpr milliseconds kRetry{5};
constexpr uint64_t kPatienceMs =
    10'000;  // for a policy change to end, or the data plane to be back
constexpr size_t kMostWaiting = 1024;
constexpr uint64_t kCompactAt = 4 << 20;  // bytes of the journal

uint64_t steady_ns() {
    return static_cast<uint64_t>(
        std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count());
}

Failure failure(FailureKind kind, std::string message) { return {kind, std::move(message)}; }

}  // namespace

Status LiveFlow::open(const std::string& directory, commit::FileOps& files, bool salvage) {
    auto journal = LiveJournal::open(directory, files, state_);
    if (!journal && salvage) {
        log_warning(fmt::format("{}; kept the live changes before that, up to {}",
                                journal.error().message, state_.serial()));
        if (files.rename(directory + "/live", directory + "/live.damaged") != 0)
            return commit::system_error(directory + "/live", "rename");
        LiveState nothing;
        journal = LiveJournal::open(directory, files, nothing);
        if (journal)
            if (Status s = journal->rewrite(state_.whole(store_.state().current, unix_ms())); !s)
                return s;
    }
    if (!journal) return std::move(journal.error());
    journal_.emplace(std::move(*journal));
    forget_undeclared();
    return ok_status();
}

const LiveState& LiveFlow::state() {
    state_.expire(unix_ms());
    return state_;
}

/// What could not be kept under the policy that it goes with would have all of it refused.
model::LiveChange LiveFlow::sync(uint64_t generation) {
    model::LiveChange out = state_.whole(generation, unix_ms());
    if (out.reservations_size() == 0 || generation != store_.in_force().generation) return out;
    out.clear_reservations();
    const config::Node kept = promises().live();
    for (const config::Node& one : kept.items())
        model::encode(one, *out.add_reservations()->mutable_grant());
    return out;
}

void LiveFlow::change(Prepare prepare, Done done, Guard guard) {
    if (queue_.size() >= kMostWaiting)
        return done(failure(FailureKind::kRefused,
                            fmt::format("{} live changes wait already", kMostWaiting)));
    queue_.push_back({std::move(prepare), std::move(done), std::move(guard), unix_ms()});
    pump();
}

void LiveFlow::pump() {
    while (!busy_ && !queue_.empty()) {
        if (link_.connected() && flow_.settled()) {
            const Request request = std::move(queue_.front());
            queue_.pop_front();
            begin(request);
            continue;
        }
        if (unix_ms() < queue_.front().since_ms + kPatienceMs) return retry_later();
        const Done done = std::move(queue_.front().done);
        queue_.pop_front();
        done(failure(FailureKind::kUnavailable,
                     link_.connected() ? "a change of the policy is under way" : link_.problem()));
    }
}

void LiveFlow::retry_later() {
    if (retry_ != EventLoop::kNoTimer) return;
    retry_ = loop_.after(kRetry, [this] {
        retry_ = EventLoop::kNoTimer;
        if (std::exchange(sync_due_, false)) send_sync();
        pump();
    });
}

void LiveFlow::begin(const Request& request) {
    model::LiveChange change;
    change.set_serial(state_.serial() + 1);
    change.set_generation(store_.in_force().generation);
    change.set_unix_ms(unix_ms());
    if (auto wrong = request.prepare(change)) return request.done(std::move(*wrong));
    const config::Node& in_force = store_.in_force().tree;
    auto keep = kept_paths(request.guard, in_force, in_force);
    busy_ = true;
    done_ = request.done;
    if (keep.empty()) return carry_out(std::move(change));
    attempt(std::move(change), std::move(keep));
}

/// What the guard refuses is never written down, or a crash before the refusal would bring it in.
void LiveFlow::attempt(model::LiveChange change, std::vector<model::Path> keep) {
    model::ToDataplane message;
    *message.mutable_live() = change;
    message.set_try_only(true);
    for (model::Path& path : keep) *message.add_keep() = std::move(path);
    link_.send(std::move(message), kTimeout,
               [this, change = std::move(change)](Result<model::Reply> reply) mutable {
                   if (!reply) {
                       link_.drop(reply.error().message);
                       return finish(failure(FailureKind::kUnavailable, reply.error().message));
                   }
                   if (!reply->error().empty())
                       return finish(failure(FailureKind::kRefused, reply->error()));
                   if (!flow_.settled() || change.generation() != store_.in_force().generation)
                       return finish(failure(FailureKind::kRefused,
                                             "the policy changed meanwhile; ask again"));
                   crash_point("live-tried");
                   carry_out(std::move(change));
               });
}

/// Nothing can have come between it and what it was tried against.
void LiveFlow::carry_out(model::LiveChange change) {
    const uint64_t before = steady_ns(), size = journal_->bytes();
    if (Status s = journal_->append(change); !s)
        return finish(failure(FailureKind::kInternal, s.error().message));
    const uint64_t fsync_ns = steady_ns() - before;
    crash_point("live-journaled");
    model::ToDataplane message;
    *message.mutable_live() = change;
    ask_for(change);
    link_.send(std::move(message), kTimeout,
               [this, change = std::move(change), fsync_ns, size](Result<model::Reply> reply) {
                   asked_.items().clear();
                   if (reply && !reply->error().empty())
                       return refused(change, size, reply->error());
                   changed(change, fsync_ns, std::move(reply));
               });
}

void LiveFlow::changed(const model::LiveChange& change, uint64_t fsync_ns,
                       Result<model::Reply> reply) {
    crash_point("live-in-force");
    take(change);
    if (!reply) {  // it is written down: the data plane gets it when it is met again
        link_.drop(reply.error().message);
        return finish(failure(FailureKind::kUnavailable,
                              "the data plane was lost meanwhile; the change is recorded and comes "
                              "into force when it is back"));
    }
    if (change.rules_size() != 0) shorten_rules();
    compact();
    finish(LiveDone{change.generation(), change.serial(), reply->live_ns(), fsync_ns});
}

/// `size`: of the journal before the change, which needs no room on the disk.
void LiveFlow::refused(const model::LiveChange& change, uint64_t size, const std::string& why) {
    if (Status s = journal_->cut(size); !s) {
        // The record stands, so the change does: the next sync brings it.
        take(change);
        log_error(fmt::format("live change {} was refused ({}), and cannot be taken back: {}",
                              change.serial(), why, s.error().message));
    }
    finish(failure(FailureKind::kRefused, why));
    send_sync();
}

void LiveFlow::finish(const Outcome& outcome) {
    busy_ = false;
    if (const Done done = std::exchange(done_, nullptr)) done(outcome);
    crash_point("live-acknowledged");
    if (!queue_.empty()) retry_later();
}

void LiveFlow::policy_changed() {
    if (!journal_) return;
    forget_undeclared();
    adopt_rules();
    if (!state_.reservations().empty()) promises();  // what they are now is told at once
    send_sync();
    sync_due_ = !flow_.settled();  // told in the midst of a change
    if (sync_due_ || !queue_.empty()) retry_later();
}

/// Elements of sets that the committed policy does not declare are gone, or they would be back with
/// a set of the same name some day.
void LiveFlow::forget_undeclared() {
    if (store_.state().pending != 0 || store_.committed().generation == 0) return;
    model::LiveChange change;
    change.set_serial(state_.serial());
    change.set_unix_ms(unix_ms());
    const config::Node& declared = store_.committed().tree["sets"];
    for (const auto& [name, elements] : state_.sets()) {
        const auto type = set_type_of(declared[name]["type"].as_text());
        const bool fits =
            type && (elements.empty() || SetElement::read(*type, elements.begin()->first.data()));
        if (fits) continue;
        model::SetChange& gone = *change.add_sets();
        gone.set_set(name);
        gone.set_action(model::SetChange::FORGET);
    }
    if (change.sets_size() == 0) return;
    if (Status s = journal_->append(change); !s)
        return log_warning("live journal: " + s.error().message);
    state_.take(change);
}

void LiveFlow::send_sync() {
    const model::DataplaneStatus& status = link_.last_status();
    const uint64_t generation = store_.in_force().generation;
    if (busy_ || !link_.connected() || !flow_.settled() || generation == 0 ||
        status.generation() != generation ||
        (status.live().serial() == state_.serial() && !lacks_promises()))
        return;
    log_info(fmt::format("the data plane is at live change {}: bringing it to {}",
                         status.live().serial(), state_.serial()));
    busy_ = true;
    model::ToDataplane message;
    *message.mutable_live() = sync(generation);
    link_.send(std::move(message), kTimeout, [this](Result<model::Reply> reply) {
        busy_ = false;
        if (!reply) return link_.drop(reply.error().message);
        if (!reply->error().empty())
            log_error("the data plane refuses the live changes: " + reply->error());
        else
            note_left_out();
        pump();
    });
}

void LiveFlow::compact() {
    if (journal_->bytes() < kCompactAt) return;
    state_.expire(unix_ms());
    const model::LiveChange whole = state_.whole(store_.committed().generation, unix_ms());
    if (journal_->bytes() < 2 * whole.ByteSizeLong()) return;
    if (Status s = journal_->rewrite(whole); !s) log_warning("live journal: " + s.error().message);
}

}  // namespace ravelin::control
