// SPDX-License-Identifier: Apache-2.0
// By how much stalls of the machine may have made a job late: no more than is left to be worked
// off.
#include "dataplane/held_up.h"

#include <gtest/gtest.h>

namespace ravelin {
namespace {

TEST(HeldUp, IsWorkedOffInAsLongAgain) {
    HeldUp held;
    EXPECT_EQ(held.of(0, 1'000), 0u) << "nothing stalled yet";
    held.note(10'000, 10'300, 200);
    EXPECT_EQ(held.of(9'000, 9'900), 0u) << "due before";
    EXPECT_EQ(held.of(9'900, 10'050), 400u) << "there when it began, wherever in the 300";
    EXPECT_EQ(held.of(10'400, 10'700), 100u) << "behind it";
    EXPECT_EQ(held.of(10'500, 10'800), 0u) << "all is worked off";
}

TEST(HeldUp, AnotherStallPutsItOff) {
    HeldUp held;
    for (uint64_t at = 10'000; at < 11'000; at += 150) held.note(at, at + 100, 100);  // seven
    EXPECT_EQ(held.of(9'900, 10'050), 1'400u);
    EXPECT_EQ(held.of(11'100, 11'200), 300u) << "that of the last alone is over at 11,100";
    held.note(20'000, 20'100, 100);
    EXPECT_EQ(held.of(11'100, 11'200), 0u) << "those before are forgotten";
    EXPECT_EQ(held.of(19'900, 20'050), 200u);
}

// Work that is long by itself is no stall but for what is said of it.
TEST(HeldUp, ALittleOfEachTurnIsALittle) {
    HeldUp held;
    for (uint64_t at = 100'000; at < 600'000; at += 80) held.note(at, at + 80, 10);
    EXPECT_EQ(held.of(99'000, 100'050), 0u) << "due long before the last";
    EXPECT_EQ(held.of(99'000, 600'000), 20u);
}

}  // namespace
}  // namespace ravelin
