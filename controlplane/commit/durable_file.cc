// SPDX-License-Identifier: Apache-2.0
#include "controlplane/commit/durable_file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace ravelin::commit {
namespace {

constexpr mode_t kFileMode = 0640;  // policies and authors are not for everybody
constexpr mode_t kDirectoryMode = 0750;

Status write_all(FileOps& ops, int fd, const std::string& path, std::string_view bytes) {
    while (!bytes.empty()) {
        errno = ENOSPC;  // a write of nothing without a reason is a full disk
        const ssize_t n = ops.write(fd, bytes.data(), bytes.size());
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return system_error(path, "write");
        bytes.remove_prefix(static_cast<size_t>(n));
    }
    return ok_status();
}

std::string parent_of(const std::string& path) {
    const size_t slash = path.find_last_of('/');
    if (slash == std::string::npos) return ".";
    return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace

int FileOps::open(const std::string& path, int flags, mode_t mode) {
    return ::open(path.c_str(), flags | O_CLOEXEC, mode);
}
ssize_t FileOps::read(int fd, void* bytes, size_t size) { return ::read(fd, bytes, size); }
ssize_t FileOps::write(int fd, const void* bytes, size_t size) { return ::write(fd, bytes, size); }
int FileOps::fsync(int fd) { return ::fsync(fd); }
int FileOps::ftruncate(int fd, off_t size) { return ::ftruncate(fd, size); }
int FileOps::allocate(int fd, off_t offset, off_t size) {
    return ::fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, size);
}
int FileOps::rename(const std::string& from, const std::string& to) {
    return ::rename(from.c_str(), to.c_str());
}
int FileOps::unlink(const std::string& path) { return ::unlink(path.c_str()); }
int FileOps::mkdir(const std::string& path, mode_t mode) { return ::mkdir(path.c_str(), mode); }
int FileOps::flock(int fd, int operation) { return ::flock(fd, operation); }
int FileOps::close(int fd) { return ::close(fd); }

int FileOps::list(const std::string& path, std::vector<std::string>& names) {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return -1;
    errno = 0;
    while (const dirent* entry = ::readdir(directory)) {
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") names.emplace_back(name);
        errno = 0;
    }
    const int failure = errno;
    ::closedir(directory);
    errno = failure;
    return failure == 0 ? 0 : -1;
}

Fd::Fd(Fd&& other) noexcept : ops_(other.ops_), fd_(std::exchange(other.fd_, -1)) {}

Fd& Fd::operator=(Fd&& other) noexcept {
    std::swap(ops_, other.ops_);
    std::swap(fd_, other.fd_);
    return *this;
}

Fd::~Fd() {
    if (fd_ >= 0) ops_->close(fd_);
}

Error system_error(const std::string& path, const char* action) {
    return Error{path + ": " + action + ": " + std::generic_category().message(errno)};
}

Result<Fd> open_file(FileOps& ops, const std::string& path, int flags) {
    const int fd = ops.open(path, flags, kFileMode);
    if (fd < 0) return system_error(path, "open");
    return Fd(ops, fd);
}

Result<std::string> read_file(FileOps& ops, const std::string& path) {
    auto fd = open_file(ops, path, O_RDONLY);
    if (!fd) return fd.error();
    std::string content;
    std::array<char, 65536> block;
    for (;;) {
        const ssize_t n = ops.read(fd->get(), block.data(), block.size());
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return system_error(path, "read");
        if (n == 0) return content;
        content.append(block.data(), static_cast<size_t>(n));
    }
}

Status sync_directory(FileOps& ops, const std::string& directory) {
    auto fd = open_file(ops, directory, O_RDONLY | O_DIRECTORY);
    if (!fd) return fd.error();
    if (ops.fsync(fd->get()) != 0) return system_error(directory, "fsync");
    return ok_status();
}

Status make_directory(FileOps& ops, const std::string& directory) {
    if (ops.mkdir(directory, kDirectoryMode) != 0 && errno != EEXIST) {
        return system_error(directory, "mkdir");
    }
    // Also when it existed: an earlier run may have died before this.
    return sync_directory(ops, parent_of(directory));
}

Result<std::vector<std::string>> list_directory(FileOps& ops, const std::string& directory) {
    std::vector<std::string> names;
    if (ops.list(directory, names) != 0) return system_error(directory, "list");
    return names;
}

Status replace_file(FileOps& ops, const std::string& path, std::string_view bytes) {
    const std::string fresh = path + ".new";
    Status status = ok_status();
    {
        auto fd = open_file(ops, fresh, O_WRONLY | O_CREAT | O_TRUNC);
        if (!fd) return fd.error();
        status = write_all(ops, fd->get(), fresh, bytes);
        if (status && ops.fsync(fd->get()) != 0) status = system_error(fresh, "fsync");
    }
    if (status && ops.rename(fresh, path) != 0) status = system_error(path, "rename");
    if (!status) {
        ops.unlink(fresh);  // gives the space back; if it fails the next try overwrites it
        return status;
    }
    return sync_directory(ops, parent_of(path));
}

Status AppendFile::append(std::string_view bytes) {
    if (dirty_) {
        if (Status restored = cut(size_); !restored) return restored;
    }
    dirty_ = true;
    Status status = write_all(*ops_, fd_.get(), path_, bytes);
    if (status && ops_->fsync(fd_.get()) != 0) status = system_error(path_, "fsync");
    if (status) {
        size_ += bytes.size();
        dirty_ = false;
        return status;
    }
    if (Status restored = cut(size_); !restored) {
        return std::move(status.error())
            .within("not restored yet (" + restored.error().message + ")");
    }
    return status;
}

Status AppendFile::cut(uint64_t size) {
    if (ops_->ftruncate(fd_.get(), static_cast<off_t>(size)) != 0) {
        return system_error(path_, "truncate");
    }
    if (ops_->fsync(fd_.get()) != 0) return system_error(path_, "fsync");
    size_ = size;
    dirty_ = false;
    return ok_status();
}

Status AppendFile::reserve(uint64_t bytes) {
    if (ops_->allocate(fd_.get(), static_cast<off_t>(size_), static_cast<off_t>(bytes)) == 0) {
        return ok_status();
    }
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EINVAL) return ok_status();
    return system_error(path_, "reserve space");
}

}  // namespace ravelin::commit
