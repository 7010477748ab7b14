// SPDX-License-Identifier: Apache-2.0
// After a crash or a lost connection: what the journal says, what the data plane enforces, and
// what to do for the two to agree again.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "controlplane/commit/journal.h"

namespace ravelin::commit {

/// Of DataplaneStatus; 0 has the meaning given there.
struct DataplaneView {
    uint64_t generation = 0;
    uint64_t previous = 0;
    uint32_t confirm_remaining_ms = 0;
    uint64_t rolled_back_from = 0;
};

struct Decision {
    enum class Kind : uint8_t {
        nothing,          // they agree, or there is nothing to send
        record_commit,    // the data plane took the pending generation for good
        record_rollback,  // it took it and went back
        record_abort,     // it never took it
        resend,           // send `generation` again, final
        wait_confirm,     // it enforces `generation` and waits for confirmation
    } kind = Kind::nothing;
    uint64_t generation = 0;
    bool warning = false;     // the operator should see the explanation
    std::string explanation;  // one line
    [[nodiscard]] bool settled() const {
        return kind == Kind::nothing || kind == Kind::wait_confirm;
    }
};
std::string_view name_of(Decision::Kind kind);

/// The one next step. Carry it out, look again, and repeat until it is settled(): at most three
/// times, unless the data plane restarts in between. Pure; never fails.
Decision reconcile(const JournalState& journal, const DataplaneView& dataplane);

/// The journal's part of a decision: appends the record it asks for; for wait_confirm the
/// `provisional` one if a crash came before it; for the rest nothing. Errors and durability are
/// those of Journal's appends.
Status record(Journal& journal, const Decision& decision, uint64_t now_unix_ms);

}  // namespace ravelin::commit
