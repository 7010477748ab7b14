// SPDX-License-Identifier: Apache-2.0
// Which late packets a stall of the machine excuses in the isolation figure, and which it does not.
#include "perf/bench/cover.h"

#include <gtest/gtest.h>

namespace ravelin::perf {
namespace {

struct Stall {
    uint64_t at_ns, ns;
};

TEST(Cover, AStallCoversWhatWasThereOrCameWhileItWasWorkedOff) {
    const Cover cover(std::vector<Stall>{{1'000, 100}});
    EXPECT_TRUE(cover.of(1'050, 1'100, 1'150)) << "came in it";
    EXPECT_TRUE(cover.of(900, 1'010, 1'210)) << "was there";
    EXPECT_TRUE(cover.of(1'190, 1'250, 1'300)) << "behind what it held up";
    EXPECT_FALSE(cover.of(1'200, 1'250, 1'300)) << "all was worked off";
    EXPECT_FALSE(cover.of(800, 950, 1'000)) << "was out before";
    EXPECT_FALSE(cover.of(900, 1'010, 1'211)) << "later than by twice the stall";
}

TEST(Cover, StallsThatItMetAddUp) {
    const Cover cover(std::vector<Stall>{{1'000, 100}, {5'000, 200}});
    EXPECT_TRUE(cover.of(900, 5'000, 5'600));
    EXPECT_FALSE(cover.of(900, 5'000, 5'601));
    EXPECT_FALSE(cover.of(4'000, 5'000, 5'401)) << "the first was over";
}

// Ten stalls of 100 ns, one in 150: 3,000 it is when all is worked off that they held up.
TEST(Cover, AnotherStallPutsOffWhatIsLeft) {
    std::vector<Stall> stalls;
    for (uint64_t at = 1'000; at < 2'500; at += 150) stalls.push_back({at, 100});
    const Cover cover(stalls);
    EXPECT_TRUE(cover.of(2'600, 2'700, 2'800)) << "the last one alone was over at 2,550";
    EXPECT_TRUE(cover.of(2'600, 2'700, 3'100)) << "by all that was left";
    EXPECT_FALSE(cover.of(2'600, 2'700, 3'101)) << "by more";
    EXPECT_FALSE(cover.of(3'000, 3'001, 3'002)) << "all was worked off";
}

TEST(Cover, WithoutStallsNothingIsExcused) {
    EXPECT_FALSE(Cover(std::vector<Stall>{}).of(1'000, 1'100, 1'101));
}

}  // namespace
}  // namespace ravelin::perf
