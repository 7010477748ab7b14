// SPDX-License-Identifier: Apache-2.0
// Cycles that admission granted of two workers are there when they are due: a packet's functions
// run on one, then on the other, each within its part of the deadline. Executed in virtual time, as
// in kept_cycles_test, beside principals that offer ten times what there is on either.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "dataplane/functions.h"
#include "dataplane/reservations.h"
#include "tests/support/kept_set.h"

namespace ravelin::test {
namespace {

using sched::Use;

constexpr unsigned kOthers = 20, kWorkers = 2;
const Crowd kCrowd{.functions = kOthers, .cycles = 9'900, .weight = kHeavy, .workers = kWorkers};

void add_crowd(Load& load) {
    // As many together as a run may have.
    add_others(load, 0, kOthers, 20'000, 5);
    add_flood(load);
}
/// They send as they were granted, beside the crowd.
void expect_all_kept(TurnedBox& box, const std::vector<Wish>& wishes) {
    Load load(box);
    add_wishes(load, wishes);
    add_crowd(load);
    load.run(kRun);
    for (size_t i = 0; i < wishes.size(); ++i) expect_kept(box, load, wishes, i, kWorkers);
}

class KeptPathsTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(KeptPathsTest, WhatWasGrantedOfTwoWorkersIsKeptWhateverOthersDo) {
    test_eal();  // before it nobody knows how fast the counter counts
    std::mt19937_64 random(GetParam());
    const std::vector<Wish> wishes = fill(
        random,
        {.least_cycles = 1'500, .most_cycles = 30'000, .most = 15, .most_hops = 4, .cross = true},
        kCrowd);
    ASSERT_GE(wishes.size(), 4u);
    EXPECT_TRUE(std::ranges::any_of(wishes, [](const Wish& w) { return w.cpu_parts.size() == 2; }));
    TurnedBox box(isolated_yaml(wishes, kCrowd), kWorkers);
    expect_all_kept(box, wishes);
    for (size_t w = 0; w < kWorkers; ++w) {
        uint64_t lost = 0;
        for (unsigned i = 1; i < kOthers; ++i)
            lost +=
                box.worker(w).account()->usage().get(box.id(fmt::format("o{}", i)), Use::kDrops);
        EXPECT_GT(lost, 100u) << "there was more than could be done on worker " << w;
    }
}
INSTANTIATE_TEST_SUITE_P(Seeds, KeptPathsTest, ::testing::Range(1u, 9u));

// Each worker has its part, as it was granted, and none of another's.
void expect_parts(const TurnedBox& box, const std::string& name, const Wish& wish) {
    std::vector<CyclePromise> own;
    for (const CyclePromise& one : box.policy().functions->promises)
        if (one.principal == box.id(name)) own.push_back(one);
    ASSERT_EQ(own.size(), wish.cpu_parts.size());
    for (const CyclePromise& one : own) {
        const size_t part = one.worker == wish.workers.front() ? 0 : 1;
        EXPECT_EQ(std::to_string(one.contract.deadline_ns), wish.cpu_parts[part]);
        uint64_t work = 0;
        for (unsigned hop = 0; hop < wish.hops; ++hop)
            if (wish.workers[hop] == one.worker) work += cycles_of(wish, hop) + kAroundRun;
        EXPECT_EQ(one.contract.work, work);
    }
}

/// Both directions between the workers, and one that any of them keeps.
std::vector<Wish> both_ways() {
    return {{.cycles = 9'000, .rate = 4'000, .deadline_us = 2'000, .hops = 2, .workers = {0, 1}},
            {.cycles = 9'000, .rate = 4'000, .deadline_us = 2'000, .hops = 3, .workers = {1, 0, 0}},
            {.cycles = 5'000, .rate = 4'000, .deadline_us = 2'000}};
}

// The same without reservations is late by far, so it is these that keep it; and with only those of
// the worker that packets come to first they are late at the second.
TEST(KeptPaths, ItIsThePartOfEachWorkerThatKeepsThem) {
    test_eal();
    std::vector<Wish> wishes = both_ways();
    std::string why;
    ASSERT_TRUE(granted(wishes, kCrowd, &why)) << why;
    {
        TurnedBox box(isolated_yaml(wishes, kCrowd), kWorkers);
        expect_all_kept(box, wishes);
        for (size_t i = 0; i < 2; ++i) expect_parts(box, fmt::format("v{}", i), wishes[i]);
    }
    Crowd none = kCrowd;
    none.reserved = false;
    TurnedBox box(isolated_yaml(wishes, none), kWorkers);
    Load load(box);
    add_wishes(load, wishes);
    add_crowd(load);
    load.run(kRun);
    for (size_t i = 0; i < wishes.size(); ++i)
        EXPECT_GT(load.seen(i).longest_ns, 2 * wishes[i].deadline_us * 1'000) << i;
}

// Who sends ten times what it reserved, by both workers, has what it reserved and hurts nobody.
TEST(KeptPaths, WhoSendsMoreThanItReservedHurtsNobodyOnEither) {
    test_eal();
    std::vector<Wish> wishes = both_ways();
    ASSERT_TRUE(granted(wishes, kCrowd));
    TurnedBox box(isolated_yaml(wishes, kCrowd), kWorkers);
    Load load(box);
    load.add("10.1.0.1", 250'001);
    load.add("10.1.1.1", 25'000);
    load.add("10.1.2.1", 250'001);
    add_crowd(load);
    load.run(kRun);
    expect_kept(box, load, wishes, 0, kWorkers);
    expect_kept(box, load, wishes, 2, kWorkers);
    EXPECT_GE(load.seen(1).left, 4'000 * kRun / 1'000'000'000 * 9 / 10);
}

class KeptAnywhereTest : public ::testing::TestWithParam<unsigned> {};

// Whose functions name no worker are kept by both: packets of one reservation come to either, at
// random times.
TEST_P(KeptAnywhereTest, WhatBothWorkersReceiveIsKeptByEither) {
    test_eal();
    std::mt19937_64 random(GetParam());
    const std::vector<Wish> wishes = fill(random,
                                          {.least_cycles = 1'500,
                                           .most_cycles = 30'000,
                                           .least_rate = 1'000,
                                           .most_us = 5'000,
                                           .most = 15,
                                           .most_hops = 2},
                                          kCrowd);
    ASSERT_GE(wishes.size(), 4u);
    TurnedBox box(isolated_yaml(wishes, kCrowd), kWorkers);
    Load load(box);
    for (size_t i = 0; i < wishes.size(); ++i)
        load.add_spread(fmt::format("10.1.{}.1", i), 1'000'000'000 / wishes[i].rate + 1, 64);
    add_crowd(load);
    load.run(kRun);
    for (size_t i = 0; i < wishes.size(); ++i) {
        expect_kept(box, load, wishes, i, kWorkers);
        for (const auto& worker : box.policy().functions->workers)
            EXPECT_GT(worker->usage().get(box.id(fmt::format("v{}", i)), Use::kCycles),
                      load.seen(i).left * wishes[i].cycles / 5)
                << "it has hardly come to one of them";
    }
}
INSTANTIATE_TEST_SUITE_P(Seeds, KeptAnywhereTest, ::testing::Range(1u, 9u));

// The k-th of packets that come together is due k periods later, at either worker.
TEST(KeptPaths, PacketsThatComeTogetherAreDueOneAfterTheOther) {
    test_eal();
    constexpr unsigned kTogether = 6;
    std::vector<Wish> wishes = both_ways();
    ASSERT_TRUE(granted(wishes, kCrowd));
    TurnedBox box(isolated_yaml(wishes, kCrowd), kWorkers);
    Load load(box);
    load.add("10.1.0.1", kTogether * 250'000 + 1, kTogether);
    add_crowd(load);
    load.run(kRun);
    EXPECT_EQ(box.invoked("v0", Use::kMisses), 0u);
    EXPECT_EQ(box.charged("v0", Use::kDrops), 0u);
    EXPECT_LE(load.seen(0).longest_ns, (kTogether - 1) * 250'000 + 2'000'000 + allowance(kWorkers));
    EXPECT_GE(load.seen(0).left + 2 * kTogether, load.seen(0).sent);
}

// Policies change about them, often while a packet is on its way between the workers.
TEST(KeptPaths, AChangeOfOthersLeavesThemAlone) {
    test_eal();
    std::vector<Wish> wishes = both_ways();
    ASSERT_TRUE(granted(wishes, kCrowd));
    const std::string text = isolated_yaml(wishes, kCrowd);
    std::string other = text;
    const std::string word = "principals: [";
    other.insert(other.find(word) + word.size(), "{name: new, prefixes: 10.4.0.0/24, weight: 3}, ");
    TurnedBox box(text, kWorkers);
    Load load(box);
    add_wishes(load, wishes);
    add_crowd(load);
    for (unsigned i = 0; i < 100; ++i) {
        load.run(kRun / 200 + i * 1'000);
        box.apply(i % 2 == 0 ? other : text);
    }
    for (size_t i = 0; i < wishes.size(); ++i) {
        const Load::Seen seen = load.seen(i);
        EXPECT_LE(seen.longest_ns, wishes[i].deadline_us * 1'000 + allowance(kWorkers)) << i;
        EXPECT_GE(seen.left + 2 + wishes[i].rate * wishes[i].deadline_us / 1'000'000, seen.sent);
    }
}

}  // namespace
}  // namespace ravelin::test
