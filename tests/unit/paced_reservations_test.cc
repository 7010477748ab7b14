// SPDX-License-Identifier: Apache-2.0
// Reservations at a port with a rate: what admission grants is kept, and there is room, whatever
// others send; changes of policy leave alone what they do not name. The clock is turned by hand.
#include <algorithm>
#include <map>

#include "controlplane/compile/compiler.h"
#include "dataplane/charge.h"
#include "tests/unit/paced_link_support.h"

namespace ravelin::test {
namespace {

using sched::Use;

std::string reservation(const std::string& principal, unsigned bytes, unsigned rate,
                        const std::string& deadline) {
    return fmt::format(
        "{{name: r-{0}, principal: {0}, out: wan, bytes: {1}B, rate: {2}pps, deadline: {3}}}",
        principal, bytes, rate, deadline);
}
std::string with(const std::string& reservations, const std::string& rest) {
    return "workers: {poll: busy}\nreservations: [" + reservations + "]\n" + rest;
}
bool granted(const std::string& yaml) {
    control::Compiler compiler;
    return compiler.compile(yaml, "x.yaml", control::SlotMap()).ok();
}

class PacedReservationsTest : public PacedLinkTest {
  protected:
    [[nodiscard]] uint64_t used(const std::string& principal, Use use) const {
        return link().usage().get(box_->policy().principals->table.find(principal), use);
    }
};

constexpr const char* kNames =
    "{name: flood, prefixes: 10.0.0.0/24, weight: 1000}, {name: b, prefixes: 10.0.1.0/24}, "
    "{name: c, prefixes: 10.0.2.0/24}";

// 8 Mbit/s are a byte a microsecond. b and c have the shortest deadlines that are granted together;
// a principal with a thousand times the weight floods with the longest frames, and the box sends
// beyond its own. The wire is emulated: a frame given to the port at `us` has left it when all that
// was given before has, so what is measured is when the last bit leaves.
TEST_F(PacedReservationsTest, WhatIsGrantedIsKeptWhateverOthersSend) {
    const auto yaml = [](unsigned c_us) {
        return with(reservation("b", 986, 100, "12ms") + ", " +
                        reservation("c", 486, 300, std::to_string(c_us) + "us"),
                    wire("rate: 8Mbit", kNames));
    };
    unsigned least = 1000;
    while (least < 20'000 && !granted(yaml(least))) least += 50;
    // Four of the longest frames may be ahead, then its own 524 and the box's.
    EXPECT_GT(least, 4u * 1546 + 524);
    EXPECT_LT(least, 8'000u);
    start(yaml(least));
    std::map<unsigned, uint64_t> came[3];
    unsigned next[3] = {0, 0, 0}, kept[3] = {0, 0, 0};
    uint64_t wire_free = 0, latest = 0;
    for (uint64_t us = 0; us < 2'000'000; us += 100) {
        box_->context().now = Now::from_ns(now_ + us * kUs);
        if (us % 1000 == 0) send("10.0.0.1", 0, 2, 1514);
        if (us % 5000 == 0)
            box_->context().transmit(exact_frame(numbered("10.0.0.9", 0, 1514)), 1, kBoxFrames);
        for (const unsigned i : {1u, 2u}) {
            if (us % (i == 1 ? 10'000 : 3'400) != 900 * i) continue;
            came[i][next[i]] = us;
            send(fmt::format("10.0.{}.1", i), next[i]++, 1, i == 1 ? 1000 : 500);
        }
        for (const Sent& sent : at(us * kUs)) {
            wire_free = std::max(wire_free, us) + sent.frame.size() + kOverhead;
            const unsigned host = host_of(sent.frame);
            if (host == 0) continue;
            ++kept[host];
            const uint64_t took = wire_free - came[host][number_of(sent.frame)];
            EXPECT_LE(took, host == 1 ? 12'000u : least) << "of " << host << " at " << us;
            if (host == 2) latest = std::max(latest, took);
        }
    }
    EXPECT_GE(kept[1], next[1] - 2);
    EXPECT_GE(kept[2], next[2] - 2);
    EXPECT_GT(latest, least - 2'500u) << "the deadline is no more than what may stand in the way";
    for (const char* name : {"b", "c"}) {
        EXPECT_EQ(used(name, Use::kMisses), 0u);
        EXPECT_EQ(used(name, Use::kRejected), 0u);
        EXPECT_GT(used(name, Use::kReserved), used(name, Use::kPackets) / 2);
    }
    EXPECT_GT(box_->drops().at("link.queue_full"), 500u) << "the flood has met its bound";
}

constexpr const char* kCShares =
    ", {name: r-c, principal: c, out: wan shared-with b, bytes: 500B, rate: 50pps, deadline: 20ms}";
std::string beside_b(const char* c) {
    return with(reservation("b", 986, 100, "12ms") + c, wire("rate: 8Mbit", kNames));
}

// c's frames go on what b has, in its queue: b's deadline holds for both while together they send
// no more than b may, whatever the flood does, and what waits goes on when they no longer share.
TEST_F(PacedReservationsTest, WhoSharesTheBytesOfAnotherIsServedAsThatOneIs) {
    ASSERT_TRUE(granted(beside_b(kCShares)));
    start(beside_b(kCShares));
    uint64_t wire_free = 0, late = 0, left[3] = {0, 0, 0}, due[3] = {0, 0, 0};
    for (uint64_t us = 0; us < 1'000'000; us += 100) {
        box_->context().now = Now::from_ns(now_ + us * kUs);
        if (us % 1000 == 0) send("10.0.0.1", 0, 2, 1514);
        if (us % 10'000 == 0) {  // one and the other in turns
            const unsigned host = us % 20'000 == 0 ? 1 : 2;
            send(fmt::format("10.0.{}.1", host), 0, 1, host == 1 ? 1000 : 514);
            due[host] = us + 12'000;
        }
        for (const Sent& sent : at(us * kUs)) {
            wire_free = std::max(wire_free, us) + sent.frame.size() + kOverhead;
            const unsigned host = host_of(sent.frame);
            ++left[host];
            late += host != 0 && wire_free > due[host] ? 1 : 0;
        }
    }
    EXPECT_EQ(late, 0u);
    EXPECT_GE(left[1], 48u);
    EXPECT_GE(left[2], 48u);
    EXPECT_EQ(used("b", Use::kPackets), left[1] + left[2]) << "in one queue";
    EXPECT_EQ(used("c", Use::kPackets), 0u);
    EXPECT_EQ(used("b", Use::kMisses), 0u);
    send("10.0.2.1", 7, 3, 514);
    const uint32_t waiting = link().waiting();
    box_->apply(beside_b(""));
    EXPECT_EQ(link().waiting(), waiting) << "nothing is lost";
    send("10.0.2.1", 10, 1, 514);
    for (uint64_t us = 1'000'000; us < 3'000'000; us += 100) (void)at(us * kUs);
    EXPECT_EQ(used("c", Use::kPackets), 1u) << "its own from then on";
}

// c has a long queue when it comes to share b's bytes: that is no part of what was shared, and
// waits on where it is.
TEST_F(PacedReservationsTest, WhatWaitsOfWhoComesToShareDelaysNobody) {
    start(beside_b(""));
    box_->context().now = Now::from_ns(now_);
    send("10.0.2.1", 0, 90, 514);
    const uint32_t waiting = link().waiting();
    ASSERT_GE(waiting, 60u);
    box_->apply(beside_b(kCShares));
    EXPECT_EQ(link().waiting(), waiting);
    uint64_t wire_free = 0, late = 0, left = 0, due = 0;
    for (uint64_t us = 0; us < 500'000; us += 100) {
        box_->context().now = Now::from_ns(now_ + us * kUs);
        if (us % 1000 == 0) send("10.0.0.1", 0, 2, 1514);
        if (us % 10'000 == 0) {
            send("10.0.1.1", 0, 1, 1000);
            due = us + 12'000;
        }
        for (const Sent& sent : at(us * kUs)) {
            wire_free = std::max(wire_free, us) + sent.frame.size() + kOverhead;
            if (host_of(sent.frame) != 1) continue;
            ++left;
            late += wire_free > due ? 1 : 0;
        }
    }
    EXPECT_EQ(late, 0u);
    EXPECT_GE(left, 49u);
    EXPECT_EQ(used("b", Use::kPackets), left);
}

// The data plane runs what it is given: what admission refuses is late, and is counted.
TEST_F(PacedReservationsTest, WhatComesTooLateIsCounted) {
    const std::string yaml = with(reservation("b", 986, 100, "3ms"), wire("rate: 8Mbit", kNames));
    EXPECT_FALSE(granted(yaml));
    start(yaml);
    for (uint64_t us = 0; us < 500'000; us += 100) {
        box_->context().now = Now::from_ns(now_ + us * kUs);
        if (us % 1000 == 0) send("10.0.0.1", 0, 2, 1514);
        if (us % 10'000 == 5'000) send("10.0.1.1", 0, 1, 1000);
        (void)at(us * kUs);
    }
    EXPECT_GT(used("b", Use::kMisses), 40u);
}

TEST_F(PacedReservationsTest, RoomIsSetAsideForReservations) {
    std::string many;
    for (unsigned i = 0; i < 100; ++i)
        many += fmt::format("{{name: p{0}, prefixes: 10.9.{0}.0/24}}, ", i);
    start("workers: {buffers: 1024}\nreservations: [" + reservation("b", 86, 500, "100ms") + "]\n" +
          wire("rate: 8Mbit", many + "{name: b, prefixes: 10.0.1.0/24}"));
    constexpr uint32_t kOwn = 52, kBox = 32, kFrames = 256;
    EXPECT_EQ(link().plan().frames, kFrames);
    for (unsigned i = 0; i < 100; ++i) send(fmt::format("10.9.{}.1", i), 0, 10, 1000);
    const uint32_t held = link().waiting();
    EXPECT_LE(held, kFrames - kOwn - kBox);
    send("10.0.1.1", 0, kOwn, 100);
    EXPECT_EQ(link().waiting(), held + kOwn) << "100 ms of b's packets, and two";
    EXPECT_EQ(used("b", Use::kRejected), 0u);
}

// While the flood keeps the link full and b has spent what it has, policies come that say the same
// of b: it gets no budget anew, loses nothing, and is counted on.
TEST_F(PacedReservationsTest, AChangeLeavesAloneWhatItDoesNotName) {
    const auto yaml = [](const std::string& c, const char* rate = "rate: 8Mbit") {
        return with(reservation("b", 986, 100, "15ms") + c, wire(rate, kNames));
    };
    const std::string more = ", " + reservation("c", 486, 100, "20ms");
    start(yaml(""));
    uint64_t sent = 0;
    for (uint64_t us = 0; us < 1'000'000; us += 500) {
        box_->context().now = Now::from_ns(now_ + us * kUs);
        if (us % 1000 == 0) send("10.0.0.1", 0, 2, 1000);
        if (us % 2000 == 0) send("10.0.1.1", 0, 1, 1000);  // five times what it has
        if (us % 3500 == 0) {
            const uint64_t before = used("b", Use::kReserved), waited = link().waiting();
            const PacedLink* was = &link();
            box_->apply(yaml(us % 7000 == 0 ? more : ""));
            EXPECT_NE(&link(), was);
            EXPECT_EQ(used("b", Use::kReserved), before);
            EXPECT_EQ(link().waiting(), waited);
        }
        for (const Sent& frame : at(us * kUs)) sent += host_of(frame.frame) == 1 ? 1 : 0;
    }
    EXPECT_EQ(used("b", Use::kPackets), sent);
    EXPECT_NEAR(static_cast<double>(used("b", Use::kReserved)), 100.0, 2.0) << "one every 10 ms";
    EXPECT_EQ(used("b", Use::kMisses), 0u);
}

TEST_F(PacedReservationsTest, OneThatGoesIsGoneAtOnceAndComesBackWithTheOldPolicy) {
    const std::string rest = wire("rate: 8Mbit", kNames);
    start(with(reservation("b", 986, 100, "15ms"), rest));
    uint64_t us = 0;
    const auto run = [&](uint64_t until) {
        const uint64_t before = used("b", Use::kReserved);
        for (; us < until; us += 500) {
            box_->context().now = Now::from_ns(now_ + us * kUs);
            if (us % 1000 == 0) send("10.0.0.1", 0, 2, 1000);
            if (us % 10'000 == 0) send("10.0.1.1", 0, 1, 1000);
            (void)at(us * kUs);
        }
        return used("b", Use::kReserved) - before;
    };
    EXPECT_NEAR(static_cast<double>(run(200'000)), 20.0, 2.0);
    box_->apply(with("", rest));
    EXPECT_EQ(run(400'000), 0u);
    box_->roll_back();
    EXPECT_GE(run(600'000), 18u);
    EXPECT_GT(box_->drops().at("link.queue_full"), 0u);
    box_->apply(with(reservation("b", 986, 20, "15ms"), rest));
    EXPECT_NEAR(static_cast<double>(run(1'600'000)), 20.0, 2.0) << "lowered";
}

// A flood holds nearly all there is when a reservation comes: what it holds beyond what is not set
// aside goes, by name, and the newcomer has its room at once.
TEST_F(PacedReservationsTest, OneThatComesHasItsRoomAtOnce) {
    std::string many;
    for (unsigned i = 0; i < 100; ++i)
        many += fmt::format("{{name: p{0}, prefixes: 10.9.{0}.0/24}}, ", i);
    const std::string rest =
        wire("rate: 64Kbit, queue: 1MB", many + "{name: b, prefixes: 10.0.1.0/24}");
    start("workers: {buffers: 1024}\n" + rest);
    for (unsigned i = 0; i < 100; ++i) send(fmt::format("10.9.{}.1", i), 0, 10, 1000);
    const uint32_t held = link().waiting();
    EXPECT_GT(held, 200u);
    box_->apply("workers: {buffers: 1024}\nreservations: [" + reservation("b", 86, 10, "6s") +
                "]\n" + rest);
    EXPECT_LT(link().waiting(), held);
    EXPECT_GE(box_->drops().at("link.pool_full"), held - link().waiting());
    const uint32_t left = link().waiting();
    send("10.0.1.1", 0, 62, 100);
    EXPECT_EQ(link().waiting(), left + 62);
    EXPECT_EQ(used("b", Use::kRejected), 0u);
}

}  // namespace
}  // namespace ravelin::test
