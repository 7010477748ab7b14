// SPDX-License-Identifier: Apache-2.0
#include "controlplane/live/live_journal.h"

#include <fcntl.h>
#include <fmt/format.h>

#include "controlplane/commit/record.h"

namespace ravelin::control {

Result<LiveJournal> LiveJournal::open(const std::string& directory, commit::FileOps& files,
                                      LiveState& state) {
    LiveJournal journal(files, directory + "/live");
    if (Status s = journal.reopen(0); !s) return std::move(s.error());
    auto content = commit::read_file(files, journal.path_);
    if (!content) return std::move(content.error());
    uint64_t good = 0;
    while (good < content->size()) {
        const commit::RawFrame frame = commit::read_raw_frame(*content, good);
        if (frame.kind == commit::RawFrame::Kind::torn) break;
        model::LiveChange record;
        const bool whole =
            frame.kind == commit::RawFrame::Kind::whole &&
            record.ParseFromArray(frame.payload.data(), static_cast<int>(frame.payload.size()));
        if (!whole)
            return Error{fmt::format("{}: offset {}: {}", journal.path_, good,
                                     frame.problem.empty() ? "not a live change" : frame.problem)};
        state.take(record);
        good += frame.size;
    }
    // Always: makes durable what a crash left in the page cache.
    if (Status s = journal.reopen(good); !s) return std::move(s.error());
    if (Status s = journal.file_.cut(good); !s) return std::move(s.error());
    if (Status s = commit::sync_directory(files, directory); !s) return std::move(s.error());
    return journal;
}

Status LiveJournal::reopen(uint64_t size) {
    auto fd = commit::open_file(*files_, path_, O_RDWR | O_CREAT | O_APPEND);
    if (!fd) return std::move(fd.error());
    file_ = commit::AppendFile(*files_, std::move(*fd), path_, size);
    return ok_status();
}

Status LiveJournal::append(const model::LiveChange& change) {
    return file_.append(commit::frame_of(change.SerializeAsString()));
}

Status LiveJournal::cut(uint64_t bytes) { return file_.cut(bytes); }

Status LiveJournal::rewrite(const model::LiveChange& whole) {
    const std::string content = commit::frame_of(whole.SerializeAsString());
    Status replaced = commit::replace_file(*files_, path_, content);
    // Even after an error the name may stand for the new file. Never append to one unlinked.
    auto now = commit::read_file(*files_, path_);
    Status opened = now ? reopen(now->size()) : Status(std::move(now.error()));
    if (!opened) {
        file_ = commit::AppendFile(*files_, commit::Fd(), path_, 0);  // every append fails
        return opened;
    }
    return replaced;
}

}  // namespace ravelin::control
