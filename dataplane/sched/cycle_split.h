// SPDX-License-Identifier: Apache-2.0
// CycleSplit: whose cycles a generic burst was. One stamp a burst; its cycles are divided among the
// principals pro rata by their packets and the weights of the stages these went through. A stage
// is reckoned to take `fixed` cycles a burst, shared by the packets that reach it, and `each` a
// packet: a line through what it took in one burst in about 64, whose stages are all timed (the
// distance is random, so that it beats with nothing in the traffic).
// Stages are numbered so that those a packet passes are in a row.
// Exact for bursts of one principal; else as exact as a stage's cost is a matter of the stage and
// not of the principal.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>

#include "dataplane/limits.h"
#include "dataplane/sched/principal.h"
#include "dataplane/sched/usage.h"

namespace ravelin::sched {

class CycleSplit {
  public:
    static constexpr unsigned kMaxStages = 32;
    static constexpr unsigned kSampleEvery = 64;

    /// Once a burst, before it runs: whether its stages are to be timed.
    [[nodiscard]] bool sample() noexcept {
        if (--until_sample_ != 0) return false;
        random_ ^= random_ << 13;  // G. Marsaglia's xorshift, 2003
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        until_sample_ = 1 + static_cast<uint32_t>(random_ % (2 * kSampleEvery - 1));
        return true;
    }
    /// Of a sampled burst: stage number `stage` of the pipeline took `cycles` for `packets`.
    void timed(unsigned stage, uint64_t cycles, unsigned packets) noexcept;

    /// What was learned of the stages before `end`.
    void forget(unsigned end) noexcept { std::fill_n(lines_.begin(), end, Line{}); }

    static constexpr unsigned kNone = kMaxStages + 1;
    /// `packets` of `id` went through the stages from `first` on and before `end`, at most
    /// kMaxStages, and through `beside`, if that is one. Only where not full(); those of one
    /// principal in a row are one part.
    void add(PrincipalId id, unsigned packets, unsigned end, unsigned first = 0,
             unsigned beside = kNone) noexcept {
        if (count_ == 0) {
            several_ = false;
        } else {
            Part& last = parts_[count_ - 1];
            if (last.id == id && last.end == end && last.first == first && last.beside == beside) {
                last.packets += packets;
                return;
            }
            several_ |= id != parts_[0].id;
        }
        parts_[count_++] = {id, packets, static_cast<uint8_t>(first), static_cast<uint8_t>(end),
                            static_cast<uint8_t>(beside)};
    }
    /// A part more has room, and kRoom - 1 that come with charge(), but no other: charge() first.
    static constexpr unsigned kRoom = 4;
    [[nodiscard]] bool full() const noexcept { return count_ + kRoom > parts_.size(); }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
    /// Cycles that `packets` are reckoned to take at a stage.
    [[nodiscard]] uint64_t reckoned(unsigned stage, unsigned packets) const noexcept {
        const auto& [fixed, each] = weights_[stage];
        return (uint64_t{fixed} + uint64_t{each} * packets) >> 8;
    }
    /// The burst took `cycles` in all: charges them, every one, and begins anew. `other` has those
    /// of a burst without packets, and of another its part as one that is reckoned to take `own`;
    /// where all packets are one principal's `own` itself, half of the burst at the most.
    void charge(uint64_t cycles, Usage& usage, PrincipalId other, uint64_t own = 0) noexcept {
        if (count_ == 0) {
            usage.add(other, Use::kCycles, cycles);
        } else if (!several_) {  // theirs is what is left, whatever a packet of theirs takes
            const uint64_t others = std::min(own, cycles / 2);
            usage.add(other, Use::kCycles, others);
            usage.add(parts_[0].id, Use::kCycles, cycles - others);
        } else {
            divide(cycles, usage, other, own);
        }
        count_ = 0;
    }

  private:
    struct Part {
        PrincipalId id;
        uint32_t packets;
        uint8_t first, end, beside;
    };
    /// A stage's cost, 1/256 cycles: until measured, alike for all.
    struct Weight {
        uint32_t fixed = 0, each = 256;
    };
    /// Running means over the samples of a stage: packets, cycles, their square and product.
    struct Line {
        uint32_t seen = 0;  ///< of the first few, forgotten ones too
        double samples = 0, n = 0, c = 0, nn = 0, nc = 0;
    };
    /// By stage: what a packet takes of all before it. kNone takes nothing.
    using Reckoned = std::array<uint64_t, kNone + 2>;
    static uint64_t cost_of(const Part& part, const Reckoned& through) noexcept {
        return (through[part.end] - through[part.first] + through[part.beside + 1] -
                through[part.beside]) *
               part.packets;
    }
    void divide(uint64_t cycles, Usage& usage, PrincipalId other, uint64_t own) noexcept;
    void reckon(Reckoned& through) const noexcept;

    static constexpr double kTrusted = 4;    ///< samples
    static constexpr unsigned kParts = 256;  ///< a turn of packets that are each another's

    std::array<Part, kParts> parts_;
    std::array<Weight, kMaxStages> weights_{};
    std::array<Line, kMaxStages> lines_{};
    uint64_t random_ = 0x9e3779b97f4a7c15;
    uint32_t until_sample_ = 1;
    unsigned count_ = 0;
    bool several_ = false;  ///< principals among the parts
};

}  // namespace ravelin::sched
