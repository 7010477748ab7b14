// SPDX-License-Identifier: Apache-2.0
// UsualCost: what packets usually take a worker's core work, so that a stretch of it is seen in
// which the machine stood still: a kernel does not know of all that a hypervisor takes. What is
// beyond twice the usual, and 10 us, may be a stall; but so may be a train of dear packets, which
// nothing tells from it. So it is said of a sixteenth of core work, 500 us at once, and no
// more; what is beyond that is what packets take, and learned. But no packet takes 10 us, whatever
// is done with it: what is beyond that is a stall, however long.
#pragma once
#include <algorithm>
#include <cstdint>

namespace ravelin {

class UsualCost {
  public:
    /// `hz`: cycles a second.
    explicit UsualCost(uint64_t hz) : allowed_(hz / 100'000), most_(hz / 2'000), left_(most_) {}
    /// A stretch that moved so many packets took so many cycles: how many of them the machine may
    /// have taken.
    uint64_t beyond(uint64_t cycles, unsigned packets) noexcept {
        const uint64_t sure = surely(cycles, packets);
        return sure + maybe(cycles - sure, packets);
    }
    /// How many it took in any case.
    [[nodiscard]] uint64_t surely(uint64_t cycles, unsigned packets) const noexcept {
        return cycles - std::min(cycles, (uint64_t{packets} + 1) * allowed_);
    }
    /// Cycles a packet.
    [[nodiscard]] uint64_t each() const noexcept { return packets_ == 0 ? 0 : cycles_ / packets_; }

  private:
    static constexpr uint64_t kKnown = 64, kForgets = 4'096, kPart = 16;
    uint64_t maybe(uint64_t cycles, unsigned packets) noexcept {
        const bool known = packets_ >= kKnown;
        const uint64_t usual = std::min(cycles, 2 * packets * each() + allowed_);
        const uint64_t taken = known ? std::min(cycles - usual, left_) : 0;
        left_ = std::min(left_ - taken + usual / kPart, most_);
        // A stall is no cost, or hardly: what goes on for ever is not called one for ever.
        const bool stalled = taken != 0 && usual + taken == cycles;
        learn(!known ? usual : stalled ? packets * each() / 8 * 9 : cycles - taken, packets);
        return taken;
    }
    void learn(uint64_t cycles, unsigned packets) noexcept {
        if (packets == 0) return;
        cycles_ += cycles;
        packets_ += packets;
        if (packets_ < kForgets) return;
        cycles_ /= 2;
        packets_ /= 2;
    }
    uint64_t allowed_, most_;  // cycles: 10 us, which any stretch may take; 500 us
    uint64_t left_;            // cycles that may be said to be the machine's
    uint64_t cycles_ = 0, packets_ = 0;
};

}  // namespace ravelin
