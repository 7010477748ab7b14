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

// The machine stalls while a packet of who has cycles and a port waits for its run. It is late;
// those behind it, which come as reserved, are not, though the port is never idle: what left its
// function late counts there from when it was due.
TEST(KeptCycles, AStallMovesNoLaterPacketAtThePort) {
    test_eal();
    const Crowd crowd{.functions = 0,
                      .links = 1,
                      .weight = 1'000,
                      .wan = 1'000'000'000,
                      .core = "{cpu: 40, burst: 20us}"};
    std::vector<Wish> wishes{{.cycles = 2'000, .rate = 1'000, .deadline_us = 750, .bytes = 1'240},
                             {.cycles = 2'000, .rate = 1'000, .deadline_us = 80}};
    std::string why;
    ASSERT_TRUE(granted(wishes, crowd, &why)) << why;
    ASSERT_GT(wishes[0].cpu_deadline_ns, 81'000u) << "the other one is to run first";
    TurnedBox box(isolated_yaml(wishes, crowd));
    const auto frame = [&](const char* from, unsigned bytes) {
        return frame_at(box.policy(), fmt::format("udp {}:1 > 192.0.2.1:9 len={}", from, bytes),
                        "lan");
    };
    constexpr unsigned kStalled = 10, kAll = 40;
    constexpr uint64_t kPeriod = 1'000'000, kIntoTheRun = 500;
    const Bytes reserved = frame("10.1.0.1", 1'212), bulk = frame("10.2.0.1", 1'000),
                other = frame("10.1.1.1", 70);
    std::vector<uint64_t> sent, took;
    const TurnedTime::Stall stall{0, 800'000};
    TurnedTime::Stall now = stall;
    for (uint64_t next = TurnedBox::now_ns() + kPeriod; took.size() < kAll;) {
        if (box.policy().paced->link(1)->waiting() < 50) box.send(bulk);
        if (TurnedBox::now_ns() >= next && sent.size() < kAll) {
            box.send(other);
            // One too many before, so that its share of the port is used up.
            for (unsigned i = sent.size() == kStalled - 3 ? 2 : 1; i != 0; --i) {
                box.send(reserved);
                sent.push_back(TurnedBox::now_ns());
            }
            next = sent.back() + kPeriod;
            now.at_ns = sent.back() + ns_of(kTurn) + kIntoTheRun;
            if (sent.size() == kStalled) TurnedTime::stall({&now, 1});
        }
        box.turn(kTurn);
        for (const auto& [left, ns] : box.receive()) {
            if (rte_pktmbuf_pkt_len(left) == reserved.size())
                took.push_back(ns - sent[took.size()]);
            rte_pktmbuf_free(left);
        }
    }
    EXPECT_GE(took[kStalled - 1], stall.ns);
    took.erase(took.begin() + kStalled - 1);
    EXPECT_LE(*std::ranges::max_element(took), wishes[0].deadline_us * 1'000);
    EXPECT_GE(box.counter("invoke.lost_us"), 790u) << "it did not fall into the run";
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
