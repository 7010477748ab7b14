// SPDX-License-Identifier: Apache-2.0
// Ports with a rate: when frames leave, in which order and shares, what is dropped and marked, and
// what becomes of those that wait when the policy changes. The clock is turned by hand.
#include "dataplane/paced_link.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "dataplane/charge.h"
#include "dataplane/congestion.h"
#include "dataplane/net/checksum.h"
#include "tests/unit/paced_link_support.h"

namespace ravelin::test {
namespace {

constexpr size_t kTos = 15;

using ::testing::ElementsAre;
using ::testing::HasSubstr;

// 8 Mbit/s are a byte a microsecond. Four of the longest frames may be ahead of the wire.
TEST_F(PacedLinkTest, FramesLeaveInOrderAndAtTheRate) {
    start(wire());
    send("10.0.0.1", 0, 20, 1000);
    constexpr uint64_t kAhead = 3 * (1522 + kOverhead), kEach = 1000 + kOverhead;
    std::vector<uint64_t> times;
    for (const Sent& sent : box_->sent()) {
        EXPECT_EQ(number_of(sent.frame), times.size());
        times.push_back(0);
    }
    for (uint64_t us = 0; us < 20 * kEach; ++us)
        for (const Sent& sent : at(us * kUs)) {
            EXPECT_EQ(sent.port, "wan");
            EXPECT_EQ(number_of(sent.frame), times.size());
            times.push_back(us);
        }
    ASSERT_EQ(times.size(), 20u);
    for (uint64_t i = 0; i < times.size(); ++i)
        EXPECT_EQ(times[i], i * kEach > kAhead ? i * kEach - kAhead : 0) << i;
    EXPECT_EQ(box_->counter("port.wan.tx_packets"), 20u);
    EXPECT_EQ(link().waiting(), 0u);
}

// The wire pads them to 60 bytes, so a port full of them sends no faster either.
TEST_F(PacedLinkTest, ShortFramesTakeWhatTheWireMakesOfThem) {
    start(wire());
    send("10.0.0.1", 0, 400, 42);
    uint64_t sent = box_->sent().size(), us = 0;
    while (link().waiting() != 0) sent += at(++us * kUs).size();
    EXPECT_EQ(sent, 400u);
    EXPECT_NEAR(static_cast<double>(us), 400.0 * (60 + kOverhead) - 3.0 * (1522 + kOverhead),
                100.0);
}

// Nobody has a name, and one floods: what the box itself sends does not wait behind that.
TEST_F(PacedLinkTest, TheBoxesOwnFramesDoNotWaitBehindBulk) {
    start(wire("rate: 8Mbit", ""));
    unsigned asked = 0, own = 0;
    for (uint64_t ms = 0; ms < 1010; ++ms) {
        send("10.0.0.1", 0, 10, 1000);
        if (ms % 20 == 0 && ms < 1000) {
            ++asked;
            box_->context().transmit(exact_frame(frame("arp who-has 192.0.2.7 tell 192.0.2.1")), 1,
                                     kBoxFrames);
        }
        for (const Sent& sent : at(ms * kMs)) own += sent.frame.size() < 1000 ? 1 : 0;
    }
    EXPECT_EQ(own, asked);
    EXPECT_EQ(link().usage().get(kBoxFrames, sched::Use::kRejected), 0u);
    EXPECT_GT(box_->drops().at("link.queue_full"), 8000u);
}

TEST_F(PacedLinkTest, TellsWhenTheNextMayLeave) {
    start(wire());
    const Transmitter& out = *box_->context().transmitter;
    EXPECT_EQ(out.wake_at(now_), UINT64_MAX);
    send("10.0.0.1", 0, 10, 1000);
    const uint64_t wake = out.wake_at(now_);
    ASSERT_GT(wake, now_);
    (void)box_->sent();
    EXPECT_TRUE(at(wake - now_ - 1).empty());
    EXPECT_EQ(at(wake - now_).size(), 1u);
}

/// The device's queue as the wire empties it, ns: what is ahead of a frame that is handed over.
class DrainedWire {
  public:
    void take(const std::vector<Sent>& frames, uint64_t at_ns) {
        for (const Sent& sent : frames)
            free_ = std::max(free_, at_ns) + (sent.frame.size() + kOverhead) * kUs;
    }
    [[nodiscard]] uint64_t ahead(uint64_t at_ns) const { return free_ - std::min(free_, at_ns); }

