// SPDX-License-Identifier: Apache-2.0
// Cycles that admission granted are there when they are due: sets of reservations at random,
// executed by a worker in virtual time among principals that want ten times what there is, one that
// takes more than it states, and a flood.
#include <gtest/gtest.h>
#include <rte_cycles.h>

#include <random>

#include "tests/support/isolated_set.h"
#include "tests/support/turned_load.h"

namespace ravelin::test {
namespace {

using sched::Use;

constexpr uint64_t kRun = 100'000'000;  // ns
constexpr unsigned kOthers = 10;

uint64_t ns_of(uint64_t cycles) { return cycles * 1'000'000'000 / rte_get_tsc_hz(); }

bool refused(std::vector<Wish> wishes, std::string& why) { return !granted(wishes, {}, &why); }

class KeptCyclesTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(KeptCyclesTest, WhatWasGrantedIsKeptWhateverOthersDo) {
    test_eal();  // before it nobody knows how fast the counter counts
    std::mt19937_64 random(GetParam());
    const std::vector<Wish> wishes = fill(random);
    ASSERT_GE(wishes.size(), 5u);
    TurnedBox box(isolated_yaml(wishes));
    Load load(box);
    for (size_t i = 0; i < wishes.size(); ++i)
        load.add(fmt::format("10.1.{}.1", i), 1'000'000'000 / wishes[i].rate + 1);
    for (unsigned i = 0; i < kOthers; ++i) load.add(fmt::format("10.2.{}.1", i), 8'000);
    load.add("172.16.0.1", 3'000, 2);  // the flood
    load.run(kRun);
    uint64_t reserved = 0;
    for (size_t i = 0; i < wishes.size(); ++i) {
        const Load::Seen seen = load.seen(i);
        const std::string name = fmt::format("v{}", i);
        EXPECT_EQ(box.invoked(name, Use::kMisses), 0u) << name;
        EXPECT_EQ(box.charged(name, Use::kDrops), 0u) << name;
        EXPECT_GE(seen.left + 2 + wishes[i].rate * wishes[i].deadline_us / 1'000'000, seen.sent);
        // Before its function's queue it waits for a run, as all do that come in.
        EXPECT_LE(seen.longest_ns, wishes[i].deadline_us * 1'000 + kMaxRunNs + ns_of(20'000) +
                                       ns_of(4 * (kTurn + 64 * kEach)))
            << name;
        reserved += box.invoked(name, Use::kCycles);
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
    const std::string honest = "{name: f1, burn: {cycles: 1940}, work: 2000";
    ASSERT_NE(text.find(honest), text.npos);
    text.replace(text.find(honest), honest.size(), "{name: f1, burn: {cycles: 2400}, work: 2000");
    TurnedBox box(text);
    Load load(box);
    load.add("10.1.0.1", 200'000);
    load.add("10.1.1.1", 10'000);  // twenty times as many as it reserved
    for (unsigned i = 1; i < kOthers; ++i) load.add(fmt::format("10.2.{}.1", i), 5'000);
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
