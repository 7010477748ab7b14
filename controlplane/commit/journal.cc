// SPDX-License-Identifier: Apache-2.0
#include "controlplane/commit/journal.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace ravelin::commit {
namespace {

// What may follow an intent before the next one: provisional and one decision, each a copy of
// its texts.
constexpr uint64_t kRecordsPerGeneration = 3;

Result<Fd> take_lock(FileOps& ops, const std::string& directory) {
    const std::string path = directory + "/lock";
    auto lock = open_file(ops, path, O_RDWR | O_CREAT);
    if (!lock) return lock.error();
    if (ops.flock(lock->get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno != EWOULDBLOCK) return system_error(path, "lock");
        return Error{path + ": held: another control plane uses this state directory"};
    }
    return lock;
}

}  // namespace

Result<Journal> Journal::open(const std::string& directory, FileOps& ops, OnDamage on_damage) {
    if (Status made = make_directory(ops, directory); !made) return made.error();
    auto lock = take_lock(ops, directory);
    if (!lock) return lock.error();
    Journal journal(ops, directory, std::move(*lock));
    if (Status status = journal.reopen(); !status) return status.error();
    if (Status status = sync_directory(ops, directory); !status) return status.error();
    if (Status status = journal.load(on_damage); !status) return status.error();
    return journal;
}

/// Opens the file at path() for appending; its size is set by load() or rewrite().
Status Journal::reopen() {
    auto fd = open_file(*ops_, path(), O_RDWR | O_CREAT | O_APPEND);
    if (!fd) return fd.error();
    file_ = AppendFile(*ops_, std::move(*fd), path(), 0);
    return ok_status();
}

Status Journal::load(OnDamage on_damage) {
    auto content = read_file(*ops_, path());
    if (!content) return content.error();
    uint64_t good = 0;
    if (Status read = read_records(*content, good); !read) {
        const std::string problem =
            fmt::format("{}: offset {}: {}", path(), good, read.error().message);
        if (on_damage == OnDamage::refuse) return Error{problem};
        return salvage(*content, problem);
    }
    if (good < content->size()) {
        warnings_.push_back(fmt::format("{}: offset {}: cut off {} bytes of an unfinished record",
                                        path(), good, content->size() - good));
    }
    // Always: makes durable what a crash left in the page cache, before anything relies on it.
    return file_.cut(good);
}

/// Replays `content`; `good` is where the last taken record ends. Error: what lies there.
Status Journal::read_records(std::string_view content, uint64_t& good) {
    while (good < content.size()) {
        Frame frame = read_frame(content, good);
        if (frame.kind == Frame::Kind::torn) break;
        if (frame.kind == Frame::Kind::damaged) return Error{std::move(frame.problem)};
        if (Status taken = advance(state_, frame.record); !taken) return taken;
        records_.push_back(std::move(frame.record));
        good += frame.size;
    }
    return ok_status();
}

Status Journal::salvage(const std::string& content, const std::string& problem) {
    state_ = {};
    records_.clear();
    size_t kept = 0;
    for (uint64_t at = find_record(content, 0); at < content.size();) {
        Frame frame = read_frame(content, at);
        ++kept;
        for (Record& r : advance_over_gap(state_, std::move(frame.record))) {
            records_.push_back(std::move(r));
        }
        at = find_record(content, at + frame.size);
    }
    const std::string aside = fmt::format("{}.damaged-{}", path(), state_.highest);
    if (Status saved = replace_file(*ops_, aside, content); !saved) return saved;
    warnings_.push_back(fmt::format(
        "{}; kept {} whole records, generation {} is the last committed; the damaged file is {}",
        problem, kept, state_.current, aside));
    return rewrite(records_);
}

Status Journal::rewrite(const std::vector<Record>& records) {
    std::string content;
    for (const Record& r : records) content += encode(r);
    Status replaced = replace_file(*ops_, path(), content);
    name_durable_ = replaced.ok();
    // Even after an error the name may stand for the new file. Never append to one unlinked.
    auto now = read_file(*ops_, path());
    Status opened = now ? reopen() : Status(now.error());
    if (!opened) {
        file_ = AppendFile(*ops_, Fd(), path(), 0);  // every append fails with EBADF from here
        return opened;
    }
    if (Status cut = file_.cut(now->size()); !cut) return cut;
    return replaced;
}

Status Journal::compact(uint64_t oldest) {
    if (state_.pending != 0) {
        return Error{fmt::format("generation {} is still undecided", state_.pending)};
    }
    if (Status clean = file_.cut(file_.size()); !clean) return clean;
    std::vector<Record> kept;
    JournalState state;
    for (const Record& r : records_) {
        if (r.generation < std::min(oldest, state_.current)) continue;
        if (Status taken = advance(state, r); !taken) return taken;
        kept.push_back(r);
    }
    if (Status written = rewrite(kept); !written) return written;
    records_ = std::move(kept);
    state_ = std::move(state);
    return ok_status();
}

Status Journal::append(const Record& record) {
    if (Status allowed = check_next(state_, record); !allowed) return allowed;
    if (!name_durable_) {
        if (Status synced = sync_directory(*ops_, directory_); !synced) return synced;
        name_durable_ = true;
    }
    const std::string frame = encode(record);
    if (record.kind == RecordKind::intent) {
        Status reserved = file_.reserve(frame.size() * kRecordsPerGeneration);
        if (!reserved) return reserved;
    }
    if (Status written = file_.append(frame); !written) return written;
    records_.push_back(record);
    return advance(state_, record);
}

Status Journal::intent(const Intent& intent, uint64_t now_unix_ms) {
    if (intent.author.size() > kMaxAuthorBytes || intent.comment.size() > kMaxCommentBytes) {
        return Error{fmt::format("author of {} bytes and comment of {}, at most {} and {} allowed",
                                 intent.author.size(), intent.comment.size(), kMaxAuthorBytes,
                                 kMaxCommentBytes)};
    }
    return append(Record{.kind = RecordKind::intent,
                         .generation = intent.generation,
                         .parent = state_.current,
                         .unix_ms = now_unix_ms,
                         .confirm_deadline_ms = intent.confirm_deadline_ms,
                         .author = intent.author,
                         .comment = intent.comment});
}

Status Journal::decide(RecordKind kind, uint64_t now_unix_ms) {
    const GenerationInfo* pending = state_.find(state_.pending);
    if (pending == nullptr) return Error{"no generation is undecided"};
    return append(Record{.kind = kind,
                         .generation = state_.pending,
                         .parent = pending->parent,
                         .unix_ms = now_unix_ms,
                         .confirm_deadline_ms = pending->confirm_deadline_ms,
                         .author = pending->author,
                         .comment = pending->comment});
}

}  // namespace ravelin::commit
