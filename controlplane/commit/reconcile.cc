// SPDX-License-Identifier: Apache-2.0
#include "controlplane/commit/reconcile.h"

#include <fmt/format.h>

namespace ravelin::commit {
namespace {

using Kind = Decision::Kind;

Decision decide(Kind kind, uint64_t generation, std::string explanation) {
    return {.kind = kind,
            .generation = generation,
            .warning = false,
            .explanation = std::move(explanation)};
}

Decision warn(Kind kind, uint64_t generation, std::string explanation) {
    Decision decision = decide(kind, generation, std::move(explanation));
    decision.warning = true;
    return decision;
}

/// A generation is undecided: what the data plane made of it decides it. What else may be wrong
/// is seen in the next round.
Decision settle_pending(const JournalState& journal, const DataplaneView& dataplane) {
    const uint64_t pending = journal.pending;
    const bool provisional = journal.find(pending)->state == GenerationState::provisional;
    if (dataplane.generation == pending) {
        if (dataplane.confirm_remaining_ms > 0) {
            return decide(Kind::wait_confirm, pending,
                          fmt::format("generation {} is in force and rolls back in {} ms unless "
                                      "confirmed",
                                      pending, dataplane.confirm_remaining_ms));
        }
        return decide(
            Kind::record_commit, pending,
            fmt::format("generation {} is in force with nothing left to confirm", pending));
    }
    if (dataplane.rolled_back_from == pending) {
        return warn(Kind::record_rollback, pending,
                    fmt::format("the data plane rolled generation {} back: it was not confirmed in "
                                "time",
                                pending));
    }
    if (provisional) {
        return warn(Kind::record_rollback, pending,
                    fmt::format("generation {} was not confirmed and the data plane now has {}",
                                pending, dataplane.generation));
    }
    return warn(Kind::record_abort, pending,
                fmt::format("generation {} was intended, but the data plane has {}: not applied",
                            pending, dataplane.generation));
}

std::string describe_stranger(const JournalState& journal, uint64_t generation) {
    const GenerationInfo* info = journal.find(generation);
    if (info == nullptr) {
        return fmt::format("the data plane has generation {}, which this journal does not know",
                           generation);
    }
    return fmt::format("the data plane has generation {}, which the journal says is {}", generation,
                       name_of(info->state));
}

}  // namespace

std::string_view name_of(Kind kind) {
    switch (kind) {
        case Kind::nothing:
            return "nothing";
        case Kind::record_commit:
            return "record commit";
        case Kind::record_rollback:
            return "record rollback";
        case Kind::record_abort:
            return "record abort";
        case Kind::resend:
            return "resend";
        case Kind::wait_confirm:
            return "wait for confirm";
    }
    return "unknown";
}

Decision reconcile(const JournalState& journal, const DataplaneView& dataplane) {
    if (journal.pending != 0) return settle_pending(journal, dataplane);
    const uint64_t current = journal.current;
    if (dataplane.generation == current) {
        if (current != 0 && dataplane.confirm_remaining_ms > 0) {
            return warn(Kind::resend, current,
                        fmt::format("generation {} is committed, but the data plane would still "
                                    "roll it back: sending it as final",
                                    current));
        }
        return decide(Kind::nothing, current,
                      current == 0 ? "nothing was ever committed"
                                   : fmt::format("generation {} is in force", current));
    }
    if (current == 0) {
        return warn(Kind::nothing, 0,
                    describe_stranger(journal, dataplane.generation) +
                        "; nothing is committed to put in its place");
    }
    if (dataplane.generation == 0) {
        return decide(Kind::resend, current,
                      fmt::format("the data plane has no policy: sending generation {}", current));
    }
    return warn(Kind::resend, current,
                fmt::format("{}: sending generation {}",
                            describe_stranger(journal, dataplane.generation), current));
}

Status record(Journal& journal, const Decision& decision, uint64_t now_unix_ms) {
    const JournalState& state = journal.state();
    switch (decision.kind) {
        case Kind::record_commit:
            return journal.commit(now_unix_ms);
        case Kind::record_rollback:
            return journal.rollback(now_unix_ms);
        case Kind::record_abort:
            return journal.abort(now_unix_ms);
        case Kind::wait_confirm:
            if (state.find(state.pending)->state == GenerationState::provisional) break;
            return journal.provisional(now_unix_ms);
        case Kind::nothing:
        case Kind::resend:
            break;
    }
    return ok_status();
}

}  // namespace ravelin::commit
