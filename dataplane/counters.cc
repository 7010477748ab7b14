// SPDX-License-Identifier: Apache-2.0
#include "dataplane/counters.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace ravelin {
namespace {

constexpr size_t kLine = 64;
size_t round_up(size_t n) { return (n + kLine - 1) / kLine * kLine; }

size_t values_bytes(size_t counters) { return round_up(counters * sizeof(uint64_t)); }

size_t block_bytes(size_t counters, unsigned rules) {
    return values_bytes(counters) + round_up(rules * sizeof(RuleCounter));
}

void copy_text(char* to, size_t room, std::string_view from) {
    const size_t n = std::min(room - 1, from.size());
    std::memcpy(to, from.data(), n);
    to[n] = '\0';
}

template <typename T>
T* at(const CounterHeader* header, uint64_t offset) {
    auto* base = reinterpret_cast<uint8_t*>(const_cast<CounterHeader*>(header));
    return reinterpret_cast<T*>(base + offset);
}

/// A reader trusts nothing: every offset must lie in the mapped file.
bool layout_valid(const CounterHeader& h, size_t file_bytes) {
    if (h.magic != CounterHeader::kMagic || h.version != CounterHeader::kVersion) return false;
    if (h.workers == 0 || h.workers > 1024 || h.counters > 65536 || h.rules > (1u << 20))
        return false;
    if (h.names_offset != round_up(sizeof h)) return false;
    if (h.control_offset != h.names_offset + round_up(h.counters * sizeof(CounterName)))
        return false;
    if (h.blocks_offset != h.control_offset + values_bytes(h.counters)) return false;
    if (h.block_bytes != block_bytes(h.counters, h.rules)) return false;
    return h.total_bytes == h.blocks_offset + h.block_bytes * h.workers &&
           h.total_bytes <= file_bytes;
}

}  // namespace

size_t CounterSegment::bytes_for(size_t counters, unsigned workers, unsigned rules) {
    return round_up(sizeof(CounterHeader)) + round_up(counters * sizeof(CounterName)) +
           values_bytes(counters) + workers * block_bytes(counters, rules);
}

CounterSegment::CounterSegment(void* memory, std::span<const CounterSpec> specs, unsigned workers,
                               unsigned rules, uint64_t started_unix_ms)
    : header_(static_cast<CounterHeader*>(memory)) {
    header_->version = CounterHeader::kVersion;
    header_->workers = workers;
    header_->counters = static_cast<uint32_t>(specs.size());
    header_->rules = rules;
    header_->names_offset = round_up(sizeof *header_);
    header_->control_offset = header_->names_offset + round_up(specs.size() * sizeof(CounterName));
    header_->blocks_offset = header_->control_offset + values_bytes(specs.size());
    header_->block_bytes = block_bytes(specs.size(), rules);
    header_->total_bytes = bytes_for(specs.size(), workers, rules);
    header_->started_unix_ms = started_unix_ms;
    header_->pid = static_cast<uint32_t>(getpid());
    auto* names = at<CounterName>(header_, header_->names_offset);
    for (size_t i = 0; i < specs.size(); ++i) {
        copy_text(names[i].name, sizeof names[i].name, specs[i].name);
        copy_text(names[i].help, sizeof names[i].help, specs[i].help);
        names[i].kind = specs[i].kind;
    }
    // A reader that maps half a segment sees no magic.
    std::atomic_ref(header_->magic).store(CounterHeader::kMagic, std::memory_order_release);
}

WorkerCounters CounterSegment::worker(unsigned index) const {
    const uint64_t block = header_->blocks_offset + header_->block_bytes * index;
    return {at<uint64_t>(header_, block),
            at<RuleCounter>(header_, block + values_bytes(header_->counters))};
}

WorkerCounters CounterSegment::control() const {
    return {at<uint64_t>(header_, header_->control_offset), nullptr};
}

Result<CounterReader> CounterReader::open(const std::string& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat info {};
    if (fd < 0 || fstat(fd, &info) != 0) {
        const std::string why = std::strerror(errno);
        if (fd >= 0) close(fd);
        return Error{fmt::format("{}: {}", path, why)};
    }
    const auto bytes = static_cast<size_t>(info.st_size);
    void* memory = bytes < sizeof(CounterHeader)
                       ? MAP_FAILED
                       : mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    if (memory == MAP_FAILED) return Error{fmt::format("{}: not a counter segment", path)};
    CounterReader reader(memory, bytes, info.st_ino);
    if (!layout_valid(reader.header(), bytes))
        return Error{fmt::format("{}: not a counter segment of version {}", path,
                                 uint32_t{CounterHeader::kVersion})};
    return reader;
}

CounterReader::CounterReader(void* memory, size_t bytes, uint64_t inode)
    : header_(static_cast<CounterHeader*>(memory)), bytes_(bytes), inode_(inode) {}

CounterReader::CounterReader(CounterReader&& other) noexcept
    : header_(std::exchange(other.header_, nullptr)), bytes_(other.bytes_), inode_(other.inode_) {}

CounterReader& CounterReader::operator=(CounterReader&& other) noexcept {
    std::swap(header_, other.header_);
    std::swap(bytes_, other.bytes_);
    std::swap(inode_, other.inode_);
    return *this;
}

CounterReader::~CounterReader() {
    if (header_ != nullptr) munmap(const_cast<CounterHeader*>(header_), bytes_);
}

std::string_view CounterReader::name(size_t counter) const {
    const auto& n = at<CounterName>(header_, header_->names_offset)[counter].name;
    return {n, strnlen(n, sizeof n)};
}

std::string_view CounterReader::help(size_t counter) const {
    const auto& h = at<CounterName>(header_, header_->names_offset)[counter].help;
    return {h, strnlen(h, sizeof h)};
}

CounterKind CounterReader::kind(size_t counter) const {
    return at<CounterName>(header_, header_->names_offset)[counter].kind;
}

uint64_t CounterReader::value(size_t counter, unsigned worker) const {
    return load(header_->blocks_offset + header_->block_bytes * worker, counter);
}

uint64_t CounterReader::load(uint64_t values, size_t counter) const {
    // A plain relaxed load; atomic_ref wants a mutable object though nothing is written.
    return __atomic_load_n(at<uint64_t>(header_, values) + counter, __ATOMIC_RELAXED);
}

uint64_t CounterReader::sum(size_t counter) const {
    uint64_t total = load(header_->control_offset, counter);
    for (unsigned w = 0; w < header_->workers; ++w) total += value(counter, w);
    return total;
}

uint64_t CounterReader::sum(std::string_view counter) const {
    for (size_t i = 0; i < size(); ++i)
        if (name(i) == counter) return sum(i);
    return 0;
}

RuleCounter CounterReader::rule(uint32_t slot) const {
    RuleCounter total{};
    if (slot >= header_->rules) return total;
    const uint64_t rules_at = values_bytes(header_->counters);
    for (unsigned w = 0; w < header_->workers; ++w) {
        const auto* rules =
            at<RuleCounter>(header_, header_->blocks_offset + header_->block_bytes * w + rules_at);
        total.packets += __atomic_load_n(&rules[slot].packets, __ATOMIC_RELAXED);
        total.bytes += __atomic_load_n(&rules[slot].bytes, __ATOMIC_RELAXED);
    }
    return total;
}

bool CounterReader::current(const std::string& path) const {
    struct stat info {};
    return stat(path.c_str(), &info) == 0 && info.st_ino == inode_;
}

}  // namespace ravelin
