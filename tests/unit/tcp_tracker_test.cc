// SPDX-License-Identifier: Apache-2.0
#include "dataplane/tcp_tracker.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "dataplane/tcp_window.h"

namespace ravelin {
namespace {

constexpr uint32_t kC = 0xfffffff0;  // the client's initial number: every script wraps
constexpr uint32_t kS = 5000;
constexpr auto O = Direction::originator;
constexpr auto R = Direction::responder;
using V = TcpVerdict;
using S = FlowState;

TcpSegment seg(uint16_t flags, uint32_t seq, uint32_t ack = 0, uint32_t len = 0,
               uint16_t window = 1000, int8_t wscale = -1) {
    return {.seq = seq,
            .ack = ack,
            .payload_len = len,
            .window = window,
            .flags = flags,
            .wscale = wscale};
}

class TcpTracker : public testing::Test {
  protected:
    TcpTracker() { flow_.key.protocol = 6; }
    V send(Direction d, uint16_t flags, uint32_t seq, uint32_t ack = 0, uint32_t len = 0,
           uint16_t window = 1000, int8_t wscale = -1) {
        return tcp_track(flow_, d, seg(flags, seq, ack, len, window, wscale));
    }
    void establish(int8_t client_scale = -1, int8_t server_scale = -1) {
        ASSERT_EQ(send(O, kTcpSyn, kC, 0, 0, 1000, client_scale), V::new_ok);
        ASSERT_EQ(send(R, kTcpSyn | kTcpAck, kS, kC + 1, 0, 1000, server_scale), V::ok);
        ASSERT_FALSE(earned_proof(flow_));
        ASSERT_EQ(send(O, kTcpAck, kC + 1, kS + 1), V::ok);
        ASSERT_EQ(flow_.state, S::tcp_established);
        ASSERT_TRUE(earned_proof(flow_));
    }
    void close_both() {
        establish();
        ASSERT_EQ(send(O, kTcpFin | kTcpAck, kC + 1, kS + 1), V::ok);
        ASSERT_EQ(send(R, kTcpFin | kTcpAck, kS + 1, kC + 2), V::ok);
        ASSERT_EQ(send(O, kTcpAck, kC + 2, kS + 2), V::ok);
        ASSERT_EQ(flow_.state, S::tcp_time_wait);
    }
    Flow flow_{};
};

TEST_F(TcpTracker, WholeLife) {
    establish();
    EXPECT_EQ(send(O, kTcpAck | kTcpPsh, kC + 1, kS + 1, 500), V::ok);
    EXPECT_EQ(send(R, kTcpAck, kS + 1, kC + 501, 1000), V::ok);
    EXPECT_EQ(send(O, kTcpFin | kTcpAck, kC + 501, kS + 1001), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_fin_wait);
    EXPECT_EQ(flow_.flags & kFlowClosing, kFlowClosing);
    EXPECT_EQ(send(R, kTcpAck, kS + 1001, kC + 502, 700), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_close_wait);
    EXPECT_EQ(send(O, kTcpAck, kC + 502, kS + 1701), V::ok);
    EXPECT_EQ(send(R, kTcpFin | kTcpAck, kS + 1701, kC + 502), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_last_ack);
    EXPECT_EQ(send(O, kTcpAck, kC + 502, kS + 1702), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_time_wait);
}

TEST_F(TcpTracker, LateFinInTimeWait) {
    close_both();
    EXPECT_EQ(send(R, kTcpFin | kTcpAck, kS + 1, kC + 2), V::ok);
    EXPECT_EQ(send(O, kTcpAck, kC + 2, kS + 2), V::ok);
    EXPECT_EQ(send(O, kTcpFin | kTcpAck, kC + 1, kS + 1), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_time_wait);
}

TEST_F(TcpTracker, SimultaneousClose) {
    establish();
    EXPECT_EQ(send(O, kTcpFin | kTcpAck, kC + 1, kS + 1), V::ok);
    EXPECT_EQ(send(R, kTcpFin | kTcpAck, kS + 1, kC + 1), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_last_ack);
    EXPECT_EQ(send(O, kTcpAck, kC + 2, kS + 2), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_last_ack);
    EXPECT_EQ(send(R, kTcpAck, kS + 2, kC + 2), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_time_wait);
}

TEST_F(TcpTracker, SimultaneousOpen) {
    EXPECT_EQ(send(O, kTcpSyn, kC, 0, 0, 1000, 3), V::new_ok);
    EXPECT_EQ(send(R, kTcpSyn, kS, 0, 0, 1000, 4), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_syn_received);
    EXPECT_EQ(send(R, kTcpSyn, kS, 0, 0, 1000, 4), V::syn_retransmit);
    EXPECT_EQ(send(O, kTcpSyn, kC, 0, 0, 1000, 3), V::syn_retransmit);
    EXPECT_EQ(send(O, kTcpSyn | kTcpAck, kC, kS + 1, 0, 1000, 3), V::ok);
    EXPECT_FALSE(earned_proof(flow_));
    EXPECT_EQ(send(R, kTcpSyn | kTcpAck, kS, kC + 1, 0, 1000, 4), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_established);
    EXPECT_EQ(flow_.window_scale[0], 3);
    EXPECT_EQ(flow_.window_scale[1], 4);
}

TEST_F(TcpTracker, ImpossibleFlags) {
    for (const int f :
         {0, +kTcpFin, kTcpFin | kTcpPsh | kTcpUrg, kTcpSyn | kTcpFin, kTcpSyn | kTcpRst,
          kTcpFin | kTcpRst | kTcpAck, +kTcpUrg, +kTcpPsh, kTcpSyn | kTcpFin | kTcpAck, 0xff})
        EXPECT_EQ(send(O, static_cast<uint16_t>(f), kC), V::invalid_flags) << f;
    EXPECT_EQ(flow_.state, S::none);
    EXPECT_EQ(send(O, kTcpSyn | kTcpEce | kTcpCwr, kC), V::new_ok);
}

TEST_F(TcpTracker, NothingButSynOpens) {
    EXPECT_EQ(send(O, kTcpAck, kC, kS), V::invalid_state);
    EXPECT_EQ(send(O, kTcpSyn | kTcpAck, kC, kS), V::invalid_state);
    EXPECT_EQ(send(O, kTcpRst, kC), V::invalid_state);
    EXPECT_EQ(send(R, kTcpSyn, kC), V::invalid_state);
}

TEST_F(TcpTracker, RetransmittedAndRepeatedSyn) {
    EXPECT_EQ(send(O, kTcpSyn, kC, 0, 100), V::new_ok);  // fast open: data in the SYN
    EXPECT_EQ(send(O, kTcpSyn, kC), V::syn_retransmit);
    EXPECT_EQ(send(O, kTcpAck, kC + 1, kS), V::invalid_state);
    EXPECT_EQ(send(R, kTcpSyn | kTcpAck, kS, kC), V::out_of_window);
    EXPECT_EQ(send(R, kTcpSyn | kTcpAck, kS, kC + 102), V::out_of_window);
    EXPECT_EQ(send(R, kTcpSyn | kTcpAck, kS, kC + 1), V::ok);
    EXPECT_EQ(send(O, kTcpSyn, kC), V::syn_retransmit);
    EXPECT_EQ(send(R, kTcpSyn | kTcpAck, kS, kC + 1), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_syn_received);
    EXPECT_EQ(send(O, kTcpAck, kC + 1, kS), V::out_of_window);  // does not cover the SYN
    EXPECT_EQ(send(O, kTcpAck, kC + 1, kS + 2), V::out_of_window);
    EXPECT_EQ(send(O, kTcpAck, kC + 1, kS + 1, 100), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_established);
}

TEST_F(TcpTracker, NewNumberWhileOpeningStartsOver) {
    EXPECT_EQ(send(O, kTcpSyn, kC), V::new_ok);
    EXPECT_EQ(send(O, kTcpSyn, 777), V::new_ok);
    EXPECT_EQ(send(R, kTcpSyn | kTcpAck, kS, kC + 1), V::out_of_window);
    EXPECT_EQ(send(R, kTcpSyn | kTcpAck, kS, 778), V::ok);
}

TEST_F(TcpTracker, RefusedConnection) {
    EXPECT_EQ(send(O, kTcpSyn, kC), V::new_ok);
    EXPECT_EQ(send(R, kTcpRst | kTcpAck, 0, kC), V::out_of_window);
    EXPECT_EQ(send(R, kTcpRst, 0), V::out_of_window);
    EXPECT_EQ(send(R, kTcpRst | kTcpAck, 0, kC + 1), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_closed);
    EXPECT_FALSE(earned_proof(flow_));
    EXPECT_EQ(send(R, kTcpRst | kTcpAck, 0, kC + 1), V::ok);
    EXPECT_EQ(send(R, kTcpAck, kS, kC + 1), V::invalid_state);
    EXPECT_EQ(send(O, kTcpSyn, kC), V::reuse);
}

TEST_F(TcpTracker, ResetOnlyAtTheExactNumber) {
    establish();
    EXPECT_EQ(send(R, kTcpAck, kS + 1, kC + 1, 600), V::ok);
    EXPECT_EQ(send(R, kTcpRst, kS + 300), V::challenge_ack);
    EXPECT_EQ(send(R, kTcpRst, kS + 1001 + 1), V::out_of_window);
    EXPECT_EQ(send(R, kTcpRst, kS - 2000), V::out_of_window);
    EXPECT_EQ(flow_.state, S::tcp_established);
    Flow other = flow_;
    EXPECT_EQ(tcp_track(other, R, seg(kTcpRst, kS + 601)), V::ok);  // its last byte
    EXPECT_EQ(other.state, S::tcp_closed);
    EXPECT_EQ(flow_.state, S::tcp_established);                    // the dry run left no trace
    EXPECT_EQ(send(R, kTcpRst | kTcpAck, kS + 1, kC + 1), V::ok);  // what the client awaits
    EXPECT_EQ(flow_.state, S::tcp_closed);
    EXPECT_EQ(send(O, kTcpAck, kC + 1, kS + 601, 10), V::ok);  // was on the way
    EXPECT_EQ(send(O, kTcpAck, kC + 5000, kS + 601, 10), V::out_of_window);
    EXPECT_EQ(flow_.state, S::tcp_closed);
    EXPECT_EQ(send(O, kTcpSyn, 99), V::reuse);
}

TEST_F(TcpTracker, ResetDoesNotCutTimeWaitShort) {
    close_both();
    EXPECT_EQ(send(O, kTcpRst, kC + 2), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_time_wait);
}

// RFC 5961 section 4, RFC 9293 section 3.5.1: the client restarted and knows of nothing.
TEST_F(TcpTracker, HalfOpenKnownToUs) {
    establish();
    EXPECT_EQ(send(O, kTcpSyn, 0x1234), V::challenge_ack);
    EXPECT_EQ(send(R, kTcpAck, kS + 1, kC + 1), V::ok);
    EXPECT_EQ(send(O, kTcpRst, kC + 1), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_closed);
    EXPECT_EQ(send(O, kTcpSyn, 0x1234), V::reuse);
}

TEST_F(TcpTracker, HalfOpenUnknownToUs) {
    EXPECT_EQ(send(O, kTcpSyn, kC), V::new_ok);
    EXPECT_EQ(send(O, kTcpRst, 4242), V::out_of_window);
    EXPECT_EQ(send(R, kTcpAck, kS, 4242), V::challenge_ack);
    EXPECT_EQ(send(O, kTcpRst, 4242), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_syn_sent);
    EXPECT_EQ(send(O, kTcpSyn, kC), V::syn_retransmit);
    EXPECT_EQ(send(R, kTcpSyn | kTcpAck, kS, kC + 1), V::ok);
    EXPECT_EQ(send(O, kTcpAck, kC + 1, kS + 1), V::ok);
    EXPECT_EQ(flow_.state, S::tcp_established);
}

TEST_F(TcpTracker, TimeWaitReuseWhateverTheNumber) {
    close_both();
    EXPECT_EQ(send(O, kTcpSyn, kC - 100), V::reuse);
    EXPECT_EQ(send(O, kTcpSyn, kC + 100), V::reuse);
    EXPECT_EQ(send(R, kTcpSyn, kS + 100), V::reuse);
    EXPECT_EQ(flow_.state, S::tcp_time_wait);
}

TEST_F(TcpTracker, DataOutsideTheWindowBothSides) {
    establish();
    for (const Direction d : {O, R}) {
        const uint32_t mine = d == O ? kC + 1 : kS + 1;
        const uint32_t theirs = d == O ? kS + 1 : kC + 1;
        const Flow before = flow_;
        EXPECT_EQ(send(d, kTcpAck, mine + 2000, theirs, 10), V::out_of_window);
        EXPECT_EQ(send(d, kTcpAck, mine, theirs, 1002), V::out_of_window);
        EXPECT_EQ(send(d, kTcpAck, mine - 1500, theirs, 10), V::out_of_window);
        EXPECT_EQ(send(d, kTcpAck, mine, theirs + 1, 10), V::out_of_window);
        EXPECT_EQ(send(d, kTcpAck, mine, theirs - 70'000, 10), V::out_of_window);
        EXPECT_EQ(send(d, kTcpFin | kTcpAck, mine + 2000, theirs), V::out_of_window);
        EXPECT_EQ(flow_.tcp[0].end, before.tcp[0].end);
        EXPECT_EQ(flow_.tcp[1].max_end, before.tcp[1].max_end);
        EXPECT_EQ(flow_.state, S::tcp_established);
        EXPECT_EQ(send(d, kTcpAck, mine, theirs, 1000), V::ok);
        EXPECT_EQ(send(reverse(d), kTcpAck, theirs, mine + 1000), V::ok);
        EXPECT_EQ(send(d, kTcpAck, mine, theirs, 1000), V::ok);  // a late copy
        flow_ = before;
    }
}

TEST_F(TcpTracker, KeepAliveAndZeroWindowProbe) {
    establish();
    EXPECT_EQ(send(O, kTcpAck, kC, kS + 1), V::ok);
    EXPECT_EQ(send(O, kTcpAck, kC, kS + 1, 1), V::ok);
    EXPECT_EQ(send(R, kTcpAck, kS + 1, kC + 1), V::ok);
    EXPECT_EQ(send(O, kTcpAck, kC + 1, kS + 1, 1000), V::ok);
    EXPECT_EQ(send(R, kTcpAck, kS + 1, kC + 1001, 0, 0), V::ok);
    EXPECT_EQ(send(O, kTcpAck, kC + 1001, kS + 1, 1), V::ok);  // one byte beyond a shut window
    EXPECT_EQ(send(O, kTcpAck, kC + 1001, kS + 1, 2), V::out_of_window);
    EXPECT_EQ(send(R, kTcpAck, kS + 1, kC + 1001, 0, 500), V::ok);
    EXPECT_EQ(send(O, kTcpAck, kC + 1001, kS + 1, 500), V::ok);
}

TEST_F(TcpTracker, ScalesOnlyIfBothOffer) {
    establish(7, 5);
    EXPECT_EQ(flow_.window_scale[0], 7);
    EXPECT_EQ(send(O, kTcpAck, kC + 1, kS + 1), V::ok);  // 1000 << 7
    EXPECT_EQ(send(R, kTcpAck, kS + 1, kC + 1, 128'000), V::ok);
    EXPECT_EQ(send(R, kTcpAck, kS + 128'001, kC + 1, 2), V::out_of_window);
    flow_ = {};
    flow_.key.protocol = 6;
    establish(7, -1);
    EXPECT_EQ(flow_.window_scale[0], 0);
    EXPECT_EQ(send(R, kTcpAck, kS + 1, kC + 1, 1002), V::out_of_window);
    flow_ = {};
    flow_.key.protocol = 6;
    establish(15, 14);
    EXPECT_EQ(flow_.window_scale[0], kMaxWindowScale);
}

// Numbers on, before and behind every bound, and anywhere.
TEST(TcpWindow, TheSameAtOnceAndOneByOne) {
    std::mt19937 numbers(5);
    const auto random = [&] { return static_cast<uint32_t>(numbers()); };
    const auto near = [&](uint32_t bound) {
        return random() % 8 == 0 ? random() : bound + random() % 5 - 2;
    };
    unsigned taken = 0, refused = 0;
    for (unsigned round = 0; round < 400'000; ++round) {
        const unsigned side = random() % 2;
        Flow f{};
        f.window_scale = {static_cast<uint8_t>(random() % 15), static_cast<uint8_t>(random() % 15)};
        for (TcpSide& s : f.tcp) {
            s.end = random();
            s.max_end = s.end + random() % 100'000;
            s.max_window = 1 + random() % (random() % 2 == 0 ? 1000 : 1u << 30);
        }
        TcpSide &sender = f.tcp[side], &receiver = f.tcp[side ^ 1];
        sender.max_ack = receiver.end - random() % 1000;
        receiver.max_ack = sender.end - random() % 1000;
        const uint32_t ends[] = {sender.end, sender.max_end + 1,
                                 sender.end - receiver.max_window - 1};
        const uint32_t acks[] = {receiver.end, sender.max_ack, sender.max_ack - ack_slack(sender)};
        const TcpAdvance segment{near(ends[random() % 3]), near(acks[random() % 3]),
                                 random() % 65536, 40};
        Flow plain = f;
        const bool good = track_data_plain(plain, side, segment);
        ASSERT_EQ(track_data(f, side, segment), good) << round;
        ASSERT_EQ(std::memcmp(&f, &plain, sizeof f), 0) << round;
        ++(good ? taken : refused);
    }
    EXPECT_GT(taken, 50'000u);
    EXPECT_GT(refused, 50'000u);
}

TEST(FlowStates, ProofAndTimeouts) {
    const Timeouts timeouts;
    Flow f{};
    f.key.protocol = 17;
    datagram_track(f, Direction::originator);
    datagram_track(f, Direction::originator);
    EXPECT_FALSE(earned_proof(f));
    EXPECT_EQ(timeouts.of(f), 30'000u);
    datagram_track(f, Direction::responder);
    EXPECT_TRUE(earned_proof(f));
    EXPECT_EQ(timeouts.of(f), 30'000u);
    datagram_track(f, Direction::originator);
    EXPECT_EQ(timeouts.of(f), 180'000u);
    f.key.protocol = 58;
    EXPECT_EQ(timeouts.of(f), 30'000u);
    f.key.protocol = 6;
    f.state = FlowState::tcp_established;
    EXPECT_GE(timeouts.of(f), 7'440'000u);
    f.state = FlowState::tcp_closed;
    EXPECT_EQ(timeouts.of(f), 10'000u);
}

}  // namespace
}  // namespace ravelin
