// SPDX-License-Identifier: Apache-2.0
// The commit journal: `journal` in the state directory, an append-only list of what was intended
// and what came of it. A record that was returned as written survives any crash. The file `lock`
// beside it keeps two control planes from sharing the directory. One owner thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/commit/durable_file.h"
#include "controlplane/commit/journal_state.h"

namespace ravelin::commit {

/// What open() does about a checksum that is wrong before the end of the file.
enum class OnDamage : uint8_t { refuse, salvage };

/// Who asks for a generation and why.
struct Intent {
    uint64_t generation = 0;
    uint64_t confirm_deadline_ms = 0;  // Unix ms; 0: final at once
    std::string author;
    std::string comment;
};

class Journal {
  public:
    /// Opens or creates the journal in `directory` (created too if its parent exists) and locks
    /// it. A torn tail, which no caller was ever told is written, is cut off. Errors: the system
    /// call's path and errno text; another control plane has the lock; damage, named by file and
    /// offset. With OnDamage::salvage every whole record is kept, the damaged file is put aside
    /// as `journal.damaged-<n>` and warnings() says what happened.
    static Result<Journal> open(const std::string& directory, FileOps& ops,
                                OnDamage on_damage = OnDamage::refuse);

    /// Each appends one record. Success: durable. Error: the journal is as before, on disk and
    /// in state(). A full disk is met at intent(), which reserves room for what must follow.
    Status intent(const Intent& intent, uint64_t now_unix_ms);
    /// The data plane enforces the pending generation and waits for confirmation.
    Status provisional(uint64_t now_unix_ms) {
        return decide(RecordKind::provisional, now_unix_ms);
    }
    /// The data plane enforces the pending generation for good: it becomes current.
    Status commit(uint64_t now_unix_ms) { return decide(RecordKind::commit, now_unix_ms); }
    /// The data plane never took the pending generation.
    Status abort(uint64_t now_unix_ms) { return decide(RecordKind::abort, now_unix_ms); }
    /// The data plane took the pending generation and went back to the current one.
    Status rollback(uint64_t now_unix_ms) { return decide(RecordKind::rollback, now_unix_ms); }

    /// Rewrites the journal without generations before `oldest`; whole or not at all. Call it
    /// after History::prune, when bytes() has grown large. Refused while one is pending.
    Status compact(uint64_t oldest);

    [[nodiscard]] const JournalState& state() const { return state_; }
    [[nodiscard]] const std::vector<std::string>& warnings() const { return warnings_; }
    [[nodiscard]] uint64_t bytes() const { return file_.size(); }

  private:
    Journal(FileOps& ops, std::string directory, Fd lock)
        : ops_(&ops), directory_(std::move(directory)), lock_(std::move(lock)) {}
    [[nodiscard]] std::string path() const { return directory_ + "/journal"; }
    Status load(OnDamage on_damage);
    Status read_records(std::string_view content, uint64_t& good);
    Status salvage(const std::string& content, const std::string& problem);
    Status rewrite(const std::vector<Record>& records);
    Status reopen();
    Status append(const Record& record);
    Status decide(RecordKind kind, uint64_t now_unix_ms);

    FileOps* ops_;
    std::string directory_;
    Fd lock_;
    AppendFile file_;
    JournalState state_;
    std::vector<Record> records_;  // as in the file, for compact()
    std::vector<std::string> warnings_;
    bool name_durable_ = true;  // false: the directory must be synced before the next append
};

}  // namespace ravelin::commit
