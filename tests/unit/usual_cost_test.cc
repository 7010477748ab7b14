// SPDX-License-Identifier: Apache-2.0
// Core work that takes longer than its packets usually do is told from more packets, and from
// dearer ones that go on.
#include "dataplane/usual_cost.h"

#include <gtest/gtest.h>

namespace ravelin {
namespace {

constexpr uint64_t kHz = 2'600'000'000, kAllowed = kHz / 100'000, kAtOnce = kHz / 2'000,
                   kEach = 700;

class UsualCostTest : public ::testing::Test {
  protected:
    void SetUp() override {
        for (int i = 0; i < 1'000; ++i) EXPECT_EQ(usual_.beyond(300 + 8 * kEach, 8), 0u);
        EXPECT_NEAR(double(usual_.each()), double(kEach + 300 / 8), 2);
    }
    UsualCost usual_{kHz};
};

TEST_F(UsualCostTest, MorePacketsAreNoStall) {
    for (int i = 0; i < 1'000; ++i) EXPECT_EQ(usual_.beyond(128 * 2 * kEach, 128), 0u);
}

TEST_F(UsualCostTest, WhatIsBeyondTwiceTheUsualIs) {
    const uint64_t most = 2 * 8 * usual_.each() + kAllowed;
    EXPECT_EQ(usual_.beyond(most, 8), 0u);
    EXPECT_NEAR(double(usual_.beyond(most + 160'000, 8)), 160'000, 200);
    EXPECT_EQ(usual_.beyond(kAllowed + 50'000, 0), 50'000u) << "without a packet";
}

// A storm of 500 us.
TEST_F(UsualCostTest, AStormIsHardlyLearned) {
    for (int i = 0; i < 10; ++i) EXPECT_GT(usual_.beyond(220'000, 64), 60'000u) << i;
}

// 500 us at once, and a sixteenth; in trains behind cheap ones, too, where they would never
// be usual.
TEST_F(UsualCostTest, DearPacketsAreNoStallsForLong) {
    uint64_t said = 0, core = 0;
    for (int i = 0; i < 30'000; ++i) {
        const uint64_t cycles = 64 * (i % 3 == 2 ? 20 * kEach : kEach);
        said += usual_.beyond(cycles, 64);
        core += cycles;
    }
    EXPECT_LE(said, kAtOnce + core / 16);
    EXPECT_GT(said, kAtOnce);
}

TEST_F(UsualCostTest, WhatGoesOnIsUsualSoon) {
    unsigned turns = 0;
    while (usual_.beyond(64 * 20 * kEach, 64) != 0) ASSERT_LT(++turns, 1'000u);
    EXPECT_EQ(usual_.beyond(64 * 20 * kEach, 64), 0u);
}

// A stall of 4 ms, also behind others: 64 packets cannot take as long.
TEST_F(UsualCostTest, NoPacketTakesTenMicroseconds) {
    for (int i = 0; i < 100; ++i) usual_.beyond(64 * 20 * kEach, 64);
    const uint64_t packets = 65 * kAllowed, stall = 10'000'000;
    for (int i = 0; i < 10; ++i) {
        EXPECT_GE(usual_.beyond(packets + stall, 64), stall);
        EXPECT_LE(usual_.beyond(packets, 64), kAtOnce);
        EXPECT_EQ(usual_.surely(packets + stall, 64), stall);
    }
    EXPECT_EQ(usual_.surely(packets, 64), 0u);
}

// A stall among the first packets is not what they take.
TEST(UsualCost, TheFirstPacketsSayWhatIsUsual) {
    UsualCost usual(kHz);
    EXPECT_EQ(usual.beyond(10'000'000, 8), 10'000'000 - 9 * kAllowed);
    for (int i = 0; i < 20; ++i) EXPECT_EQ(usual.beyond(8 * kEach, 8), 0u);
    EXPECT_LT(usual.each(), 2 * kEach);
}

}  // namespace
}  // namespace ravelin
