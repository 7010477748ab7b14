// SPDX-License-Identifier: Apache-2.0
#include "perf/replay/tape.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <new>
#include <utility>

namespace ravelin::perf {
namespace {

[[noreturn]] void fail(const std::string& path, const char* what) {
    std::fprintf(stderr, "replay: %s: %s\n", path.c_str(), what);
    std::exit(1);
}

}  // namespace

Tape::Tape(std::string path, int file, uint64_t bytes) : path_(std::move(path)), bytes_(bytes) {
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, file, 0);
    close(file);
    if (memory == MAP_FAILED) fail(path_, "no memory for it");
    madvise(memory, bytes, MADV_HUGEPAGE);
    head_ = static_cast<TapeHead*>(memory);
}

Tape Tape::create(const std::string& path, uint64_t count) {
    const int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const uint64_t bytes = sizeof(TapeHead) + count * sizeof(Descriptor);
    if (file < 0 || ftruncate(file, static_cast<off_t>(bytes)) != 0) fail(path, "cannot be made");
    Tape tape(path, file, bytes);
    auto* head = new (tape.head_) TapeHead;
    head->count = count;
    head->first[1] = static_cast<uint32_t>(count);
    return tape;
}

Tape Tape::open(const std::string& path) {
    const int file = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    struct stat facts {};
    if (file < 0 || fstat(file, &facts) != 0) fail(path, "is not there");
    const auto bytes = static_cast<uint64_t>(facts.st_size);
    if (bytes < sizeof(TapeHead)) fail(path, "is no tape");
    Tape tape(path, file, bytes);
    const TapeHead& head = tape.head();
    if (head.magic != TapeHead::kMagic ||
        bytes != sizeof(TapeHead) + head.count * sizeof(Descriptor))
        fail(path, "is no tape of this version");
    return tape;
}

Tape::Tape(Tape&& other) noexcept
    : path_(std::move(other.path_)),
      head_(std::exchange(other.head_, nullptr)),
      bytes_(other.bytes_) {}

Tape::~Tape() {
    if (head_ != nullptr) munmap(head_, bytes_);
}

}  // namespace ravelin::perf
