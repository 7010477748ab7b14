// SPDX-License-Identifier: Apache-2.0
// HeldUp: what the machine's stalls have held up on a worker and is not worked off yet. That takes
// as long again at the most, and another stall meanwhile puts it off.
#pragma once
#include <algorithm>
#include <cstdint>

namespace ravelin {

class HeldUp {
  public:
    /// A stretch of work, from when until when, of which the machine took `ns`, whenever in it:
    /// what stalls goes on for a while behind it.
    void note(uint64_t from_ns, uint64_t until_ns, uint64_t ns) noexcept {
        if (from_ns > worked_off_ns_) stalled_ns_ = from_ns;
        worked_off_ns_ = std::max(std::max(worked_off_ns_, from_ns) + 2 * ns, until_ns + ns);
    }
    /// By how many ns stalls may have made late what was released and due then.
    [[nodiscard]] uint64_t of(uint64_t release_ns, uint64_t due_ns) const noexcept {
        const uint64_t since = std::max(release_ns, stalled_ns_);
        return due_ns <= stalled_ns_ || since >= worked_off_ns_ ? 0 : worked_off_ns_ - since;
    }

  private:
    uint64_t stalled_ns_ = 0, worked_off_ns_ = 0;  // of those in a row
};

}  // namespace ravelin
