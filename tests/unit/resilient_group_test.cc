// SPDX-License-Identifier: Apache-2.0
// ResilientGroup: what moves when members come, go and fail.
#include "pipelines/tables/resilient_group.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <vector>

namespace ravelin {
namespace {

using Member = ResilientGroup::Member;

std::vector<Member> random_members(std::mt19937& random, size_t n) {
    std::vector<Member> out;
    for (size_t i = 0; i < n; ++i)
        out.push_back({static_cast<uint32_t>(i), uint64_t{random()} << 32 | random(),
                       static_cast<uint8_t>(1 + random() % 8)});
    return out;
}

constexpr auto kAll = [](uint32_t) { return true; };

TEST(ResilientGroup, RemovalMovesOnlyTheSlotsOfTheRemoved) {
    std::mt19937 random(7);
    for (int round = 0; round < 40; ++round) {
        auto members = random_members(random, 2 + random() % 15);
        const ResilientGroup before(members);
        const uint32_t gone = members[random() % members.size()].value;
        std::erase_if(members, [&](const Member& m) { return m.value == gone; });
        std::shuffle(members.begin(), members.end(), random);  // order must not matter
        const ResilientGroup after(members);
        for (uint32_t slot = 0; slot < ResilientGroup::kSlots; ++slot) {
            if (before.owner(slot) != gone) {
                ASSERT_EQ(after.owner(slot), before.owner(slot)) << "slot " << slot;
            }
            ASSERT_NE(after.owner(slot), gone);
        }
    }
}

TEST(ResilientGroup, AnAddedMemberTakesSlotsAndMovesNoOthers) {
    std::mt19937 random(8);
    auto members = random_members(random, 6);
    const ResilientGroup before(members);
    members.push_back({99, 0x1234567, 4});
    const ResilientGroup after(members);
    unsigned taken = 0;
    for (uint32_t slot = 0; slot < ResilientGroup::kSlots; ++slot) {
        if (after.owner(slot) == 99) {
            ++taken;
        } else {
            ASSERT_EQ(after.owner(slot), before.owner(slot));
        }
    }
    EXPECT_GT(taken, 0u);
}

TEST(ResilientGroup, AFailureMovesOnlyTheFlowsOfTheFailedAndRecoveryBringsThemBack) {
    std::mt19937 random(9);
    for (int round = 0; round < 20; ++round) {
        const auto members = random_members(random, 2 + random() % 15);
        const ResilientGroup group(members);
        std::set<uint32_t> down;
        const auto usable = [&](uint32_t value) { return !down.contains(value); };
        std::map<uint32_t, uint32_t> flows;
        for (int i = 0; i < 2000; ++i) flows[static_cast<uint32_t>(random())] = 0;
        for (auto& [hash, member] : flows) member = group.pick(hash, kAll);
        const auto first = flows;
        while (down.size() + 1 < members.size()) {  // one after the other, down to one
            uint32_t next = members[random() % members.size()].value;
            while (down.contains(next)) next = members[random() % members.size()].value;
            down.insert(next);
            for (auto& [hash, member] : flows) {
                const uint32_t now = group.pick(hash, usable);
                ASSERT_FALSE(down.contains(now));
                if (member != next) {
                    ASSERT_EQ(now, member);
                }
                member = now;
            }
        }
        down.clear();
        for (const auto& [hash, member] : first) ASSERT_EQ(group.pick(hash, usable), member);
    }
}

TEST(ResilientGroup, WithoutAUsableMemberAFlowKeepsItsOwn) {
    std::mt19937 random(10);
    const ResilientGroup group(random_members(random, 5));
    for (int i = 0; i < 1000; ++i) {
        const auto hash = static_cast<uint32_t>(random());
        EXPECT_EQ(group.pick(hash, [](uint32_t) { return false; }), group.pick(hash, kAll));
    }
}

TEST(ResilientGroup, SharesFollowTheWeights) {
    const std::vector<Member> members{{0, 11, 1}, {1, 22, 2}, {2, 33, 5}};
    const ResilientGroup group(members);
    std::map<uint32_t, double> slots;
    for (uint32_t slot = 0; slot < ResilientGroup::kSlots; ++slot) slots[group.owner(slot)] += 1;
    for (const Member& m : members) {
        const double share = ResilientGroup::kSlots * m.weight / 8.0;
        EXPECT_NEAR(slots[m.value], share, 5 * std::sqrt(share)) << m.value;  // five sigma
    }
}

// A worker sees hashes of one remainder only; its flows must reach every member all the same.
TEST(ResilientGroup, AWorkersFlowsReachAllSlots) {
    std::set<uint32_t> slots;
    std::mt19937 random(11);
    for (int i = 0; i < 40'000; ++i)
        slots.insert(ResilientGroup::slot_of(static_cast<uint32_t>(random()) & ~3u));
    EXPECT_EQ(slots.size(), ResilientGroup::kSlots);
}

}  // namespace
}  // namespace ravelin
