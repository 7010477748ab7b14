// SPDX-License-Identifier: Apache-2.0
// Files that survive power loss: replace by rename, append with fsync, and restore on failure.
// Every system call goes through FileOps, so a test can fail or crash at each of them.
#pragma once
#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/result.h"

namespace ravelin::commit {

/// The system calls the commit code uses. Each returns as the call does: -1 and errno on failure.
class FileOps {
  public:
    FileOps() = default;
    FileOps(const FileOps&) = delete;
    FileOps& operator=(const FileOps&) = delete;
    virtual ~FileOps() = default;
    virtual int open(const std::string& path, int flags, mode_t mode);
    virtual ssize_t read(int fd, void* bytes, size_t size);
    virtual ssize_t write(int fd, const void* bytes, size_t size);
    virtual int fsync(int fd);
    virtual int ftruncate(int fd, off_t size);
    /// Reserves disk blocks past the end without changing the file's size.
    virtual int allocate(int fd, off_t offset, off_t size);
    virtual int rename(const std::string& from, const std::string& to);
    virtual int unlink(const std::string& path);
    virtual int mkdir(const std::string& path, mode_t mode);
    virtual int flock(int fd, int operation);
    /// Appends the names in a directory, without "." and "..".
    virtual int list(const std::string& path, std::vector<std::string>& names);
    virtual int close(int fd);
};

/// A file descriptor that closes itself. Close errors are ignored: durability comes from fsync.
class Fd {
  public:
    Fd() = default;
    Fd(FileOps& ops, int fd) : ops_(&ops), fd_(fd) {}
    Fd(Fd&& other) noexcept;
    Fd& operator=(Fd&& other) noexcept;
    ~Fd();
    [[nodiscard]] int get() const { return fd_; }

  private:
    FileOps* ops_ = nullptr;
    int fd_ = -1;
};

/// "<path>: <action>: <text of errno>".
Error system_error(const std::string& path, const char* action);

/// Opens a file or fails with its path and errno text.
Result<Fd> open_file(FileOps& ops, const std::string& path, int flags);
/// The whole content. Fails with path and errno text.
Result<std::string> read_file(FileOps& ops, const std::string& path);
/// Makes the names in `directory` durable.
Status sync_directory(FileOps& ops, const std::string& directory);
/// Creates one directory level, durable in its parent; one that exists already is fine.
Status make_directory(FileOps& ops, const std::string& directory);
/// The names in a directory, in no order.
Result<std::vector<std::string>> list_directory(FileOps& ops, const std::string& directory);

/// Puts `bytes` at `path` through "<path>.new", fsync, rename and fsync of the directory.
/// Success: durable. Error: `path` holds the old content or, if only the last fsync failed, the
/// whole new content; never a mixture.
Status replace_file(FileOps& ops, const std::string& path, std::string_view bytes);

/// A file that only grows. The owner is one thread.
class AppendFile {
  public:
    AppendFile() = default;
    AppendFile(FileOps& ops, Fd fd, std::string path, uint64_t size)
        : ops_(&ops), fd_(std::move(fd)), path_(std::move(path)), size_(size) {}

    /// Success: all of `bytes` is durable. Error: the file is cut back to its old size; where even
    /// that fails, it is tried again before the next append, which is refused until it works.
    Status append(std::string_view bytes);
    /// Cuts the file to `size` bytes, durably.
    Status cut(uint64_t size);
    /// Reserves blocks for `bytes` more, so that later appends cannot meet a full disk. A file
    /// system without this ability is fine; a full disk is an error.
    Status reserve(uint64_t bytes);
    [[nodiscard]] uint64_t size() const { return size_; }

  private:
    FileOps* ops_ = nullptr;
    Fd fd_;
    std::string path_;
    uint64_t size_ = 0;   // bytes known good
    bool dirty_ = false;  // bytes past size_ may exist
};

}  // namespace ravelin::commit
