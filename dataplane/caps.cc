// SPDX-License-Identifier: Apache-2.0
#include "dataplane/caps.h"

#include <algorithm>

namespace ravelin {

template <typename Fits>
inline bool Caps::take_if(PrincipalId id, uint32_t bytes, uint64_t now_ns, Fits&& fits) noexcept {
    if (index(id) >= rates_.size()) return true;  // another policy's
    const uint64_t now = now_ns << 8;
    const auto after = [&](PrincipalId at) {
        return std::max(owed_until_[index(at)], now) + (rates_[index(at)].cost * bytes >> 16);
    };
    for (PrincipalId at = id; at != sched::kNoPrincipal; at = rates_[index(at)].above)
        if (rates_[index(at)].cost != 0 &&
            !fits(owed_until_[index(at)], after(at), now + rates_[index(at)].burst))
            return false;
    for (PrincipalId at = id; at != sched::kNoPrincipal; at = rates_[index(at)].above)
        if (rates_[index(at)].cost != 0) owed_until_[index(at)] = after(at);
    return true;
}

// A packet may owe a part.
bool Caps::take(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept {
    return take_if(id, bytes, now_ns,
                   [](uint64_t before, uint64_t, uint64_t most) { return before <= most; });
}

bool Caps::take_all(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept {
    return take_if(id, bytes, now_ns,
                   [](uint64_t, uint64_t after, uint64_t most) { return after <= most; });
}

}  // namespace ravelin
