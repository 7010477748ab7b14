// SPDX-License-Identifier: Apache-2.0
// Segments outside the window, under strict, loose and off.
#include <gtest/gtest.h>

#include <cstring>

#include "dataplane/tcp_tracker.h"

namespace ravelin {
namespace {

constexpr uint32_t kC = 0xfffffff0, kS = 5000;
constexpr auto O = Direction::originator;
constexpr auto R = Direction::responder;
using V = TcpVerdict;
using S = FlowState;

TcpSegment seg(uint16_t flags, uint32_t seq, uint32_t ack, uint32_t len = 0) {
    TcpSegment s;
    s.seq = seq;
    s.ack = ack;
    s.payload_len = len;
    s.window = 1000;
    s.flags = flags;
    return s;
}

Flow established() {
    Flow flow{};
    flow.key.protocol = 6;
    EXPECT_EQ(tcp_track(flow, O, seg(kTcpSyn, kC, 0)), V::new_ok);
    EXPECT_EQ(tcp_track(flow, R, seg(kTcpSyn | kTcpAck, kS, kC + 1)), V::ok);
    EXPECT_EQ(tcp_track(flow, O, seg(kTcpAck, kC + 1, kS + 1)), V::ok);
    return flow;
}

// What a segment from nowhere may do under each setting, in each state it may meet.
TEST(TcpWindowModes, OutsideTheWindow) {
    Flow flow = established();
    const Flow standing = flow;
    const auto outside = [&](TcpWindow window, uint16_t flags) {
        flow = standing;
        return tcp_track(flow, R, seg(flags, kS + 5'000'000, kC + 1, 10), window);
    };
    EXPECT_EQ(outside(TcpWindow::strict, kTcpAck), V::out_of_window);
    EXPECT_EQ(std::memcmp(&flow, &standing, sizeof flow), 0);
    EXPECT_EQ(outside(TcpWindow::loose, kTcpAck), V::ok);
    EXPECT_EQ(flow.state, S::tcp_established);
    EXPECT_EQ(outside(TcpWindow::loose, kTcpAck | kTcpFin), V::ok);
    EXPECT_EQ(flow.state, S::tcp_fin_wait);
    EXPECT_EQ(outside(TcpWindow::loose, kTcpRst), V::out_of_window);
    EXPECT_EQ(outside(TcpWindow::off, kTcpRst), V::ok);
    EXPECT_EQ(flow.state, S::tcp_closed);
    // What is on the way after the reset.
    const Flow closed = flow;
    EXPECT_EQ(tcp_track(flow, O, seg(kTcpAck, kC + 9'000'000, kS + 1), TcpWindow::strict),
              V::out_of_window);
    flow = closed;
    EXPECT_EQ(tcp_track(flow, O, seg(kTcpAck, kC + 9'000'000, kS + 1), TcpWindow::loose), V::ok);
    // Flags and states are checked in any case.
    EXPECT_EQ(outside(TcpWindow::off, kTcpSyn | kTcpFin), V::invalid_flags);
    EXPECT_EQ(outside(TcpWindow::off, kTcpSyn), V::challenge_ack);
}

}  // namespace
}  // namespace ravelin
