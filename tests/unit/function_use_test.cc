// SPDX-License-Identifier: Apache-2.0
// What a function took: the buckets, what is read from them, and that a successor goes on.
#include "dataplane/sched/function_use.h"

#include <gtest/gtest.h>

namespace ravelin::sched {
namespace {

TEST(FunctionUse, BucketsLieSideBySideAndAreAnEighthWide) {
    for (unsigned i = 1; i < FunctionUse::kBuckets; ++i) {
        const uint64_t first = FunctionUse::end_of(i - 1) + 1, last = FunctionUse::end_of(i);
        ASSERT_LE(first, last);
        ASSERT_EQ(FunctionUse::bucket(first), i);
        ASSERT_EQ(FunctionUse::bucket(last), i);
        ASSERT_LE((last - first) * 8, first) << "at most an eighth too much";
    }
    EXPECT_EQ(FunctionUse::bucket(0), 0u);
    EXPECT_EQ(FunctionUse::bucket(UINT64_MAX), FunctionUse::kBuckets - 1);
    EXPECT_GT(FunctionUse::end_of(FunctionUse::kBuckets - 1), 1'000'000'000u) << "what cpu takes";
}

TEST(FunctionUse, TellsWhatAllButOneInSoManyTook) {
    FunctionUse use;
    EXPECT_EQ(use.read().beyond_one_in(1'000), 0u);
    for (int i = 0; i < 9'990; ++i) use.ran(1'000, 1);
    for (int i = 0; i < 9; ++i) use.ran(50'000, 1);
    const auto rare = use.read();
    EXPECT_EQ(rare.packets, 9'999u);
    EXPECT_EQ(rare.longest, 50'000u);
    EXPECT_GE(rare.beyond_one_in(1'000), 1'000u);
    EXPECT_LE(rare.beyond_one_in(1'000), 1'125u) << "nine of 9,999 are within one in 1,000";
    use.ran(50'000, 1);
    use.ran(50'000, 1);
    EXPECT_GE(use.read().beyond_one_in(1'000), 50'000u) << "eleven of 10,001 are not";
    EXPECT_LE(use.read().beyond_one_in(2), 1'125u);
}

TEST(FunctionUse, ARunIsDividedAmongItsPackets) {
    FunctionUse use;
    use.ran(3'200, 32);
    use.ran(700, 0);  // a message
    use.not_run(5);
    const auto counts = use.read();
    EXPECT_EQ(counts.runs, 2u);
    EXPECT_EQ(counts.packets, 32u);
    EXPECT_EQ(counts.cycles, 3'900u);
    EXPECT_EQ(counts.not_run, 5u);
    EXPECT_EQ(counts.buckets[FunctionUse::bucket(100)], 32u);
    FunctionUse next;
    next.ran(10, 1);
    next.go_on(use);
    EXPECT_EQ(next.read().packets, 33u);
    EXPECT_EQ(next.read().longest, 3'200u);
    FunctionUse::Counts sum = counts;
    sum.add(next.read());
    EXPECT_EQ(sum.packets, 65u);
    EXPECT_EQ(sum.buckets[FunctionUse::bucket(100)], 64u);
}

}  // namespace
}  // namespace ravelin::sched
