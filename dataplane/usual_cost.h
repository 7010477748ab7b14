// SPDX-License-Identifier: Apache-2.0
// UsualCost: what packets usually take a worker's core work, so that a stretch of it is seen in
// which the machine stood still: a kernel does not know of all that a hypervisor takes. It says
// nothing of single packets; what is twice the usual, and 10 us, may be their own. Work that really
// becomes dearer is usual within some thousand packets.
#pragma once
#include <algorithm>
#include <cstdint>

namespace ravelin {

class UsualCost {
  public:
    /// `allowed`: cycles that any stretch may take.
    explicit UsualCost(uint64_t allowed) : allowed_(allowed) {}
    /// A stretch that moved so many packets took so many cycles: how many of them are beyond what
    /// is usual.
    uint64_t beyond(uint64_t cycles, unsigned packets) noexcept {
        const uint64_t most = 2 * packets * each() + allowed_;
        const uint64_t usual = packets_ < kKnown ? cycles : std::min(cycles, most);
        if (packets != 0) {
            cycles_ += usual;
            packets_ += packets;
        }
        if (packets_ >= kForgets) {
            cycles_ /= 2;
            packets_ /= 2;
        }
        return cycles - usual;
    }
    /// Cycles a packet.
    [[nodiscard]] uint64_t each() const noexcept { return packets_ == 0 ? 0 : cycles_ / packets_; }

  private:
    static constexpr uint64_t kKnown = 64, kForgets = 4'096;
    uint64_t allowed_, cycles_ = 0, packets_ = 0;
};

}  // namespace ravelin
