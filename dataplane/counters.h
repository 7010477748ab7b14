// SPDX-License-Identifier: Apache-2.0
// Counters: one shared-memory segment that the data plane alone writes and the control plane maps
// read-only. Layout, each part 64-byte aligned: CounterHeader, CounterName[counters], the control
// thread's uint64 values[counters], then per worker a block of uint64 values[counters] followed by
// RuleCounter[rules]. One writer per cache line; readers sum and never reset.
#pragma once
#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/result.h"
#include "dataplane/verdict.h"

namespace ravelin {

enum class CounterKind : uint8_t { kCounter, kGauge };

/// A counter to be: full dotted name ("drop.parse.truncated"), one help sentence.
struct CounterSpec {
    std::string name;
    std::string help;
    CounterKind kind = CounterKind::kCounter;
};

struct CounterName {
    char name[72];
    char help[183];
    CounterKind kind;
};
static_assert(sizeof(CounterName) == 256);

struct RuleCounter {
    uint64_t packets, bytes;
};

struct CounterHeader {
    static constexpr uint64_t kMagic = 0x52564c4e43545253;  // "RVLNCTRS"
    static constexpr uint32_t kVersion = 2;
    uint64_t magic;
    uint32_t version, workers, counters, rules;
    uint64_t names_offset, control_offset, blocks_offset, block_bytes, total_bytes;
    uint64_t started_unix_ms;
    uint32_t pid, spare;
};

/// One thread's counters. Writers: that worker only, or the control thread only (no rules there).
class WorkerCounters {
  public:
    WorkerCounters() = default;
    WorkerCounters(uint64_t* values, RuleCounter* rules) : values_(values), rules_(rules) {}

    void add(CounterId id, uint64_t n = 1) const noexcept { bump(values_[id], n); }
    void set(CounterId id, uint64_t v) const noexcept {
        std::atomic_ref(values_[id]).store(v, std::memory_order_relaxed);
    }
    [[nodiscard]] uint64_t get(CounterId id) const noexcept {
        return std::atomic_ref(values_[id]).load(std::memory_order_relaxed);
    }
    /// `slot` is the rule's stable slot (below limits::kMaxRules).
    void hit_rule(uint32_t slot, uint64_t packets, uint64_t bytes) const noexcept {
        bump(rules_[slot].packets, packets);
        bump(rules_[slot].bytes, bytes);
    }
    /// Asks for the memory that hit_rule() writes.
    void prefetch_rule(uint32_t slot) const noexcept { __builtin_prefetch(&rules_[slot], 1); }
    [[nodiscard]] RuleCounter rule(uint32_t slot) const noexcept {
        return {std::atomic_ref(rules_[slot].packets).load(std::memory_order_relaxed),
                std::atomic_ref(rules_[slot].bytes).load(std::memory_order_relaxed)};
    }

  private:
    // A single writer needs no read-modify-write; relaxed keeps it a plain add.
    static void bump(uint64_t& cell, uint64_t n) noexcept {
        std::atomic_ref ref(cell);
        ref.store(ref.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    uint64_t* values_ = nullptr;
    RuleCounter* rules_ = nullptr;
};

/// The writer's side: lays the segment out in memory given by the caller (a mapped file or a heap
/// block in tests).
class CounterSegment {
  public:
    static size_t bytes_for(size_t counters, unsigned workers, unsigned rules);
    /// `memory` must be zeroed, 64-byte aligned and bytes_for() long.
    CounterSegment(void* memory, std::span<const CounterSpec> specs, unsigned workers,
                   unsigned rules, uint64_t started_unix_ms);
    [[nodiscard]] WorkerCounters worker(unsigned index) const;
    [[nodiscard]] WorkerCounters control() const;

  private:
    CounterHeader* header_;
};

/// The reader's side: validates before it trusts. The file may be replaced by a restarted data
/// plane: `current()` tells whether `path` still is what was mapped.
class CounterReader {
  public:
    static Result<CounterReader> open(const std::string& path);
    CounterReader(CounterReader&&) noexcept;
    CounterReader& operator=(CounterReader&&) noexcept;
    CounterReader(const CounterReader&) = delete;
    CounterReader& operator=(const CounterReader&) = delete;
    ~CounterReader();

    [[nodiscard]] const CounterHeader& header() const { return *header_; }
    [[nodiscard]] size_t size() const { return header_->counters; }
    [[nodiscard]] std::string_view name(size_t counter) const;
    [[nodiscard]] std::string_view help(size_t counter) const;
    [[nodiscard]] CounterKind kind(size_t counter) const;
    [[nodiscard]] uint64_t value(size_t counter, unsigned worker) const;
    /// Over all workers and the control thread.
    [[nodiscard]] uint64_t sum(size_t counter) const;
    /// The sum of the named counter; 0 where there is none.
    [[nodiscard]] uint64_t sum(std::string_view counter) const;
    [[nodiscard]] RuleCounter rule(uint32_t slot) const;
    [[nodiscard]] bool current(const std::string& path) const;

  private:
    CounterReader(void* memory, size_t bytes, uint64_t inode);
    [[nodiscard]] uint64_t load(uint64_t values, size_t counter) const;
    const CounterHeader* header_ = nullptr;
    size_t bytes_ = 0;
    uint64_t inode_ = 0;
};

}  // namespace ravelin
