// SPDX-License-Identifier: Apache-2.0
// HeldUp: what the machine's stalls have held up on a worker and is not worked off yet. That takes
// as long again at the most, and another stall meanwhile puts it off: of those in a row it adds up.
#pragma once
#include <algorithm>
#include <cstdint>

namespace ravelin {

class HeldUp {
  public:
    /// A stretch of work, from when until when, of which the machine took `ns`, whenever in it:
    /// what stalls goes on for a while behind it.
    void note(uint64_t from_ns, uint64_t until_ns, uint64_t ns) noexcept {
        if (from_ns > row_until_ns_) {
            stalled_ns_ = row_until_ns_ = from_ns;
            held_ns_ = 0;
        }
        held_ns_ += 2 * ns;
        row_until_ns_ += 2 * ns;
        worked_off_ns_ = std::max(row_until_ns_, until_ns + ns);
    }
    /// By how many ns stalls may have made late what was released and due then: no more than twice
    /// what they took, nor than is left of it.
    [[nodiscard]] uint64_t of(uint64_t release_ns, uint64_t due_ns) const noexcept {
        const uint64_t since = std::max(release_ns, stalled_ns_);
        if (due_ns <= stalled_ns_ || since >= worked_off_ns_) return 0;
        return std::min(held_ns_, worked_off_ns_ - since);
    }

  private:
    // Of those in a row: since when, twice what they took, until when another one is of it, and
    // when the last that they held up may end.
    uint64_t stalled_ns_ = 0, held_ns_ = 0, row_until_ns_ = 0, worked_off_ns_ = 0;
};

}  // namespace ravelin
