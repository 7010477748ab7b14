// SPDX-License-Identifier: Apache-2.0
#include "dataplane/caps.h"

#include <algorithm>

namespace ravelin {

void Caps::change(std::span<const Principals::Rate> rates, uint64_t now_ns) noexcept {
    const uint64_t now = now_ns << 8;
    for (uint32_t id = 0; id < owed_until_.size(); ++id) {
        const auto ahead = static_cast<int64_t>(owed_until_[id] - now);
        const uint64_t before = ahead > 0 ? static_cast<uint64_t>(ahead) : 0;
        owed_until_[id] = now + (id < rates.size() ? std::min(before, rates[id].burst) : 0);
    }
}

// How far ahead of now. What is further than a packet can lead to is of before the clock went
// round.
uint64_t Caps::owed(uint32_t id, uint64_t now) const noexcept {
    const Principals::Rate& rate = rates_[id];
    const auto ahead = static_cast<int64_t>(owed_until_[id] - now);
    if (ahead <= 0 || static_cast<uint64_t>(ahead) > rate.burst + rate.cost) return 0;
    return static_cast<uint64_t>(ahead);
}

template <typename Fits>
inline bool Caps::take_if(PrincipalId id, uint32_t bytes, uint64_t now_ns, Fits&& fits) noexcept {
    if (index(id) >= rates_.size()) return true;  // another policy's
    const uint64_t now = now_ns << 8;
    for (PrincipalId at = id; at != sched::kNoPrincipal; at = rates_[index(at)].above)
        if (const auto& rate = rates_[index(at)];
            rate.cost != 0 && !fits(owed(index(at), now), rate, bytes))
            return false;
    for (PrincipalId at = id; at != sched::kNoPrincipal; at = rates_[index(at)].above)
        if (const uint64_t cost = rates_[index(at)].cost; cost != 0)
            owed_until_[index(at)] = now + owed(index(at), now) + (cost * bytes >> 16);
    return true;
}

// A packet, of 64 KiB at most, may owe a part.
bool Caps::take(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept {
    return take_if(id, bytes, now_ns, [](uint64_t owed, const Principals::Rate& rate, uint32_t) {
        return owed <= rate.burst;
    });
}

bool Caps::take_all(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept {
    return take_if(id, bytes, now_ns,
                   [](uint64_t owed, const Principals::Rate& rate, uint32_t all) {
                       uint64_t cost = 0;
                       return !__builtin_mul_overflow(rate.cost, all, &cost) &&
                              owed + (cost >> 16) <= rate.burst;
                   });
}

}  // namespace ravelin
