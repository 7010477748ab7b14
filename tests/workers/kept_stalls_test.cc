// SPDX-License-Identifier: Apache-2.0
// Stalls of the machine that the kernel does not tell of, or that a turn goes on behind, beside a
// port that is never idle: who met one is late once. And who takes that long itself, again and
// again, pays.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "tests/support/kept_set.h"

namespace ravelin::test {
namespace {

/// v0 has cycles and a port, v1 is to run before it, and the port is never idle.
struct StalledScene {
    Crowd crowd{.functions = 0,
                .links = 1,
                .weight = 1'000,
                .wan = 1'000'000'000,
                .core = "{cpu: 40, burst: 20us}"};
    std::vector<Wish> wishes{{.cycles = 2'000, .rate = 1'000, .deadline_us = 750, .bytes = 1'240},
                             {.cycles = 2'000, .rate = 1'000, .deadline_us = 80}};
    static constexpr unsigned kStalled = 10, kAll = 40;
    static constexpr uint64_t kPeriod = 1'000'000, kStall = 800'000;  // ns
    Bytes bulk, reserved;
    std::vector<uint64_t> sent;  // ns, of v0

    /// How long each packet of v0 takes, ns. With packet kStalled of it the machine stalls: `stall`
    /// says where, when that has been sent.
    template <typename Fn>
    std::vector<uint64_t> run(TurnedBox& box, Fn&& stall) {
        const auto frame = [&](const char* from, unsigned bytes) {
            return frame_at(box.policy(), fmt::format("udp {}:1 > 192.0.2.1:9 len={}", from, bytes),
                            "lan");
        };
        const Bytes other = frame("10.1.1.1", 70);
        reserved = frame("10.1.0.1", 1'212);
        bulk = frame("10.2.0.1", 1'000);
        std::vector<uint64_t> took;
        for (uint64_t next = TurnedBox::now_ns() + kPeriod; took.size() < kAll;) {
            if (box.policy().paced->link(1)->waiting() < 50) box.send(bulk);
            if (TurnedBox::now_ns() >= next && sent.size() < kAll) {
                box.send(other);
                // One too many before, so that its share of the port is used up.
                for (unsigned i = sent.size() == kStalled - 3 ? 2 : 1; i != 0; --i) send(box);
                next = sent.back() + kPeriod;
                if (sent.size() == kStalled) stall();
            }
            box.turn(kTurn);
            for (const auto& [left, ns] : box.receive()) {
                if (rte_pktmbuf_pkt_len(left) == reserved.size())
                    took.push_back(ns - sent[took.size()]);
                rte_pktmbuf_free(left);
            }
        }
        return took;
    }
    void send(TurnedBox& box) {
        box.send(reserved);
        sent.push_back(TurnedBox::now_ns());
    }
    /// All but the one that the stall held up, or so many.
    void expect_kept(std::vector<uint64_t> took, unsigned held = 1) const {
        EXPECT_GE(took[kStalled - 1], kStall);
        const auto first = took.begin() + kStalled - 1;
        took.erase(first, first + held);
        EXPECT_LE(*std::ranges::max_element(took), wishes[0].deadline_us * 1'000);
    }
};

class StalledTest : public ::testing::Test, protected StalledScene {
  protected:
    void SetUp() override {
        test_eal();
        std::string why;
        ASSERT_TRUE(granted(wishes, crowd, &why)) << why;
        ASSERT_GT(wishes[0].cpu_deadline_ns, 81'000u) << "the other one is to run first";
        box.emplace(isolated_yaml(wishes, crowd));
    }
    std::optional<TurnedBox> box;
    TurnedTime::Stall now{0, kStall};
};

// The machine stalls early in a turn that goes on for so long behind it that a packet, whose
// principal has cycles and a port, was due before it if it had ended with the turn. That packet is
// late; those behind it, which come as reserved, are not, though the port is never idle: what left
// its function late counts there from when it was due. (In a run: kept_ports_test.cc.)
TEST_F(StalledTest, EarlyInATurnItMovesNoLaterPacketAtThePort) {
    const uint64_t goes_on = TurnedTime::cycles_of(wishes[0].cpu_deadline_ns + 40'000);
    expect_kept(run(*box, [&] {
        box->turn(kTurn);
        ASSERT_LT(TurnedBox::now_ns() - sent.back(), 30'000u) << "before it runs";
        now.at_ns = TurnedBox::now_ns();
        TurnedTime::stall({&now, 1});
        box->send(bulk);
        box->turn(goes_on);
    }));
}

// Nor where the kernel does not know of it.
TEST_F(StalledTest, UnknownToTheKernelItMovesNoLaterPacketAtThePort) {
    expect_kept(run(*box, [&] {
        box->turn(kTurn);
        ASSERT_LT(TurnedBox::now_ns() - sent.back(), 30'000u) << "before it runs";
        now = {.at_ns = TurnedBox::now_ns(), .ns = kStall, .interrupt = true};
        TurnedTime::stall({&now, 1});
        box->send(bulk);
        box->turn(kTurn);
    }));
}

// Nor where that falls into somebody's run.
TEST_F(StalledTest, UnknownToTheKernelInARunItMovesNoLaterPacketAtThePort) {
    expect_kept(run(*box, [&] {
        now = {.at_ns = TurnedBox::now_ns() + TurnedTime::ns_of(kTurn) + 500,
               .ns = kStall,
               .interrupt = true};
        TurnedTime::stall({&now, 1});
        box->turn(kTurn);
        EXPECT_GE(box->counter("invoke.lost_us"), kStall / 1'000 - 5) << "it did not";
    }));
}

// Many that are short add up, one to a turn that goes before functions, as more is there.
TEST_F(StalledTest, InARowTheyMoveNoLaterPacketAtThePort) {
    constexpr unsigned kInARow = 14;
    const TurnedTime::Stall each{0, kStall / kInARow + 1'000, true};
    expect_kept(run(*box, [&] {
        for (unsigned i = 0; i < kInARow; ++i) {
            for (unsigned frame = 0; frame < limits::kArrivals; ++frame) box->send(bulk);
            now = each;
            now.at_ns = TurnedBox::now_ns();
            TurnedTime::stall({&now, 1});
            box->turn(kTurn);
        }
    }));
}

// Nor where they take much longer than its packets ever could: more than 500 us are believed then.
// A packet comes to each of four turns.
TEST_F(StalledTest, LongAndInARowTheyMoveNoLaterPacketAtThePort) {
    constexpr unsigned kInARow = 4;
    const auto stall = [&] {
        for (unsigned i = 0; i < kInARow; ++i) {
            if (i != 0) send(*box);
            for (unsigned frame = 0; frame < limits::kArrivals; ++frame) box->send(bulk);
            now = {TurnedBox::now_ns(), 3 * kPeriod, true};
            TurnedTime::stall({&now, 1});
            box->turn(kTurn);
        }
        // The next comes a period after that has been taken in.
        while (TurnedBox::now_ns() < sent.back() + 4 * kPeriod) box->turn(kTurn);
    };
    expect_kept(run(*box, stall), kInARow);
}

/// v0 and v1 have cycles, and beside others next to nothing more. Runs of v0 take much longer now
/// and then, and the kernel knows nothing of it: as where the machine stalls, or v0 overruns.
class LongRunTest : public ::testing::Test {
  protected:
    static constexpr uint64_t kMs = 1'000'000, kLong = 9 * kMs;
    static constexpr unsigned kOthers = 10;

    void SetUp() override {
        test_eal();
        std::string why;
        ASSERT_TRUE(granted(wishes, crowd, &why)) << why;
        box.emplace(isolated_yaml(wishes, crowd));
        load.emplace(*box);
        add_wishes(*load, wishes);
        add_others(*load, 1, kOthers, 8'000);
        load->run(5 * kMs);
    }
    /// While the others pause, one of v0, while which nobody sends; then all go on for 20 ms.
    void run_long() {
        for (size_t i = wishes.size(); i < wishes.size() + kOthers - 1; ++i)
            load->rest(i, 5 * kMs + kLong);
        load->run(3 * kMs);
        now = {.at_ns = load->next_of(0) + 1'500, .ns = kLong, .interrupt = true};
        TurnedTime::stall({&now, 1});
        for (const uint64_t before = load->seen(0).sent; load->seen(0).sent == before;)
            load->run(1);
        for (size_t i = 0; i < wishes.size(); ++i) load->rest(i, kLong);
        load->run(20 * kMs);
        load->forget_longest();
    }
    void expect_in_time(size_t i) const {
        EXPECT_LE(load->seen(i).longest_ns, wishes[i].deadline_us * 1'000 + allowance()) << i;
        EXPECT_GT(load->seen(i).longest_ns, 0u);
    }
    Crowd crowd{.weight = kHeavy};
    std::vector<Wish> wishes{{.cycles = 8'000, .rate = 1'000, .deadline_us = 600},
                             {.cycles = 2'000, .rate = 2'000, .deadline_us = 300}};
    std::optional<TurnedBox> box;
    std::optional<Load> load;
    TurnedTime::Stall now{};
};

// The machine stalls so for 9 ms. It hits v0 for no fault of its own, which pays nothing.
TEST_F(LongRunTest, ForNineMillisecondsOnceNobodyPays) {
    run_long();
    EXPECT_GE(box->counter("invoke.lost_us"), 8'990u) << "it did not fall into the run";
    load->run(30 * kMs);
    for (size_t i = 0; i < wishes.size(); ++i) expect_in_time(i);
}

// Every 50 ms it is an overrun, of which v0 has the 10 ms once and its sixteenth. Who was kept
// waiting is in time again each time.
TEST_F(LongRunTest, AgainAndAgainItPays) {
    for (unsigned i = 0; i < 6; ++i) {
        run_long();
        load->run(22 * kMs);
        expect_in_time(1);
    }
    EXPECT_GE(box->invoked("v0", sched::Use::kOverruns), 4u);
    const uint64_t charged_us = TurnedTime::ns_of(box->invoked("v0", sched::Use::kCycles)) / 1'000;
    EXPECT_GE(charged_us, 5 * kLong / 1'000 - 10'000) << "it did not fall into runs";
    EXPECT_LE(box->counter("invoke.lost_us"), 10'200 + charged_us / 16);
    EXPECT_GT(load->seen(0).sent, load->seen(0).left + 10) << "it pays";
}

// Another policy is no second credit.
TEST_F(LongRunTest, WhatIsOwedGoesOverToThePolicyThatComesThen) {
    run_long();
    ++crowd.cycles;
    box->apply(isolated_yaml(wishes, crowd));
    run_long();
    EXPECT_GE(box->counter("invoke.lost_us"), 8'990u);
    EXPECT_LE(box->counter("invoke.lost_us"), 11'000u);
}

}  // namespace
}  // namespace ravelin::test