  private:
    uint64_t free_ = 0;
};

uint64_t stalled_until = 0;

// The machine stalls between a turn's stamp and the hand-over, until the device has run dry.
TEST_F(PacedLinkTest, AStallBeforeTheHandOverLeavesNoMoreAheadOfTheWire) {
    start(wire("rate: 8Mbit, queue: 64KB"));
    constexpr uint64_t kRing = 4 * (1522 + kOverhead) * kUs;
    DrainedWire out;
    uint64_t longest = 0, left = 0;
    const auto turn = [&](uint64_t stamp, uint64_t handed_over) {
        stalled_until = handed_over;
        box_->context().now = Now::from_ns(stamp);
        box_->context().transmitter->flush(box_->context(),
                                           [] { return Now::from_ns(stalled_until); });
        const std::vector<Sent> frames = box_->sent();
        out.take(frames, handed_over);
        left += frames.size();
        longest = std::max(longest, out.ahead(handed_over));
    };
    send("10.0.0.1", 0, 60, 1000);
    out.take(box_->sent(), now_);
    EXPECT_LE(out.ahead(now_), kRing);
    turn(now_ + 1 * kMs, now_ + 20 * kMs);
    EXPECT_GE(left, 4u) << "a turn that took long goes on by the clock";
    for (uint64_t us = 20'001; us < 60'000; us += 100) turn(now_ + us * kUs, now_ + us * kUs + 500);
    EXPECT_LE(longest, kRing);
    EXPECT_GE(left, 42u) << "nor does the wire rest";
    EXPECT_EQ(link().waiting() + left, 55u);
}

TEST_F(PacedLinkTest, SharesByWeightWhateverTheFlows) {
    start(wire());
    std::map<unsigned, unsigned> bytes;
    unsigned next = 0;
    for (uint64_t ms = 0; ms < 1000; ++ms) {
        // Twice the rate, b's in many flows and small frames.
        send("10.0.0.1", 0, 1, 1000);
        for (unsigned i = 0; i < 10; ++i) send("10.0.1.1", 1 + next++ % 500, 1, 100);
        for (const Sent& sent : at(ms * kMs))
            bytes[host_of(sent.frame)] += static_cast<unsigned>(sent.frame.size()) + kOverhead;
    }
    const double all = bytes[0] + bytes[1];
    EXPECT_NEAR(all, 1e6, 1e4);
    EXPECT_NEAR(bytes[0] / all, 0.75, 0.02);
    EXPECT_GT(box_->drops().at("link.queue_full"), 0u);
}

TEST_F(PacedLinkTest, WhatHasNoRoomIsDroppedByName) {
    start(wire("rate: 8Mbit, queue: 8KB"));
    send("10.0.0.1", 0, 20, 1000);  // five are on their way, eight wait
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"link.queue_full", 7}}));
    EXPECT_EQ(link().waiting(), 8u);
    EXPECT_EQ(link().waiting_bytes(), 8000u);
    send("10.0.1.1", 0, 3, 1000);
    EXPECT_EQ(link().waiting(), 11u) << "another's queue is its own";
    EXPECT_EQ(link().usage().get(box_->policy().principals->table.find("a"), sched::Use::kRejected),
              7u);
}

TEST_F(PacedLinkTest, OneThatHoldsHalfOfTheRoomGetsNoMore) {
    start(wire("rate: 64Kbit, queue: 1MB"));
    for (unsigned i = 0; i < 40; ++i) send("10.0.0.1", i * 50, 50, 100);
    const uint32_t held = link().waiting(), room = link().plan().frames;
    EXPECT_EQ(held, (room - 32) / 2) << "some is set aside for the box";
    EXPECT_GT(box_->drops().at("link.pool_full"), 0u);
    send("10.0.1.1", 0, 50, 100);
    EXPECT_EQ(link().waiting(), held + 50) << "the others find room";
}

TEST_F(PacedLinkTest, CongestionIsMarkedWhereTheEndsKnowOfIt) {
    start(wire("rate: 8Mbit, queue: 8KB"));
    send("10.0.0.1", 0, 7, 1000);  // two wait, which is a quarter of the queue
    (void)box_->sent();
    box_->receive("lan", {numbered("10.0.0.1", 20, 500, "tos=2"), numbered("10.0.0.1", 21, 500),
                          frame("udp [fd00::1]:1 > [fd00::2]:2 tos=1")});
    std::vector<Bytes> left;
    for (uint64_t ms = 1; ms < 20; ++ms)
        for (const Sent& sent : at(ms * kMs)) left.push_back(sent.frame);
    ASSERT_EQ(left.size(), 5u);
    const auto marked = std::ranges::find(left, 20u, number_of),
               plain = std::ranges::find(left, 21u, number_of);
    ASSERT_NE(marked, left.end());
    ASSERT_NE(plain, left.end());
    EXPECT_EQ((*marked)[kTos], 3);
    EXPECT_EQ(net::checksum_finish(net::checksum_add(0, marked->data() + 14, 20)).host(), 0);
    EXPECT_EQ((*plain)[kTos], 0);
    EXPECT_EQ(box_->counter("link.marked"), 1u) << "core's own queue is short";
}

