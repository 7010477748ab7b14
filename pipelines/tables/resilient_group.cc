// SPDX-License-Identifier: Apache-2.0
#include "pipelines/tables/resilient_group.h"

#include <algorithm>
#include <cmath>

namespace ravelin {
namespace {

// splitmix64's finaliser.
uint64_t mixed(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
    x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
    return x ^ (x >> 31);
}

double score(const ResilientGroup::Member& member, uint32_t slot) {
    const uint64_t bits = mixed(mixed(member.identity) + slot);
    const double uniform = (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;  // in (0, 1)
    return -member.weight / std::log(uniform);
}

}  // namespace

ResilientGroup::ResilientGroup(std::span<const Member> members) {
    count_ = static_cast<uint32_t>(std::min<size_t>(members.size(), kMostMembers));
    std::copy_n(members.begin(), count_, members_.begin());
    for (uint32_t slot = 0; slot < kSlots; ++slot) {
        double best = -1;
        for (uint32_t i = 0; i < count_; ++i)
            if (const double s = score(members_[i], slot); s > best) {
                best = s;
                slots_[slot] = static_cast<uint8_t>(i);
            }
    }
}

}  // namespace ravelin
