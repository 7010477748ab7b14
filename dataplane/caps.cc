// SPDX-License-Identifier: Apache-2.0
#include "dataplane/caps.h"

#include <algorithm>
#include <utility>

namespace ravelin {

// Times wrap around after 834 days.
void Caps::change(const Principals& principals, uint64_t now_ns) noexcept {
    const std::vector<sched::Rate>& rates = principals.rates;
    serial_ = principals.serial;
    any_ = !rates.empty();
    const uint64_t now = now_ns << 8;
    const auto reaches = static_cast<uint32_t>(rates.size());
    const uint32_t end = std::max(std::exchange(reached_, reaches), reaches);
    for (uint32_t id = 0; id < end; ++id) {
        sched::Bucket& bucket = usage_.bucket(PrincipalId{id});
        const sched::Rate rate = id < reaches ? rates[id] : sched::Rate{};
        const auto ahead = static_cast<int64_t>(bucket.owed_until - now);
        const uint64_t before = ahead > 0 ? static_cast<uint64_t>(ahead) : 0;
        bucket = {.owed_until = now + std::min(before, rate.burst), .rate = rate};
    }
}

template <typename Fits>
inline bool Caps::take_if(PrincipalId id, uint32_t bytes, uint64_t now_ns, Fits&& fits) noexcept {
    if (index(id) >= sched::kMaxPrincipals) return true;
    const uint64_t now = now_ns << 8;
    const auto above = [&](PrincipalId at) { return usage_.bucket(at).rate.above; };
    for (PrincipalId at = id; at != sched::kNoPrincipal; at = above(at)) {
        const sched::Bucket& bucket = usage_.bucket(at);
        if (bucket.rate.cost != 0 && !fits(owed_of(bucket, now), bucket, bytes)) return false;
    }
    for (PrincipalId at = id; at != sched::kNoPrincipal; at = above(at)) {
        sched::Bucket& bucket = usage_.bucket(at);
        bucket.owed_until = now + owed_of(bucket, now) + (bucket.rate.cost * bytes >> 16);
    }
    return true;
}

bool Caps::take_of_all(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept {
    return take_if(id, bytes, now_ns, [](uint64_t owed, const sched::Bucket& bucket, uint32_t) {
        return owed <= bucket.rate.burst;
    });
}

bool Caps::take_all(PrincipalId id, uint32_t bytes, uint64_t now_ns) noexcept {
    return take_if(id, bytes, now_ns, [](uint64_t owed, const sched::Bucket& bucket, uint32_t all) {
        uint64_t cost = 0;
        return !__builtin_mul_overflow(bucket.rate.cost, all, &cost) &&
               owed + (cost >> 16) <= bucket.rate.burst;
    });
}

}  // namespace ravelin
