// SPDX-License-Identifier: Apache-2.0
#include "dataplane/shared_segment.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <utility>

namespace ravelin {
namespace {

Error failed(const std::string& path, const char* what, int error) {
    return Error{path + ": " + what + ": " + std::strerror(error)};
}

class Fd {
  public:
    explicit Fd(int fd) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(other.release()) {}
    Fd& operator=(Fd&&) = delete;
    Fd(const Fd&) = delete;
    Fd& operator=(const Fd&) = delete;
    ~Fd() {
        if (fd_ >= 0) close(fd_);
    }
    [[nodiscard]] int get() const { return fd_; }
    int release() { return std::exchange(fd_, -1); }

  private:
    int fd_;
};

// Open and locked, so that nobody else removes or fills it.
Result<Fd> open_locked(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (fd.get() < 0) return failed(path, "open", errno);
    if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK) return Error{path + ": in use by another process"};
        return failed(path, "lock", errno);
    }
    return fd;
}

Result<struct stat> status_of(const Fd& fd, const std::string& path) {
    struct stat st {};
    if (fstat(fd.get(), &st) != 0) return failed(path, "stat", errno);
    if (!S_ISREG(st.st_mode)) return Error{path + ": not a regular file"};
    return st;
}

constexpr size_t kHugePage = 2u << 20;

// Room for `bytes` at an address where huge pages can stand, or null.
void* find_place(size_t bytes) {
    const auto page = static_cast<size_t>(getpagesize());
    const size_t used = (bytes + page - 1) / page * page;
    void* room = mmap(nullptr, used + kHugePage, PROT_NONE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (room == MAP_FAILED) return nullptr;
    const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(room) % kHugePage) % kHugePage;
    auto* place = static_cast<unsigned char*>(room) + before;
    if (before != 0) munmap(room, before);
    munmap(place + used, kHugePage - before);
    return place;
}

Result<void*> map(const Fd& fd, size_t bytes, int protection, const std::string& path) {
    void* place = bytes < kHugePage ? nullptr : find_place(bytes);
    void* data = mmap(place, bytes, protection,
                      place == nullptr ? MAP_SHARED : MAP_SHARED | MAP_FIXED, fd.get(), 0);
    if (data == MAP_FAILED) return failed(path, "mmap", errno);
    return data;
}

// A million flows stand in 48,000 small pages, more than any TLB knows, and in a virtual machine a
// miss walks two tables. tmpfs gives no huge pages unless it is mounted so; what it has given can
// be gathered into some since Linux 6.1, whatever is set. Where it cannot be, small ones do.
void gather_pages(void* data, size_t bytes) {
#ifndef MADV_COLLAPSE
    constexpr int MADV_COLLAPSE = 25;
#endif
    if (bytes < kHugePage) return;
    (void)madvise(data, bytes, MADV_COLLAPSE);
}

}  // namespace

Result<SharedSegment> SharedSegment::open(const std::string& path, size_t bytes) {
    auto fd = open_locked(path);
    if (!fd) return fd.error();
    auto st = status_of(*fd, path);
    if (!st) return st.error();
    const bool create = static_cast<size_t>(st->st_size) != bytes;
    if (create && st->st_size != 0) {
        if (unlink(path.c_str()) != 0) return failed(path, "unlink", errno);
        // The old file is let go on return; the new one comes with a lock of its own.
        return open(path, bytes);
    }
    if (fchmod(fd->get(), 0600) != 0) return failed(path, "chmod", errno);
    // Reserved now: a full tmpfs is an error here, not a SIGBUS on the path.
    if (create)
        if (const int error = posix_fallocate(fd->get(), 0, static_cast<off_t>(bytes)); error != 0)
            return failed(path, "reserve", error);
    auto data = map(*fd, bytes, PROT_READ | PROT_WRITE, path);
    if (!data) return data.error();
    gather_pages(*data, bytes);
    return SharedSegment(fd->release(), *data, bytes, create);
}

Result<SharedSegment> SharedSegment::open_reader(const std::string& path) {
    Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (fd.get() < 0) return failed(path, "open", errno);
    auto st = status_of(fd, path);
    if (!st) return st.error();
    if (st->st_size == 0) return Error{path + ": empty, expected a segment"};
    const auto bytes = static_cast<size_t>(st->st_size);
    auto data = map(fd, bytes, PROT_READ, path);
    if (!data) return data.error();
    return SharedSegment(fd.release(), *data, bytes, false);
}

SharedSegment::SharedSegment(SharedSegment&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      created_(other.created_) {}

SharedSegment& SharedSegment::operator=(SharedSegment&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(created_, other.created_);
    return *this;
}

// proc(5): a line with the range of each mapping, then what is known of it, each with its unit.
size_t SharedSegment::huge_bytes() const noexcept {
    FILE* maps = std::fopen("/proc/self/smaps", "re");
    if (maps == nullptr) return 0;
    size_t huge = 0;
    bool ours = false;
    char line[512];
    while (std::fgets(line, sizeof line, maps) != nullptr) {
        uintptr_t first = 0, end = 0;
        size_t kilobytes = 0;
        if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &first, &end) == 2)
            ours = first == reinterpret_cast<uintptr_t>(data_);
        else if (ours && (std::sscanf(line, "ShmemPmdMapped: %zu kB", &kilobytes) == 1 ||
                          std::sscanf(line, "FilePmdMapped: %zu kB", &kilobytes) == 1))
            huge += kilobytes << 10;
    }
    std::fclose(maps);
    return huge;
}

SharedSegment::~SharedSegment() {
    if (data_ != nullptr) munmap(data_, size_);
    if (fd_ >= 0) close(fd_);
}

}  // namespace ravelin
