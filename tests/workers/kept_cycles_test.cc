// SPDX-License-Identifier: Apache-2.0
// Cycles that admission granted are there when they are due: sets of reservations at random,
// executed by a worker in virtual time among principals that want ten times what there is, one that
// takes more than it states, and a flood.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/kept_set.h"

namespace ravelin::test {
namespace {

using sched::Use;

constexpr unsigned kOthers = 10;

bool refused(std::vector<Wish> wishes, std::string& why) { return !granted(wishes, {}, &why); }

class KeptCyclesTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(KeptCyclesTest, WhatWasGrantedIsKeptWhateverOthersDo) {
    test_eal();  // before it nobody knows how fast the counter counts
    std::mt19937_64 random(GetParam());
    const std::vector<Wish> wishes = fill(random);
    ASSERT_GE(wishes.size(), 5u);
    TurnedBox box(isolated_yaml(wishes));
    Load load(box);
    add_wishes(load, wishes);
    add_others(load, 0, kOthers, 8'000);
    add_flood(load);
    load.run(kRun);
    uint64_t reserved = 0;
    for (size_t i = 0; i < wishes.size(); ++i) {
        expect_kept(box, load, wishes, i);
        reserved += box.invoked(fmt::format("v{}", i), Use::kCycles);
    }
    uint64_t others = 0;
    for (unsigned i = 0; i < kOthers; ++i)
        others += box.invoked(fmt::format("o{}", i), Use::kCycles);
    EXPECT_GT(others, reserved / 20);  // what is left is theirs
    EXPECT_EQ(box.invoked("o0", Use::kSuspensions), 1u);
    EXPECT_GT(box.charged("o1", Use::kDrops), 0u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, KeptCyclesTest, ::testing::Range(1u, 9u));

// Who takes more than it reserved pays with what it has reserved, and has its share beyond.
TEST(KeptCycles, WhoOverrunsHasWhatItReservedAndItsShare) {
    test_eal();
    const std::vector<Wish> wishes{{2'000, 5'000, 2'000}, {2'000, 5'000, 2'000}};
    std::string text = isolated_yaml(wishes);
    let_burn(text, "f1", 2'400);
    TurnedBox box(text);
    Load load(box);
    load.add("10.1.0.1", 200'000);
    load.add("10.1.1.1", 10'000);  // twenty times as many as it reserved
    add_others(load, 1, kOthers, 5'000);
    load.run(kRun);
    EXPECT_EQ(box.invoked("v0", Use::kMisses), 0u);
    EXPECT_EQ(box.charged("v0", Use::kDrops), 0u);
    const auto cycles = [&](const char* name) {
        return static_cast<double>(box.invoked(name, Use::kCycles));
    };
    const double reserved = 2'000.0 * 5'000 * kRun / 1e9;
    EXPECT_GE(cycles("v1"), reserved);
    EXPECT_LE(cycles("v1"), reserved + 1.1 * cycles("o1"));
}

// The refusal says what binds, and its nearest contracts are granted.
TEST(KeptCycles, ARefusalNamesTheWorker) {
    test_eal();
    std::string why;
    EXPECT_TRUE(refused({{2'000, 1'000'000, 1'000}}, why));
    EXPECT_NE(why.find("each worker has not 5000 cycles every 1 us to spare"), why.npos) << why;
    EXPECT_TRUE(refused({{2'000, 1'000, 100}}, why));
    EXPECT_NE(why.find("each worker binds"), why.npos) << why;
    EXPECT_NE(why.find("; with a deadline of "), why.npos) << why;
}

}  // namespace
}  // namespace ravelin::test
