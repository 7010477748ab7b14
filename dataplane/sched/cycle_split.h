// SPDX-License-Identifier: Apache-2.0
// CycleSplit: whose cycles a generic burst was. One stamp a burst; its cycles are divided among the
// principals pro rata by their packets and the weights of the stages these went through. A stage
// is reckoned to take `fixed` cycles a burst, shared by the packets that reach it, and `each` a
// packet: a line through what it took in one burst in about 64, whose stages are all timed (the
// distance is random, so that it beats with nothing in the traffic).
// Exact for bursts of one principal; else as exact as a stage's cost is a matter of the stage and
// not of the principal.
#pragma once
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

    /// `packets` of `id` went through the first `stages` stages: at most kMaxStages, and a burst's
    /// packets in all. Those of one principal in a row are one call.
    void add(PrincipalId id, unsigned packets, unsigned stages) noexcept {
        if (count_ != 0 && parts_[count_ - 1].id == id && parts_[count_ - 1].stages == stages)
            parts_[count_ - 1].packets += packets;
        else if (count_ != parts_.size())
            parts_[count_++] = {id, packets, stages};
    }
    /// The burst took `cycles` in all: charges them, every one, and begins anew. Without packets
    /// they are `otherwise`'s.
    void charge(uint64_t cycles, Usage& usage, PrincipalId otherwise) noexcept {
        if (count_ <= 1)
            usage.add(count_ == 0 ? otherwise : parts_[0].id, Use::kCycles, cycles);
        else
            divide(cycles, usage);
        count_ = 0;
    }

  private:
    struct Part {
        PrincipalId id;
        uint32_t packets, stages;
    };
    /// A stage's cost, 1/256 cycles: until measured, alike for all.
    struct Weight {
        uint32_t fixed = 0, each = 256;
    };
    /// Running means over the samples of a stage: packets, cycles, their square and product.
    struct Line {
        double samples = 0, n = 0, c = 0, nn = 0, nc = 0;
    };
    void divide(uint64_t cycles, Usage& usage) noexcept;

    std::array<Part, limits::kBurst> parts_;
    std::array<Weight, kMaxStages> weights_{};
    std::array<Line, kMaxStages> lines_{};
    uint64_t random_ = 0x9e3779b97f4a7c15;
    uint32_t until_sample_ = 1;
    unsigned count_ = 0;
};

}  // namespace ravelin::sched