TEST_F(PacedLinkTest, MarksStandInHeadersOfEitherFamilyBehindTags) {
    start(wire());
    const auto marked = [&](const std::string& text, size_t at) {
        rte_mbuf* mbuf = exact_frame(frame(text));
        const bool done = mark_congestion(*mbuf);
        const Bytes bytes = bytes_of(mbuf);
        rte_pktmbuf_free(mbuf);
        return std::pair(done, int{bytes[at]});
    };
    EXPECT_EQ(marked("udp 10.0.0.1:1 > 10.0.0.2:2 tos=185", 15), std::pair(true, 187));
    EXPECT_EQ(marked("udp 10.0.0.1:1 > 10.0.0.2:2 tos=3", 15), std::pair(true, 3));
    EXPECT_EQ(marked("udp 10.0.0.1:1 > 10.0.0.2:2 tos=184", 15), std::pair(false, 184));
    EXPECT_EQ(marked("vlan=5 udp 10.0.0.1:1 > 10.0.0.2:2 tos=2", 19), std::pair(true, 3));
    EXPECT_EQ(marked("vlan=5,6 udp [fd00::1]:1 > [fd00::2]:2 tos=1", 23), std::pair(true, 0x30));
    EXPECT_EQ(marked("udp [fd00::1]:1 > [fd00::2]:2 tos=255", 15), std::pair(true, 0xf0));
    EXPECT_EQ(marked("udp [fd00::1]:1 > [fd00::2]:2", 15), std::pair(false, 0));
    EXPECT_FALSE(marked("arp who-has 10.0.0.1 tell 10.0.0.2", 15).first);
}

TEST_F(PacedLinkTest, WhatWaitsSurvivesAChangeOfRateAndOfPrincipals) {
    start(wire());
    send("10.0.0.1", 0, 10, 1000);
    send("10.0.1.1", 10, 4, 1000);
    (void)box_->sent();
    const PacedLink* before = &link();
    box_->apply(wire());
    EXPECT_EQ(&link(), before) << "nothing has changed";
    box_->apply(wire("rate: 16Mbit", "{name: b, prefixes: 10.0.1.0/24}"));
    EXPECT_NE(&link(), before);
    EXPECT_EQ(link().waiting(), 9u);
    EXPECT_FALSE(before->attached());
    std::map<unsigned, std::vector<unsigned>> left;
    for (uint64_t ms = 1; ms < 20; ++ms)
        for (const Sent& sent : at(ms * kMs))
            left[host_of(sent.frame)].push_back(number_of(sent.frame));
    EXPECT_THAT(left[0], ElementsAre(5, 6, 7, 8, 9));
    EXPECT_THAT(left[1], ElementsAre(10, 11, 12, 13));
    EXPECT_EQ(link().usage().get(sched::kCorePrincipal, sched::Use::kPackets), 5u)
        << "a is gone, what it left is core's";
    EXPECT_TRUE(box_->drops().empty());
    send("10.0.1.1", 0, 9, 1000);
    (void)box_->sent();
    const uint32_t waited = link().waiting();
    box_->roll_back();
    EXPECT_EQ(&link(), before);
    EXPECT_EQ(link().waiting(), waited);
}

TEST_F(PacedLinkTest, ALostRateDropsWhatWaitsByName) {
    start(wire());
    send("10.0.0.1", 0, 10, 1000);
    EXPECT_EQ(box_->sent().size(), 5u);
    box_->apply(wire(""));
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"link.withdrawn", 5}}));
    send("10.0.0.1", 0, 10, 1000);
    EXPECT_EQ(box_->sent().size(), 10u) << "unpaced";
}

// Frames charged under a policy that had more principals, or by nobody, find no queue of their own.
TEST_F(PacedLinkTest, UnknownPrincipalsAreCores) {
    start(wire("rate: 8Mbit", ""));
    send("10.0.0.1", 0, 10, 1000);
    for (const uint32_t id : {7u, 100'000u, UINT32_MAX})
        box_->context().transmit(exact_frame(numbered("10.0.0.1", 0, 100)), 1,
                                 sched::PrincipalId{id});
    EXPECT_EQ(link().principals(), nullptr);
    for (uint64_t ms = 0; ms < 20; ++ms) (void)at(ms * kMs);
    EXPECT_EQ(link().usage().get(sched::kCorePrincipal, sched::Use::kPackets), 13u);
}

TEST_F(PacedLinkTest, ARateNeedsALinkOfItsOwn) {
    const auto error_of = [](const std::string& ports) {
        try {
            const StageFixture box("ports: [{name: lan, device: 'null', addresses: 10.0.0.1/24}, " +
                                   ports + "]\npipeline: [parse]\n");
        } catch (const std::exception& e) {
            return std::string(e.what());
        }
        return std::string("works");
    };
    EXPECT_THAT(error_of("{name: five, parent: lan, vlan: 5, rate: 1Gbit}"),
                HasSubstr("ports[1]: rate: found on a port without a device"));
    EXPECT_THAT(error_of("{name: wan, device: 'null', queue: 10KB}"),
                HasSubstr("ports[1]: queue: found without rate"));
    EXPECT_THAT(error_of("{name: wan, device: 'null', rate: 1Kbit}"),
                HasSubstr("expected 64Kbit to 400Gbit"));
    EXPECT_THAT(error_of("{name: wan, device: 'null', rate: 1Gbit, mtu: 9000B, queue: 8KB}"),
                HasSubstr("ports[1]: queue: found 8000 bytes, expected at least 36088"));
    EXPECT_EQ(error_of("{name: wan, device: 'null', rate: 1Gbit, queue: 10KB}"), "works");
}

}  // namespace
}  // namespace ravelin::test
