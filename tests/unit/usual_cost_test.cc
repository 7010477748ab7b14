// SPDX-License-Identifier: Apache-2.0
// Core work that takes longer than its packets usually do is told from more packets, and from
// dearer ones that go on.
#include "dataplane/usual_cost.h"

#include <gtest/gtest.h>

namespace ravelin {
namespace {

constexpr uint64_t kAllowed = 26'000, kEach = 700;

class UsualCostTest : public ::testing::Test {
  protected:
    void SetUp() override {
        for (int i = 0; i < 1'000; ++i) EXPECT_EQ(usual_.beyond(300 + 8 * kEach, 8), 0u);
        EXPECT_NEAR(double(usual_.each()), double(kEach + 300 / 8), 2);
    }
    UsualCost usual_{kAllowed};
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

// A storm of stalls is not what is usual at once.
TEST_F(UsualCostTest, StallsAreLearnedSlowly) {
    for (int i = 0; i < 30; ++i) EXPECT_GT(usual_.beyond(300'000, 64), 50'000u) << i;
}

TEST_F(UsualCostTest, DearerPacketsAreUsualSoon) {
    unsigned turns = 0;
    while (usual_.beyond(64 * 20 * kEach, 64) != 0) ASSERT_LT(++turns, 1'000u);
    EXPECT_GT(turns, 5u);
    EXPECT_EQ(usual_.beyond(64 * 20 * kEach, 64), 0u);
}

TEST(UsualCost, TheFirstPacketsSayWhatIsUsual) {
    UsualCost usual(kAllowed);
    EXPECT_EQ(usual.beyond(1'000'000, 8), 0u);
}

}  // namespace
}  // namespace ravelin
