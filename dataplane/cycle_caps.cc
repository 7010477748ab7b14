// SPDX-License-Identifier: Apache-2.0
#include "dataplane/cycle_caps.h"

#include <algorithm>
#include <utility>

namespace ravelin {

using sched::PrincipalId;
using sched::Use;

// What was owed under another cap is at most a burst of the new one.
void CycleCaps::change(const Principals& principals, const sched::Usage& usage,
                       uint64_t now) noexcept {
    serial_ = principals.serial;
    shares_ = principals.cpu;
    counted_ = principals.cpu_counted;
    next_ = 0;
    std::ranges::fill(beyond_, uint8_t{0});
    beyond_count_ = 0;
    for (const PrincipalId id : counted_) {
        State& state = states_[index(id)];
        state.seen = usage.get(id, Use::kCycles);
        state.owed = std::min(state.owed, shares_[index(id)].burst << 16);
        state.until = now;
    }
}

void CycleCaps::look(const sched::Usage& usage, uint64_t now) noexcept {
    looked_ = now;
    for (size_t n = std::min(kATurn, counted_.size()); n != 0; --n) {
        const PrincipalId id = counted_[next_];
        next_ = next_ + 1 == counted_.size() ? 0 : next_ + 1;
        const uint64_t used = usage.get(id, Use::kCycles);
        const uint64_t cycles = used - std::exchange(states_[index(id)].seen, used);
        for (PrincipalId at = id; at != sched::kNoPrincipal; at = shares_[index(at)].above)
            if (shares_[index(at)].part != 0) settle(at, cycles, now);
    }
}

// What it uses while it is beyond is what its packets cost before they are dropped: that leads to
// no more than two bursts, so when a flood is over its next packets have not long to wait.
void CycleCaps::settle(PrincipalId id, uint64_t cycles, uint64_t now) noexcept {
    // A minute's half (times 2^24 at most), and hours: neither product overflows.
    constexpr uint64_t kLongest = uint64_t{1} << 36, kMost = uint64_t{1} << 45;
    State& state = states_[index(id)];
    const Principals::CpuShare& share = shares_[index(id)];
    uint8_t& beyond = beyond_[index(id)];
    const uint64_t passed = std::min(now - state.until, kLongest), burst = share.burst << 16;
    state.until = now;
    state.owed -= std::min(state.owed, passed * share.part >> 8);
    const uint64_t owed = std::min(state.owed + (std::min(cycles, kMost) << 16), kMost << 16);
    state.owed = beyond == 0 ? owed : std::max(state.owed, std::min(owed, 2 * burst));
    beyond_count_ -= beyond;
    beyond = state.owed > burst ? 1 : 0;
    beyond_count_ += beyond;
}

}  // namespace ravelin
