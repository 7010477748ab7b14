// SPDX-License-Identifier: Apache-2.0
// Caps on bandwidth at a port with a rate: they shape. What is beyond waits, as long as its queue
// may be, and leaves at the rate of the cap, while others have all the rest. The clock is turned by
// hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "tests/support/sched_table.h"
#include "tests/unit/paced_link_support.h"

namespace ravelin::test {
namespace {

// 8 Mbit/s are a byte a microsecond, so ten frames of 100 wire bytes a millisecond; a cap of 800
// Kbit/s lets one of them through, and after a pause 16 of the longest at once.
constexpr unsigned kFrame = 100 - kOverhead, kAtOnce = 16 * (1522 + kOverhead) / 100;
constexpr const char* kPrincipals =
    "{name: capped, prefixes: 10.0.0.0/24, caps: {bandwidth: 800Kbit}}, "
    "{name: free, prefixes: 10.0.1.0/24}, "
    "{name: org, caps: {bandwidth: 1600Kbit}}, "
    "{name: org/x, prefixes: 10.0.2.0/24}, {name: org/y, prefixes: 10.0.3.0/24}";

class PacedCapsTest : public PacedLinkTest {
  protected:
    /// Each of `nets` sends so many frames a millisecond; what left in each, by net.
    void run(uint64_t from_ms, uint64_t to_ms, const std::map<unsigned, unsigned>& nets) {
        for (uint64_t ms = from_ms; ms < to_ms; ++ms)
            for (uint64_t tenth = 0; tenth < 10; ++tenth) {
                for (const auto& [net, each] : nets)
                    if (tenth < each) send(fmt::format("10.0.{}.1", net), 0, 1, kFrame);
                for (const Sent& sent : at(ms * kMs + tenth * 100 * kUs))
                    if (sent.port == "wan") ++left_[host_of(sent.frame)][ms];
            }
    }
    uint64_t left(unsigned net, uint64_t from_ms, uint64_t to_ms) {
        uint64_t sum = 0;
        for (uint64_t ms = from_ms; ms < to_ms; ++ms) sum += left_[net][ms];
        return sum;
    }
    uint64_t over() { return box_->counter("drop.principal.over_cap"); }
    std::map<unsigned, std::map<uint64_t, uint64_t>> left_;
};

TEST_F(PacedCapsTest, WhatIsBeyondWaitsAndOthersHaveTheRest) {
    start(wire("rate: 8Mbit, queue: 1MB", kPrincipals));
    run(0, 2'000, {{0, 2}, {1, 10}});
    EXPECT_NEAR(static_cast<double>(left(0, 0, 2'000)), 2'000 + kAtOnce, 10);
    for (uint64_t ms = 500; ms < 1'990; ++ms)
        EXPECT_LE(left(0, ms, ms + 10), 11u) << "evenly, at " << ms;
    EXPECT_NEAR(static_cast<double>(left(0, 500, 2'000)), 1'500, 3);
    EXPECT_NEAR(static_cast<double>(left(1, 500, 2'000)), 9 * 1'500, 15);
    // Its queue is as long as that of a port whose rate is the cap: 32 of the longest frames.
    EXPECT_EQ(over(), 0u) << "nobody asks before";
    EXPECT_THAT(box_->drops(), testing::Contains(testing::Key("link.queue_full")));
    const uint64_t waiting = 4'000 - left(0, 0, 2'000) - box_->drops().at("link.queue_full");
    EXPECT_NEAR(static_cast<double>(waiting * kFrame), 32 * 1'522, 1'522);
}

TEST_F(PacedCapsTest, HoldsForAllBelowAName) {
    start(wire("rate: 8Mbit, queue: 1MB", kPrincipals));
    run(0, 1'500, {{1, 10}, {2, 4}, {3, 2}});
    EXPECT_NEAR(static_cast<double>(left(2, 500, 1'500)), 1'000, 5);
    EXPECT_NEAR(static_cast<double>(left(3, 500, 1'500)), 1'000, 5);
    EXPECT_NEAR(static_cast<double>(left(1, 500, 1'500)), 8'000, 10);
}

TEST_F(PacedCapsTest, HoldsThoughNobodyElseSends) {
    start(wire("rate: 8Mbit, queue: 1MB", kPrincipals));
    run(0, 1'000, {{0, 3}});
    EXPECT_NEAR(static_cast<double>(left(0, 500, 1'000)), 500, 2);
    // A pause, and what it saved up.
    run(1'000, 2'000, {});
    const uint64_t before = left(0, 0, 2'000);
    run(3'000, 3'030, {{0, 10}});
    EXPECT_NEAR(static_cast<double>(left(0, 3'000, 3'030)), kAtOnce + 30, 5);
    EXPECT_GT(before, 1'200u) << "all that waited has left";
}

// A change gives nobody a burst: the link is another, the cap goes on.
TEST_F(PacedCapsTest, AChangeOfOthersGivesNoBurst) {
    start(wire("rate: 8Mbit, queue: 1MB", kPrincipals));
    run(0, 500, {{0, 2}, {2, 3}});
    std::string changed = kPrincipals;
    changed.insert(changed.find("name: free") + 10, ", weight: 7");
    const PacedLink* before = &link();
    box_->apply(wire("rate: 8Mbit, queue: 1MB", changed));
    EXPECT_NE(&link(), before);
    run(500, 600, {{0, 2}, {2, 3}});
    EXPECT_NEAR(static_cast<double>(left(0, 500, 600)), 100, 3);
    EXPECT_NEAR(static_cast<double>(left(2, 500, 600)), 200, 5);
}

// A worker that comes by each 100 us sends in one turn what the cap carries in that time.
TEST(PacedCaps, AreReachedAtHighRatesToo) {
    const LinkPlan plan{
        .rate = 10'000'000'000, .queue_bytes = 50'000'000, .most_frame = 1'522, .frames = 4'096};
    const sched::PrincipalTable table =
        sched::table_of({{.name = "a", .caps = {.bytes_per_s = 1'000'000'000}}});
    sched::Usage usage(table.size());
    sched::LinkScheduler link(table, usage, config_of(plan), {}, {}, 0);
    uint64_t sent = 0;
    for (uint64_t now = 0; now < 100 * kMs; now += 100 * kUs) {
        while (link.depth(sched::id(0)) < 300)
            ASSERT_EQ(link.enqueue(sched::id(0), &link, 1'514, now), sched::Refusal::kNone);
        std::array<void*, 32> out;
        while (const unsigned n = link.dequeue(now, out)) sent += n * (1'514u + kOverhead);
    }
    EXPECT_NEAR(static_cast<double>(sent), 100e6, 500e3) << "8 Gbit/s for 100 ms, and a burst";
}

TEST_F(PacedCapsTest, APortWithoutARateDropsAsBefore) {
    start(wire("rate: 8Mbit, queue: 1MB", kPrincipals));
    for (unsigned i = 0; i < 100; ++i)
        box_->receive("wan",
                      {frame_at(box_->policy(), "in=wan udp 10.0.0.1:1 > 10.0.9.9:2 len=972")});
    EXPECT_EQ(box_->sent().size(), 33u);
    EXPECT_EQ(over(), 67u);
}

}  // namespace
}  // namespace ravelin::test
