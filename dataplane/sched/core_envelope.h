// SPDX-License-Identifier: Apache-2.0
// CoreEnvelope: what admission took away from a worker for its core context: a part of its cycles,
// and a burst. The core is served first whatever it takes (S18, S19) unless `enforce`; beyond the
// envelope a principal's miss is the core's doing and is counted as such.
#pragma once
#include <cstdint>

#include "dataplane/sched/pace.h"

namespace ravelin::sched {

class CoreEnvelope {
  public:
    /// No envelope: never beyond it.
    CoreEnvelope() = default;
    CoreEnvelope(uint64_t cycles_per_s, uint64_t burst_cycles, bool enforce)
        : pace_(cycles_per_s, burst_cycles), enforce_(enforce) {}

    void charge(uint64_t cycles, uint64_t now) noexcept {
        if (!pace_.limited()) return;
        pace_.take(now, cycles);
        if (pace_.ready_at() > now) last_beyond_ns_ = pace_.ready_at();
    }
    /// Whether the core was beyond its envelope at any time since `since`, ns.
    [[nodiscard]] bool was_beyond(uint64_t since) const {
        return pace_.limited() && last_beyond_ns_ > since;
    }
    /// Under `enforce`: whether generic packets are dropped now, by name. Control traffic never is
    /// before they are.
    [[nodiscard]] bool sheds_generic(uint64_t now) const {
        return enforce_ && pace_.limited() && pace_.ready_at() > now;
    }

  private:
    Pace pace_;
    uint64_t last_beyond_ns_ = 0;  ///< until when it was, as of the last charge
    bool enforce_ = false;
};

}  // namespace ravelin::sched
