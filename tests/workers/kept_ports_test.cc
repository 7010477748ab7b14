// SPDX-License-Identifier: Apache-2.0
// Who has a port alone beside one that has cycles and the port: what holds up the other one's
// functions, a core beyond its envelope or somebody's overrun, is no burst of it at the port.
#include <gtest/gtest.h>
#include <rte_cycles.h>

#include <algorithm>
#include <functional>

#include "tests/support/isolated_set.h"
#include "tests/support/turned_load.h"

namespace ravelin::test {
namespace {

constexpr uint64_t kMs = 1'000'000, kNsPerByte = 8;
constexpr uint64_t kSlack = 25'000;  // ns: turns around it

/// P: cycles and port, 10,000 packets a second of 10 us of wire; Q: the port alone.
class KeptPortsTest : public ::testing::Test {
  protected:
    void start(const std::string& from = "", const std::string& to = "") {
        test_eal();
        const Crowd crowd{.functions = 2,
                          .weight = 1'000,
                          .wan = 1'000'000'000,
                          .core = "{cpu: 40, burst: 20us}"};
        std::string why;
        while (!granted(wishes_, crowd, &why)) ASSERT_LE(wishes_[1].deadline_us += 20, 400u) << why;
        std::string text = isolated_yaml(wishes_, crowd);
        if (!from.empty()) {
            ASSERT_NE(text.find(from), text.npos) << text;
            text.replace(text.find(from), from.size(), to);
        }
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
    /// turn. How many packets of Q were late.
    unsigned run(uint64_t p_every, const std::function<void(uint64_t)>& beside) {
        const uint64_t allowed = wishes_[1].deadline_us * 1'000 + kSlack;
        uint64_t free = 0, p_next = 0, q_next = 0;
        std::vector<uint64_t> sent;
        size_t out = 0;
        unsigned late = 0;
        for (uint64_t at = 0; at < 20 * kMs; at = TurnedBox::now_ns() - began_) {
            beside(at);
            for (; p_next <= at; p_next += p_every) box_->send(p_);
            if (q_next <= at) {
                box_->send(q_);
                sent.push_back(TurnedBox::now_ns());
                q_next = at + 100'000;
                q_sent_ = at;
            }
            box_->turn(kTurn);
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
        for (unsigned i = 0; i < 64 && at > 5 * kMs && at < 10 * kMs; ++i) box_->send(flood);
        if (at > 5 * kMs && at < 10 * kMs) TurnedBox::pass(64 * kEach);
    });
    EXPECT_GT(box_->invoked("v0", sched::Use::kMisses), 20u) << "the core kept nobody waiting";
    EXPECT_EQ(late, 0u);
}

// P sends twice as much as it reserved, so that more than one waits of it.
TEST_F(KeptPortsTest, AnOverrunThatKeepsOthersWaitingIsNoBurstAtThePort) {
    start("{name: wild, burn: {cycles: 20000}", "{name: wild, burn: {cycles: 8000000}");
    const Bytes wild = frame("10.2.0.1", 20), greedy = frame("10.2.1.1", 20);
    bool once = false;
    const unsigned late = run(50'000, [&](uint64_t at) {
        box_->send(greedy);
        const bool between = at > 5 * kMs && at - q_sent_ > 50'000;  // two packets of Q
        if (between && !std::exchange(once, true)) box_->send(wild);
    });
    EXPECT_GT(box_->invoked("v0", sched::Use::kMisses), 10u) << "nothing waited of it";
    EXPECT_EQ(late, 0u);
}

}  // namespace
}  // namespace ravelin::test
