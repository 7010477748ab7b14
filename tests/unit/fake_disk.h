// SPDX-License-Identifier: Apache-2.0
// A disk in memory that knows what is durable and what is not, for the commit tests. Names become
// durable by fsync of their directory, bytes by fsync of their file. Any call can fail or crash.
#pragma once
#include <fcntl.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "controlplane/commit/durable_file.h"

namespace ravelin::commit {

struct Crash {};  // thrown in place of a system call

class FakeDisk final : public FileOps {
  public:
    /// What of the unsynced survives a crash. `half`: all names and half of each file's new bytes.
    enum class Loss { everything, nothing, bytes, names, half };
    static constexpr Loss kLosses[] = {Loss::everything, Loss::nothing, Loss::bytes, Loss::names,
                                       Loss::half};

    int crash_at = -1;   // index of the call that crashes instead of returning
    int fail_at = -1;    // first call that fails
    int fail_count = 1;  // so many calls fail
    int fail_errno = ENOSPC;
    bool short_write = false;  // a failing or crashing write stores half its bytes
    int calls = 0;
    bool dead = false;

    /// What the next process finds.
    void reboot(Loss loss) {
        if (loss == Loss::everything || loss == Loss::names) live_ = durable_;
        for (auto& [name, file] : live_) {
            if (loss == Loss::everything || loss == Loss::bytes) file->data = file->synced;
            if (loss == Loss::half && file->data.size() > file->synced.size()) {
                file->data.resize((file->data.size() + file->synced.size()) / 2);
            }
            file->synced = file->data;
        }
        durable_ = live_;
        restart_process();
    }
    /// Only the process died: the page cache lives on and can still be lost.
    void restart_process() {
        handles_.clear();
        locked_.clear();
        dead = false;
        crash_at = fail_at = -1;
    }
    std::string& content(const std::string& path) { return live_.at(path)->data; }
    bool exists(const std::string& path) const { return live_.count(path) > 0; }
    void put(const std::string& path, const std::string& data) {
        auto file = std::make_shared<File>();
        file->data = file->synced = data;
        live_[path] = durable_[path] = file;
    }

    int open(const std::string& path, int flags, mode_t) override {
        if (fails()) return -1;
        if ((flags & O_DIRECTORY) == 0 && !live_.count(path)) {
            if ((flags & O_CREAT) == 0) return error(ENOENT);
            live_[path] = std::make_shared<File>();
        }
        Handle handle{path, nullptr, 0};
        if ((flags & O_DIRECTORY) == 0) {
            handle.file = live_[path];
            if (flags & O_TRUNC) handle.file->data.clear();
        }
        handles_[next_fd_] = handle;
        return next_fd_++;
    }
    ssize_t read(int fd, void* bytes, size_t size) override {
        if (fails()) return -1;
        Handle& h = handles_.at(fd);
        const size_t n = std::min(size, h.file->data.size() - h.at);
        std::memcpy(bytes, h.file->data.data() + h.at, n);
        h.at += n;
        return static_cast<ssize_t>(n);
    }
    ssize_t write(int fd, const void* bytes, size_t size) override {
        if (!handles_.count(fd)) return error(EBADF);
        const auto store = [&](size_t n) {
            handles_.at(fd).file->data.append(static_cast<const char*>(bytes), n);
            return static_cast<ssize_t>(n);
        };
        if (short_write && !dead && calls == crash_at) store(size / 2);
        if (short_write && !dead && calls == fail_at && size > 1) {
            ++calls;
            ++fail_at;  // the rest of it meets the error
            return store(size / 2);
        }
        if (fails()) return -1;
        return store(size);
    }
    int fsync(int fd) override {
        if (!handles_.count(fd)) return error(EBADF);
        if (fails()) return -1;
        const Handle& h = handles_.at(fd);
        if (h.file) {
            h.file->synced = h.file->data;
            return 0;
        }
        std::erase_if(durable_, [&](const auto& e) { return inside(e.first, h.path); });
        for (const auto& e : live_) {
            if (inside(e.first, h.path)) durable_.insert(e);
        }
        return 0;
    }
    int ftruncate(int fd, off_t size) override {
        if (!handles_.count(fd)) return error(EBADF);
        if (fails()) return -1;
        handles_.at(fd).file->data.resize(static_cast<size_t>(size));
        return 0;
    }
    int allocate(int, off_t, off_t) override { return fails() ? -1 : 0; }
    int rename(const std::string& from, const std::string& to) override {
        if (fails()) return -1;
        live_[to] = live_.at(from);
        live_.erase(from);
        return 0;
    }
    int unlink(const std::string& path) override {
        if (fails()) return -1;
        return live_.erase(path) ? 0 : error(ENOENT);
    }
    int mkdir(const std::string& path, mode_t) override {
        if (fails()) return -1;
        return directories_.insert(path).second ? 0 : error(EEXIST);
    }
    int flock(int fd, int) override {
        if (fails()) return -1;
        return locked_.emplace(handles_.at(fd).file.get(), fd).second ? 0 : error(EWOULDBLOCK);
    }
    int list(const std::string& path, std::vector<std::string>& names) override {
        if (fails()) return -1;
        for (const auto& e : live_) {
            if (inside(e.first, path)) names.push_back(e.first.substr(path.size() + 1));
        }
        return 0;
    }
    int close(int fd) override {  // changes nothing durable, and runs in destructors: never fails
        std::erase_if(locked_, [&](const auto& e) { return e.second == fd; });
        handles_.erase(fd);
        return 0;
    }

  private:
    struct File {
        std::string data, synced;
    };
    struct Handle {
        std::string path;
        std::shared_ptr<File> file;  // null: a directory
        size_t at = 0;
    };
    static int error(int number) {
        errno = number;
        return -1;
    }
    static bool inside(const std::string& path, const std::string& directory) {
        return path.starts_with(directory + "/") &&
               path.find('/', directory.size() + 1) == path.npos;
    }
    bool fails() {
        if (dead) throw Crash{};
        const int call = calls++;
        if (call == crash_at) {
            dead = true;
            throw Crash{};
        }
        if (fail_at < 0 || call < fail_at || call >= fail_at + fail_count) return false;
        errno = fail_errno;
        return true;
    }

    std::map<std::string, std::shared_ptr<File>> live_, durable_;
    std::set<std::string> directories_;
    std::map<int, Handle> handles_;
    std::map<File*, int> locked_;
    int next_fd_ = 100;
};

}  // namespace ravelin::commit
