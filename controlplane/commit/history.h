// SPDX-License-Identifier: Apache-2.0
// Every generation's text as the operator applied it and the snapshot compiled from it, in
// `history/<generation>.yaml` and `.snapshot`, both checksummed. One owner thread.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/commit/durable_file.h"
#include "controlplane/commit/journal_state.h"

namespace ravelin::commit {

constexpr uint64_t kDefaultKeep = 100;  // committed generations; a busy week of changes

struct StoredGeneration {
    uint64_t generation = 0;
    std::string yaml;
    std::string snapshot;
};

/// One line of the operator's list.
struct HistoryEntry {
    uint64_t generation = 0;
    bool current = false;
    bool stored = false;  // its files are kept: it can be loaded
    GenerationInfo info;  // state, times, author, comment
};

/// The newest committed generation that is intact, and what is wrong with those passed over.
struct LastGood {
    StoredGeneration stored;
    std::vector<std::string> warnings;
};

class History {
  public:
    /// Uses `<directory>/history`, created if missing. Open the Journal first: it has the lock.
    /// Errors: path and errno text.
    static Result<History> open(const std::string& directory, FileOps& ops);

    /// Success: both files are durable; only then may the intent be written. Error: path and
    /// errno text; what was stored before is untouched.
    Status store(uint64_t generation, std::string_view yaml, std::string_view snapshot);
    /// Both files, verified. Errors name the file and, for damage, the offset.
    [[nodiscard]] Result<StoredGeneration> load(uint64_t generation) const;
    /// The current generation, or if its files are damaged the one committed before it, and so
    /// on. Error: none is committed, or none is intact.
    [[nodiscard]] Result<LastGood> last_good(const JournalState& state) const;
    /// All journaled generations, newest first.
    [[nodiscard]] Result<std::vector<HistoryEntry>> list(const JournalState& state) const;

    /// Removes the files of all but the newest `keep` committed generations and of everything
    /// older than those; never those of the current, previous or pending generation. Returns the
    /// oldest kept, for Journal::compact(). A file that cannot be removed is an error, after the
    /// others were removed.
    Result<uint64_t> prune(const JournalState& state, uint64_t keep = kDefaultKeep);

    /// Above every number the journal, the stored files or the data plane have ever used.
    [[nodiscard]] Result<uint64_t> next_generation(const JournalState& state,
                                                   uint64_t dataplane_generation) const;

  private:
    History(FileOps& ops, std::string directory) : ops_(&ops), directory_(std::move(directory)) {}
    [[nodiscard]] std::string path(uint64_t generation, const char* ending) const;
    [[nodiscard]] Result<std::vector<uint64_t>> stored() const;

    FileOps* ops_;
    std::string directory_;
};

}  // namespace ravelin::commit
