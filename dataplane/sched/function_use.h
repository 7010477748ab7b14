// SPDX-License-Identifier: Apache-2.0
// What one function took on one worker: runs, packets, cycles, and how many packets took how many
// cycles each. One writer, any thread reads.
#pragma once
#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>

namespace ravelin::sched {

class FunctionUse {
  public:
    // Eight buckets to an octave: what is read from them is at most an eighth too much.
    static constexpr unsigned kParts = 8, kOctaves = 28, kBuckets = kParts * kOctaves;
    /// Plain numbers: of one worker, or summed up.
    struct Counts {
        uint64_t runs = 0, packets = 0, cycles = 0;
        uint64_t longest = 0;  ///< cycles of a run
        uint64_t not_run = 0;  ///< packets that were refused, or dropped while they waited
        std::array<uint64_t, kBuckets> buckets{};  ///< packets, by cycles each

        void add(const Counts& other) noexcept;
        /// The least cycles, rounded up to a bucket's end, that no more than one of `of` packets
        /// went beyond; 0: nothing has run.
        [[nodiscard]] uint64_t beyond_one_in(uint64_t of) const noexcept;
    };

    static unsigned bucket(uint64_t cycles) noexcept {
        if (cycles < kParts) return static_cast<unsigned>(cycles);
        const auto octave = static_cast<unsigned>(std::bit_width(cycles)) - 3;
        return std::min(octave * kParts + static_cast<unsigned>(cycles >> (octave - 1)) % kParts,
                        kBuckets - 1);
    }
    /// The most cycles that go into it, but for the last, which has all beyond too.
    static uint64_t end_of(unsigned bucket) noexcept {
        if (bucket < kParts) return bucket;
        const unsigned octave = bucket / kParts;
        return ((uint64_t{kParts} + bucket % kParts + 1) << (octave - 1)) - 1;
    }

    /// A run of so many packets; each is taken to have cost the same. Of a message: none.
    void ran(uint64_t cycles, unsigned packets) noexcept {
        add(counts_.runs, 1);
        add(counts_.cycles, cycles);
        if (cycles > counts_.longest) std::atomic_ref(counts_.longest).store(cycles, kRelaxed);
        if (packets == 0) return;
        add(counts_.packets, packets);
        add(counts_.buckets[bucket((cycles + packets - 1) / packets)], packets);
    }
    void not_run(unsigned packets) noexcept { add(counts_.not_run, packets); }
    /// Goes on where `before` stops, whose writer this one's is.
    void go_on(const FunctionUse& before) noexcept;
    /// Any thread.
    [[nodiscard]] Counts read() const noexcept;

  private:
    static constexpr auto kRelaxed = std::memory_order_relaxed;
    // A single writer needs no read-modify-write.
    static void add(uint64_t& cell, uint64_t n) noexcept {
        std::atomic_ref(cell).store(cell + n, kRelaxed);
    }
    Counts counts_;
};

}  // namespace ravelin::sched
