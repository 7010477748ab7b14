// SPDX-License-Identifier: Apache-2.0
// What each principal has used on one worker: one writer; any thread may read. What packets come to
// (tallies.h) lies in one cache line, with the bucket that is asked for them; the rest elsewhere.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "dataplane/huge_array.h"
#include "dataplane/sched/principal.h"

namespace ravelin::sched {

enum class Use : uint8_t {
    kCycles,
    kBytes,
    kPackets,
    kDrops,
    kQueueNs,     ///< from posting or queueing until served
    kRuns,        ///< uninterrupted runs of a function
    kMisses,      ///< admitted packets that were finished past their deadline
    kCoreMisses,  ///< of these: while the core was beyond its envelope
    kOverruns,
    kStale,
    kRejected,
    kMarked,       ///< frames marked by ECN
    kReserved,     ///< frames sent by right of a reservation, not of a share
    kSuspensions,  ///< functions suspended for it: each is an alert
    kCount,
};

/// A worker's share of a cap on bandwidth. Times in 1/256 ns.
struct Rate {
    uint64_t cost = 0;                 ///< 2^-16 of them a byte; 0: no cap of its own
    uint64_t burst = 0;                ///< that may be owed
    PrincipalId above = kNoPrincipal;  ///< the next one up with a cap
};
/// A bucket of tokens, of its writer alone (dataplane/caps.h).
struct Bucket {
    uint64_t owed_until = 0;  ///< 1/256 ns: what was taken is worked off
    Rate rate;
};

class Usage {
  public:
    static constexpr size_t kBytesEach = 144;
    explicit Usage(uint32_t principals)
        : lines_(HugeArray<Line>::allocate(principals)), seldom_(principals) {
        if (lines_.size() != principals) std::abort();  // no memory
        std::fill_n(lines_.data(), principals, Line{});
    }

    void add(PrincipalId id, Use use, uint64_t n = 1) noexcept { add_to(cell(id, use), n); }
    /// A turn's part of the three of a packet's account.
    void add(PrincipalId id, uint64_t cycles, uint64_t packets, uint64_t bytes) noexcept {
        auto& values = lines_.data()[index(id)].values;
        add_to(values[static_cast<size_t>(Use::kCycles)], cycles);
        add_to(values[static_cast<size_t>(Use::kPackets)], packets);
        add_to(values[static_cast<size_t>(Use::kBytes)], bytes);
    }
    [[nodiscard]] Bucket& bucket(PrincipalId id) noexcept {
        return lines_.data()[index(id)].bucket;
    }
    /// Asks for the memory of a packet's account and bucket.
    void fetch(PrincipalId id) const noexcept { __builtin_prefetch(lines_.data() + index(id), 1); }
    /// What there is, and none is left.
    uint64_t take(PrincipalId id, Use use) noexcept {
        const uint64_t n = get(id, use);
        std::atomic_ref(cell(id, use)).store(0, std::memory_order_relaxed);
        return n;
    }
    [[nodiscard]] uint64_t get(PrincipalId id, Use use) const noexcept {
        return std::atomic_ref(const_cast<Usage*>(this)->cell(id, use))
            .load(std::memory_order_relaxed);
    }
    [[nodiscard]] uint32_t principals() const { return static_cast<uint32_t>(lines_.size()); }
    [[nodiscard]] size_t memory_bytes() const noexcept { return lines_.size() * kBytesEach; }
    /// Over all principals, core and idle included.
    [[nodiscard]] uint64_t sum(Use use) const noexcept {
        uint64_t total = 0;
        for (uint32_t i = 0; i < lines_.size(); ++i) total += get(PrincipalId{i}, use);
        return total;
    }

  private:
    static constexpr size_t kLine = 64;
    static constexpr size_t kOften = 4, kSeldom = static_cast<size_t>(Use::kCount) - kOften;
    struct alignas(64) Line {
        std::array<uint64_t, kOften> values{};
        Bucket bucket;
    };
    using Seldom = std::array<uint64_t, kSeldom>;
    static_assert(sizeof(Line) == kLine && sizeof(Line) + sizeof(Seldom) == kBytesEach);

    uint64_t& cell(PrincipalId id, Use use) noexcept {
        const auto n = static_cast<size_t>(use);
        return n < kOften ? lines_.data()[index(id)].values[n] : seldom_[index(id)][n - kOften];
    }
    static void add_to(uint64_t& at, uint64_t n) noexcept {
        // A single writer needs no read-modify-write.
        std::atomic_ref cell(at);
        cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
    }
    HugeArray<Line> lines_;  // 65,536 in small pages are more than a TLB knows
    std::vector<Seldom> seldom_;
};

}  // namespace ravelin::sched
