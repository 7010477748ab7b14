// SPDX-License-Identifier: Apache-2.0
// What the records of a journal say when read in order. Plain data and the rules of that order.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/commit/record.h"
#include "dataplane/result.h"

namespace ravelin::commit {

enum class GenerationState : uint8_t { intent, provisional, committed, rolled_back, aborted };
std::string_view name_of(GenerationState state);

struct GenerationInfo {
    GenerationState state = GenerationState::intent;
    uint64_t parent = 0;
    uint64_t applied_unix_ms = 0;      // of the intent
    uint64_t decided_unix_ms = 0;      // of the last record
    uint64_t confirm_deadline_ms = 0;  // Unix ms; 0: was final at once
    std::string author;
    std::string comment;
};

struct JournalState {
    std::map<uint64_t, GenerationInfo> generations;
    uint64_t current = 0;   // last committed; 0: none
    uint64_t previous = 0;  // committed before it; 0: none
    uint64_t pending = 0;   // intent or provisional, undecided; 0: none
    uint64_t highest = 0;   // largest number ever journaled

    [[nodiscard]] const GenerationInfo* find(uint64_t generation) const;
};

/// Whether the protocol's order allows `record` next. Error: an intent while another generation is
/// undecided, whose number is not new or whose parent is not current; any other kind for a
/// generation that is not the undecided one.
Status check_next(const JournalState& state, const Record& record);

/// Takes one more record, or fails as check_next() does and changes nothing.
Status advance(JournalState& state, const Record& record);

/// For salvage of a damaged journal: takes a record after others were lost and returns what has
/// to be in the journal for it to follow: itself, after those that can be inferred; nothing if it
/// has become meaningless.
std::vector<Record> advance_over_gap(JournalState& state, Record record);

}  // namespace ravelin::commit
