// SPDX-License-Identifier: Apache-2.0
// Cycles that admission granted to functions one behind the other are there when they are due: a
// packet's functions run on one budget, due counted from when it came to the first. Executed by a
// worker in virtual time, as in kept_cycles_test.
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
// Who has reserved has next to nothing beside.
const Crowd kCrowd{.weight = 1'000};

uint64_t ns_of(uint64_t cycles) { return cycles * 1'000'000'000 / rte_get_tsc_hz(); }

/// Beyond its deadline: before the first function's queue it waits for a run, as all do that come
/// in.
uint64_t allowance() { return kMaxRunNs + ns_of(20'000) + ns_of(4 * (kTurn + 64 * kEach)); }

void expect_kept(TurnedBox& box, const Load& load, const std::vector<Wish>& wishes, size_t i) {
    const Load::Seen seen = load.seen(i);
    const Wish& wish = wishes[i];
    SCOPED_TRACE(fmt::format("v{}: {} functions, {} cycles, {}/s, {} us", i, wish.hops, wish.cycles,
                             wish.rate, wish.deadline_us));
    EXPECT_EQ(box.invoked(fmt::format("v{}", i), Use::kMisses), 0u);
    EXPECT_EQ(box.charged(fmt::format("v{}", i), Use::kDrops), 0u);
    EXPECT_GE(seen.left + 2 + wish.rate * wish.deadline_us / 1'000'000, seen.sent);
    EXPECT_LE(seen.longest_ns, wish.deadline_us * 1'000 + allowance());
}

class KeptChainsTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(KeptChainsTest, WhatWasGrantedIsKeptWhateverOthersDo) {
    test_eal();  // before it nobody knows how fast the counter counts
    std::mt19937_64 random(GetParam());
    const std::vector<Wish> wishes = fill(
        random, {.least_cycles = 1'500, .most_cycles = 30'000, .most = 15, .most_hops = 4}, kCrowd);
    ASSERT_GE(wishes.size(), 4u);
    TurnedBox box(isolated_yaml(wishes, kCrowd));
    Load load(box);
    for (size_t i = 0; i < wishes.size(); ++i)
        load.add(fmt::format("10.1.{}.1", i), 1'000'000'000 / wishes[i].rate + 1);
    for (unsigned i = 0; i < kOthers; ++i) load.add(fmt::format("10.2.{}.1", i), 8'000);
    load.add("172.16.0.1", 3'000, 2);  // the flood
    load.run(kRun);
    for (size_t i = 0; i < wishes.size(); ++i) expect_kept(box, load, wishes, i);
    EXPECT_GT(box.charged("o1", Use::kDrops), 0u) << "there was more than could be done";
}
INSTANTIATE_TEST_SUITE_P(Seeds, KeptChainsTest, ::testing::Range(1u, 9u));

// The k-th of packets that come together is due k periods later than the first, through all of its
// functions.
TEST(KeptChains, PacketsThatComeTogetherAreDueOneAfterTheOther) {
    test_eal();
    const std::vector<Wish> wishes{
        {.cycles = 9'000, .rate = 2'000, .deadline_us = 1'500, .hops = 3}};
    constexpr unsigned kTogether = 6;
    TurnedBox box(isolated_yaml(wishes, kCrowd));
    Load load(box);
    load.add("10.1.0.1", kTogether * 500'000 + 1, kTogether);
    for (unsigned i = 0; i < kOthers; ++i) load.add(fmt::format("10.2.{}.1", i), 5'000);
    load.run(kRun);
    EXPECT_EQ(box.invoked("v0", Use::kMisses), 0u);
    EXPECT_EQ(box.charged("v0", Use::kDrops), 0u);
    EXPECT_LE(load.seen(0).longest_ns, (kTogether - 1) * 500'000 + 1'500'000 + allowance());
    EXPECT_GE(load.seen(0).left, load.seen(0).sent - kTogether);
}

// Whose second function takes a fifth more than was stated pays with its own budget: what does not
// fit in a job takes another whole one.
TEST(KeptChains, WhoOverrunsInALaterFunctionHurtsNobody) {
    test_eal();
    std::vector<Wish> wishes{{.cycles = 6'000, .rate = 5'000, .deadline_us = 2'000, .hops = 2},
                             {.cycles = 6'000, .rate = 5'000, .deadline_us = 2'000, .hops = 2}};
    std::string text = isolated_yaml(wishes, kCrowd);
    const std::string honest = "{name: f1-1, burn: {cycles: 2940}, work: 3000";
    ASSERT_NE(text.find(honest), text.npos);
    text.replace(text.find(honest), honest.size(), "{name: f1-1, burn: {cycles: 3600}, work: 3000");
    TurnedBox box(text);
    Load load(box);
    load.add("10.1.0.1", 200'000);
    load.add("10.1.1.1", 20'000);  // ten times as many as it reserved
    for (unsigned i = 1; i < kOthers; ++i) load.add(fmt::format("10.2.{}.1", i), 5'000);
    load.run(kRun);
    expect_kept(box, load, wishes, 0);
    const auto cycles = [&](const char* name) {
        return static_cast<double>(box.invoked(name, Use::kCycles));
    };
    const double reserved = 6'000.0 * 5'000 * kRun / 1e9;
    EXPECT_GE(cycles("v1"), reserved / 2);
    EXPECT_LE(cycles("v1"), reserved + 1.1 * cycles("o1"));
}

}  // namespace
}  // namespace ravelin::test
