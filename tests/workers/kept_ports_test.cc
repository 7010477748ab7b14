// SPDX-License-Identifier: Apache-2.0
// Who has a port alone beside one that has cycles and the port: what holds up the other one's
// functions, a core beyond its envelope or somebody's overrun, is no burst of it at the port.
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <optional>

#include "tests/support/kept_set.h"

namespace ravelin::test {
namespace {

constexpr uint64_t kMs = 1'000'000, kNsPerByte = 8;
constexpr uint64_t kSlack = 25'000;  // ns: turns around it

/// P: cycles and port, 10,000 packets a second of 10 us of wire; Q: the port alone.
class KeptPortsTest : public ::testing::Test {
  protected:
    void start(uint64_t wild = 20'000) {
        test_eal();
        const Crowd crowd{.functions = 2,
                          .links = 1,
                          .weight = 1'000,
                          .wan = 1'000'000'000,
                          .core = "{cpu: 40, burst: 20us}"};
        std::string why;
        while (!granted(wishes_, crowd, &why)) ASSERT_LE(wishes_[1].deadline_us += 20, 400u) << why;
        std::string text = isolated_yaml(wishes_, crowd);
        let_burn(text, "wild", wild);
        box_ = std::make_unique<TurnedBox>(text);
        p_ = frame("10.1.0.1", 1'212);
        q_ = frame("10.1.1.1", 172);
        began_ = TurnedBox::now_ns();
    }
    [[nodiscard]] Bytes frame(const char* from, unsigned bytes) const {
        return frame_at(box_->policy(), fmt::format("udp {}:1 > 192.0.2.1:9 len={}", from, bytes),
                        "lan");
    }
    /// 20 ms; `beside` sends what else there is, at so many ns since the beginning, before each
    /// turn, and says how many cycles of the core that takes. How many packets of Q were late.
    unsigned run(uint64_t p_every, const std::function<uint64_t(uint64_t)>& beside) {
        const uint64_t allowed = wishes_[1].deadline_us * 1'000 + kSlack;
        uint64_t free = 0, p_next = 0, q_next = 0;
        std::vector<uint64_t> sent;
        size_t out = 0;
        unsigned late = 0;
        for (uint64_t at = 0; at < 20 * kMs; at = TurnedBox::now_ns() - began_) {
            const uint64_t core = beside(at);
            for (; p_next <= at; p_next += p_every) box_->send(p_);
            if (q_next <= at) {
                box_->send(q_);
                sent.push_back(TurnedBox::now_ns());
                q_next = at + 100'000;
                q_sent_ = at;
            }
            box_->turn(kTurn + core);
            for (const auto& [one, ns] : box_->receive()) {
                const unsigned bytes = rte_pktmbuf_pkt_len(one);
                free = std::max(free, ns) + (std::max(bytes, 60u) + 24) * kNsPerByte;
                if (bytes == q_.size()) late += free - sent[out++] > allowed ? 1 : 0;
                rte_pktmbuf_free(one);
            }
        }
        EXPECT_GE(out, 30u);
        return late;
    }
    /// How long packets of P waited at the port so far, ns, and how many.
    struct Waited {
        uint64_t ns = 0, packets = 0;
    };
    [[nodiscard]] Waited waited() const {
        const sched::Usage& usage = box_->policy().paced->link(1)->usage();
        const sched::PrincipalId p = box_->id("v0");
        return {usage.get(p, sched::Use::kQueueNs), usage.get(p, sched::Use::kPackets)};
    }
    std::vector<Wish> wishes_{{.cycles = 2'000, .rate = 10'000, .deadline_us = 700, .bytes = 1'240},
                              {.rate = 10'000, .deadline_us = 140, .bytes = 200}};
    std::unique_ptr<TurnedBox> box_;
    Bytes p_, q_;
    uint64_t began_ = 0, q_sent_ = 0;
};

TEST_F(KeptPortsTest, AFloodThatKeepsFunctionsWaitingIsNoBurstAtThePort) {
    start();
    const Bytes flood = frame("172.16.0.1", 20);
    const unsigned late = run(100'000, [&](uint64_t at) {
        const uint64_t n = at > 5 * kMs && at < 10 * kMs ? 64 : 0;
        for (unsigned i = 0; i < n; ++i) box_->send(flood);
        return n * kEach;
    });
    EXPECT_GT(box_->invoked("v0", sched::Use::kMisses), 20u) << "the core kept nobody waiting";
    EXPECT_EQ(late, 0u);
}

// Nor does P wait there ever after, though the port is never idle: it is behind for as long as
// reserved frames wait.
TEST_F(KeptPortsTest, WhatAFloodHeldUpMovesNoLaterPacketThere) {
    start();
    const Bytes flood = frame("172.16.0.1", 20), bulk = frame("10.2.2.1", 1'000);
    uint64_t next = 0;
    std::optional<Waited> behind;
    const unsigned late = run(100'000, [&](uint64_t at) {
        for (; next <= at; next += bulk.size() * kNsPerByte) box_->send(bulk);
        if (at > 12 * kMs && !behind) behind = waited();
        const uint64_t n = at > 5 * kMs && at < 10 * kMs ? 64 : 0;
        for (unsigned i = 0; i < n; ++i) box_->send(flood);
        return n * kEach;
    });
    EXPECT_GT(box_->invoked("v0", sched::Use::kMisses), 5u) << "the core kept nobody waiting";
    EXPECT_EQ(late, 0u);
    const Waited in_all = waited();
    ASSERT_GT(in_all.packets, behind->packets + 50);
    EXPECT_LE((in_all.ns - behind->ns) / (in_all.packets - behind->packets),
              wishes_[0].cpu_deadline_ns + kSlack);
}

// As well where each third call takes the core twenty times as long: by what packets usually take,
// the machine might have stood still then.
TEST_F(KeptPortsTest, AFloodByTrainsOfDearPacketsIsNoStall) {
    start();
    const Bytes flood = frame("172.16.0.1", 20);
    unsigned turns = 0;
    const unsigned late = run(100'000, [&](uint64_t at) -> uint64_t {
        if (at <= 5 * kMs || at >= 10 * kMs) return 0;
        for (unsigned i = 0; i < limits::kArrivals; ++i) box_->send(flood);
        return limits::kArrivals * (++turns % 3 == 0 ? 3'000 : 150);
    });
    EXPECT_GT(box_->invoked("v0", sched::Use::kMisses), 20u) << "the core kept nobody waiting";
    EXPECT_EQ(late, 0u);
}

// P sends twice as much as it reserved, so that more than one waits of it.
TEST_F(KeptPortsTest, AnOverrunThatKeepsOthersWaitingIsNoBurstAtThePort) {
    start(8'000'000);
    const Bytes wild = frame("10.2.0.1", 20), greedy = frame("10.2.1.1", 20);
    bool once = false;
    const unsigned late = run(50'000, [&](uint64_t at) {
        box_->send(greedy);
        const bool between = at > 5 * kMs && at - q_sent_ > 50'000;  // two packets of Q
        if (between && !std::exchange(once, true)) box_->send(wild);
        return 0;
    });
    EXPECT_GT(box_->invoked("v0", sched::Use::kMisses), 10u) << "nothing waited of it";
    EXPECT_EQ(late, 0u);
}

// What a run takes beyond its limit while the machine stalls is no more than that: the stall moves
// nobody at the port.
TEST_F(KeptPortsTest, AnOverrunDelaysNobodyByMoreThanItTook) {
    start(TurnedTime::cycles_of(4'800'000));  // the stall is part of it
    const Bytes wild = frame("10.2.0.1", 20), greedy = frame("10.2.1.1", 20);
    TurnedTime::Stall stall{.ns = 4 * kMs};
    run(50'000, [&](uint64_t at) {
        box_->send(greedy);
        if (at > 5 * kMs && stall.at_ns == 0) {
            stall.at_ns = TurnedBox::now_ns() + 100'000;
            TurnedTime::stall({&stall, 1});
            box_->send(wild);
        }
        return 0;
    });
    EXPECT_GE(box_->counter("invoke.lost_us"), 4 * kMs / 1'000) << "it did not fall into the run";
    EXPECT_GT(box_->invoked("v0", sched::Use::kMisses), 10u) << "nothing waited of it";
    EXPECT_GE(waited().ns, 120 * kMs) << "81 ms where they count from when they come";
}

/// P: cycles and port; another, with the shorter deadline, cycles alone. Every ms a packet of each,
/// of the other first, while the port is full.
struct Where {
    uint64_t flooded_ns = 0;  ///< from one packet of a flood to the next, which is dropped; 0: none
    uint64_t cycles = 1'300;  ///< behind the turn's core work the machine stalls
};
class StalledPortTest : public ::testing::TestWithParam<Where> {
  protected:
    static constexpr unsigned kStalled = 10, kAll = 40;
    static constexpr uint64_t kPeriod = kMs, kStall = 800'000, kFlooded = 200;

    void SetUp() override {
        test_eal();
        const Crowd crowd{.functions = 0,
                          .links = 1,
                          .weight = 1'000,
                          .wan = 1'000'000'000,
                          .core = "{cpu: 40, burst: 20us}"};
        std::string why;
        ASSERT_TRUE(granted(wishes_, crowd, &why)) << why;
        ASSERT_GT(wishes_[0].cpu_deadline_ns, 81'000u) << "the other one is to run first";
        std::string text = isolated_yaml(wishes_, crowd);
        const std::string rules = "rules: [";
        text.insert(text.find(rules) + rules.size(),
                    "{name: flood, from: 172.16.0.1, action: drop, stateful: false}, ");
        box_ = std::make_unique<TurnedBox>(text);
        p_ = frame("10.1.0.1", 1'212);
        other_ = frame("10.1.1.1", 70);
        bulk_ = frame("10.2.0.1", 1'000);
        flood_ = frame("172.16.0.1", 20);
        next_ = flooded_ = TurnedBox::now_ns() + kPeriod;
    }
    [[nodiscard]] Bytes frame(const char* from, unsigned bytes) const {
        return frame_at(box_->policy(), fmt::format("udp {}:1 > 192.0.2.1:9 len={}", from, bytes),
                        "lan");
    }
    void send(const Bytes& frame) { waiting_ += box_->send(frame) ? 1 : 0; }
    /// True: the packet has come whose run the stall is to hold up.
    bool send_due() {
        const uint64_t now = TurnedBox::now_ns();
        if (box_->policy().paced->link(1)->waiting() < 50) send(bulk_);
        const uint64_t every = GetParam().flooded_ns;
        for (; every != 0 && flooded_ <= now; flooded_ += every) send(flood_);
        if (now < next_ || sent_.size() >= kAll) return false;
        send(other_);
        // One too many before, so that its share of the port is used up.
        for (unsigned i = sent_.size() == kStalled - 3 ? 2 : 1; i != 0; --i) {
            send(p_);
            sent_.push_back(now);
        }
        next_ = now + kPeriod;
        return sent_.size() == kStalled;
    }
    void turn(bool stall) {
        const unsigned n = std::min<unsigned>(waiting_, limits::kArrivals);
        waiting_ -= n;
        const uint64_t core = kTurn + TurnedTime::cycles_of(n * kFlooded);
        stall_.at_ns = TurnedTime::ns_of(TurnedBox::cycles() + core + GetParam().cycles);
        if (stall) TurnedTime::stall({&stall_, 1});
        box_->turn(core);
        for (const auto& [left, ns] : box_->receive()) {
            if (rte_pktmbuf_pkt_len(left) == p_.size()) took_.push_back(ns - sent_[took_.size()]);
            rte_pktmbuf_free(left);
        }
    }
    /// The packet that the stall held up is late, those behind it are not.
    void expect_kept() {
        while (took_.size() < kAll) turn(send_due());
        EXPECT_GE(took_[kStalled - 1], kStall);
        took_.erase(took_.begin() + kStalled - 1);
        EXPECT_LE(*std::ranges::max_element(took_), wishes_[0].deadline_us * 1'000);
    }
    std::vector<Wish> wishes_{{.cycles = 2'000, .rate = 1'000, .deadline_us = 750, .bytes = 1'240},
                              {.cycles = 2'000, .rate = 1'000, .deadline_us = 80}};
    std::unique_ptr<TurnedBox> box_;
    Bytes p_, other_, bulk_, flood_;
    TurnedTime::Stall stall_{.ns = kStall};
    unsigned waiting_ = 0;
    uint64_t next_ = 0, flooded_ = 0;
    std::vector<uint64_t> sent_, took_;
};

// The machine stalls while a packet of P waits for its run. It is late; those behind it, which come
// as reserved, are not, though the port is never idle: what left its function late counts there
// from when it was due. Also where the core is beyond its envelope before that, by working off what
// came meanwhile.
TEST_P(StalledPortTest, AStallMovesNoLaterPacketThere) {
    expect_kept();
    EXPECT_GE(box_->counter("invoke.lost_us"), 790u) << "it did not fall into the run";
    EXPECT_EQ(box_->invoked("v0", sched::Use::kCoreMisses), GetParam().flooded_ns == 0 ? 0u : 1u);
}
INSTANTIATE_TEST_SUITE_P(Floods, StalledPortTest,
                         ::testing::Values(Where{}, Where{.flooded_ns = 1'000}));

// Nor where it falls behind the run, before the worker is at its core work again: some of these do.
class StalledBehindTest : public StalledPortTest {};
TEST_P(StalledBehindTest, AStallMovesNoLaterPacketThere) { expect_kept(); }
std::vector<Where> behind_the_run() {
    std::vector<Where> out;
    for (uint64_t cycles = 1'900; cycles <= 2'200; cycles += 10) out.push_back({1'000, cycles});
    return out;
}
INSTANTIATE_TEST_SUITE_P(Places, StalledBehindTest, ::testing::ValuesIn(behind_the_run()));

}  // namespace
}  // namespace ravelin::test
