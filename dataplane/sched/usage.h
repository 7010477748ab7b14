// SPDX-License-Identifier: Apache-2.0
// What each principal has used on one worker. Two cache lines a principal, one writer; any thread
// may read. What is seldom written lies in the second line.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/sched/principal.h"

namespace ravelin::sched {

enum class Use : uint8_t {
    kCycles,
    kBytes,
    kPackets,
    kQueueNs,     ///< from posting or queueing until served
    kRuns,        ///< uninterrupted runs of a function
    kMisses,      ///< admitted packets that were finished past their deadline
    kCoreMisses,  ///< of these: while the core was beyond its envelope
    kDrops,
    kOverruns,
    kStale,
    kRejected,
    kMarked,       ///< frames marked by ECN
    kReserved,     ///< frames sent by right of a reservation, not of a share
    kSuspensions,  ///< functions suspended for it: each is an alert
    kCount,
};

class Usage {
  public:
    static constexpr size_t kBytesEach = 128;
    explicit Usage(uint32_t principals) : lines_(principals) {}

    void add(PrincipalId id, Use use, uint64_t n = 1) noexcept {
        // A single writer needs no read-modify-write.
        std::atomic_ref cell(lines_[index(id)].values[static_cast<size_t>(use)]);
        cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    /// The three of a packet's account, which lie side by side.
    void add(PrincipalId id, uint64_t cycles, uint64_t packets, uint64_t bytes) noexcept {
        add(id, Use::kCycles, cycles);
        add(id, Use::kPackets, packets);
        add(id, Use::kBytes, bytes);
    }
    /// Asks for the memory that add() writes.
    void fetch(PrincipalId id) const noexcept { __builtin_prefetch(&lines_[index(id)], 1); }
    /// What there is, and none is left.
    uint64_t take(PrincipalId id, Use use) noexcept {
        const uint64_t n = get(id, use);
        std::atomic_ref(lines_[index(id)].values[static_cast<size_t>(use)])
            .store(0, std::memory_order_relaxed);
        return n;
    }
    [[nodiscard]] uint64_t get(PrincipalId id, Use use) const noexcept {
        auto& cell = const_cast<uint64_t&>(lines_[index(id)].values[static_cast<size_t>(use)]);
        return std::atomic_ref(cell).load(std::memory_order_relaxed);
    }
    [[nodiscard]] uint32_t principals() const { return static_cast<uint32_t>(lines_.size()); }
    [[nodiscard]] size_t memory_bytes() const noexcept { return lines_.size() * sizeof(Line); }
    /// Over all principals, core and idle included.
    [[nodiscard]] uint64_t sum(Use use) const noexcept {
        uint64_t total = 0;
        for (uint32_t i = 0; i < lines_.size(); ++i) total += get(PrincipalId{i}, use);
        return total;
    }

  private:
    struct alignas(64) Line {
        std::array<uint64_t, 16> values{};
    };
    static_assert(static_cast<size_t>(Use::kCount) <= 16 && sizeof(Line) == kBytesEach);
    std::vector<Line> lines_;
};

}  // namespace ravelin::sched
