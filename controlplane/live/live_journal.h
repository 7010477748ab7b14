// SPDX-License-Identifier: Apache-2.0
// LiveJournal: the file `live` in the state directory, one record a live change, in the frames of
// the commit journal, whose lock covers it. A change that was returned as written survives any
// crash.
#pragma once
#include <string>
#include <vector>

#include "control.pb.h"
#include "controlplane/commit/durable_file.h"
#include "controlplane/live/live_state.h"

namespace ravelin::control {

class LiveJournal {
  public:
    /// Reads `<directory>/live` into `state`; creates it. A torn tail is cut off. Errors: path and
    /// errno text; damage, with its offset. Everything before the damage is in `state` then.
    static Result<LiveJournal> open(const std::string& directory, commit::FileOps& files,
                                    LiveState& state);

    /// Success: durable. Error: the file is as before.
    Status append(const model::LiveChange& change);
    /// Takes back what was appended since the file had so many bytes, durably.
    Status cut(uint64_t bytes);
    /// Puts the one record `whole` in place of all.
    Status rewrite(const model::LiveChange& whole);
    [[nodiscard]] uint64_t bytes() const { return file_.size(); }

  private:
    LiveJournal(commit::FileOps& files, std::string path)
        : files_(&files), path_(std::move(path)) {}
    Status reopen(uint64_t size);

    commit::FileOps* files_;
    std::string path_;
    commit::AppendFile file_;
};

}  // namespace ravelin::control
