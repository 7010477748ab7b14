// SPDX-License-Identifier: Apache-2.0
#include "controlplane/commit/journal_state.h"

#include <fmt/format.h>

namespace ravelin::commit {
namespace {

Status check_intent(const JournalState& state, const Record& record) {
    if (state.pending != 0) {
        return Error{fmt::format("generation {} is still undecided ({})", state.pending,
                                 name_of(state.generations.at(state.pending).state))};
    }
    if (record.generation <= state.highest) {
        return Error{fmt::format("generation {} is not above {}, the highest so far",
                                 record.generation, state.highest)};
    }
    // A compacted journal starts anywhere; its first parent is taken on trust.
    if (record.parent != state.current && !state.generations.empty()) {
        return Error{fmt::format("generation {} builds on {}, but {} is current", record.generation,
                                 record.parent, state.current)};
    }
    return ok_status();
}

GenerationState state_after(RecordKind kind) {
    switch (kind) {
        case RecordKind::intent:
            break;
        case RecordKind::provisional:
            return GenerationState::provisional;
        case RecordKind::commit:
            return GenerationState::committed;
        case RecordKind::abort:
            return GenerationState::aborted;
        case RecordKind::rollback:
            return GenerationState::rolled_back;
    }
    return GenerationState::intent;
}

void begin(JournalState& state, const Record& record) {
    if (state.generations.empty()) state.current = record.parent;
    state.generations[record.generation] = GenerationInfo{
        .state = GenerationState::intent,
        .parent = record.parent,
        .applied_unix_ms = record.unix_ms,
        .decided_unix_ms = record.unix_ms,
        .confirm_deadline_ms = record.confirm_deadline_ms,
        .author = record.author,
        .comment = record.comment,
    };
    state.pending = state.highest = record.generation;
}

}  // namespace

std::string_view name_of(GenerationState state) {
    switch (state) {
        case GenerationState::intent:
            return "intent";
        case GenerationState::provisional:
            return "provisional";
        case GenerationState::committed:
            return "committed";
        case GenerationState::rolled_back:
            return "rolled back";
        case GenerationState::aborted:
            return "aborted";
    }
    return "unknown";
}

const GenerationInfo* JournalState::find(uint64_t generation) const {
    const auto it = generations.find(generation);
    return it == generations.end() ? nullptr : &it->second;
}

Status check_next(const JournalState& state, const Record& record) {
    if (record.kind == RecordKind::intent) return check_intent(state, record);
    if (record.generation == 0 || record.generation != state.pending) {
        const std::string undecided =
            state.pending == 0 ? "no generation" : fmt::format("generation {}", state.pending);
        return Error{fmt::format("{} of generation {}, but {} is undecided", name_of(record.kind),
                                 record.generation, undecided)};
    }
    const GenerationInfo& info = state.generations.at(record.generation);
    if (record.kind == RecordKind::provisional && info.state != GenerationState::intent) {
        return Error{fmt::format("generation {} is provisional already", record.generation)};
    }
    return ok_status();
}

Status advance(JournalState& state, const Record& record) {
    if (Status allowed = check_next(state, record); !allowed) return allowed;
    if (record.kind == RecordKind::intent) {
        begin(state, record);
        return ok_status();
    }
    GenerationInfo& info = state.generations.at(record.generation);
    info.state = state_after(record.kind);
    info.decided_unix_ms = record.unix_ms;
    if (record.kind == RecordKind::provisional) return ok_status();
    state.pending = 0;
    if (record.kind == RecordKind::commit) {
        state.previous = state.current;
        state.current = record.generation;
    }
    return ok_status();
}

std::vector<Record> advance_over_gap(JournalState& state, Record record) {
    if (advance(state, record)) return {record};
    if (record.generation <= state.highest) return {};  // decided already, or its past is known
    std::vector<Record> taken;
    const auto take = [&](Record next) {
        if (advance(state, next)) taken.push_back(std::move(next));
    };
    if (state.pending != 0) {
        // Something newer began, so this one was decided; its child tells how.
        Record lost{.kind = record.parent == state.pending ? RecordKind::commit : RecordKind::abort,
                    .generation = state.pending,
                    .parent = state.current,
                    .unix_ms = record.unix_ms,
                    .confirm_deadline_ms = 0,
                    .author = {},
                    .comment = {}};
        take(std::move(lost));
    }
    if (!state.generations.empty()) record.parent = state.current;
    if (record.kind != RecordKind::intent) {
        Record lost = record;
        lost.kind = RecordKind::intent;
        take(std::move(lost));
    }
    take(std::move(record));
    return taken;
}

}  // namespace ravelin::commit
