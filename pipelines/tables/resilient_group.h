// SPDX-License-Identifier: Apache-2.0
// ResilientGroup: several answers where a flow keeps the one it has (ECMP next hops).
//
// A flow's hash names one of 1,024 slots; a slot belongs to the member with the highest weighted
// score for it (rendezvous hashing; Thaler and Ravishankar 1998, weights by Schindelhauer and
// Schomaker 2005). Owners depend on members' identities alone, so a member that goes gives away its
// own slots only, also over reloads, restarts and on another box. Slots a member holds deviate
// from its share by about the root of their number: two equal members 512 +- 16.
// Cost: one byte of 1 KiB; while a member is out, one more for each unusable one met.
#pragma once
#include <array>
#include <cstdint>
#include <span>

namespace ravelin {

class ResilientGroup {
  public:
    static constexpr unsigned kSlots = 1024, kMostMembers = 64;

    struct Member {
        uint32_t value = 0;     ///< what pick() returns
        uint64_t identity = 0;  ///< what it is, whatever its place; no two alike
        uint8_t weight = 1;     ///< share of the slots relative to the others; at least 1
    };

    /// 1 to kMostMembers members in any order.
    explicit ResilientGroup(std::span<const Member> members);

    /// The member of a flow: the first usable one of its own sequence of slots, so that a flow
    /// moves only if its member fails, and comes back with it. Where none is usable, the first of
    /// the sequence. `usable(value)` must give the same answer to the same value in one call.
    template <typename Usable>
    [[nodiscard]] uint32_t pick(uint32_t hash, Usable&& usable) const noexcept {
        const uint32_t first = owner(slot_of(hash));
        if (usable(first)) [[likely]]
            return first;
        for (uint32_t i = 1; i < kAttempts; ++i)
            if (const uint32_t next = owner(slot_of(hash + i * kStride)); usable(next)) return next;
        for (uint32_t i = 0; i < count_; ++i)
            if (const uint32_t next = members_[(hash + i) % count_].value; usable(next))
                return next;
        return first;
    }

    [[nodiscard]] std::span<const Member> members() const { return {members_.data(), count_}; }
    /// The value that `slot` < kSlots leads to.
    [[nodiscard]] uint32_t owner(uint32_t slot) const noexcept {
        return members_[slots_[slot]].value;
    }
    /// The slot of a flow hash. Steering spreads workers by the hash's remainder; the upper bits of
    /// a product depend on all bits, so a worker's flows still reach all slots.
    static uint32_t slot_of(uint32_t hash) noexcept { return (hash * 0x9e3779b1u) >> 22; }

  private:
    // With half of the weight out, one flow in 256 reaches the last attempt.
    static constexpr uint32_t kAttempts = 8, kStride = 0x7f4a7c15;

    std::array<uint8_t, kSlots> slots_{};
    std::array<Member, kMostMembers> members_{};
    uint32_t count_ = 0;
};

}  // namespace ravelin
