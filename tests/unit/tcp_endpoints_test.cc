// SPDX-License-Identifier: Apache-2.0
// Property: two honest ends over a network that loses and reorders, on both sides of the tracker,
// never have a segment refused; and the connection ends in TIME-WAIT.
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>

#include "dataplane/tcp_tracker.h"

namespace ravelin {
namespace {

constexpr uint32_t kTotal = 60'000;  // bytes each way
constexpr int kReorder = 3;          // a segment is overtaken this often at most

struct Wire {
    struct Item {
        TcpSegment segment;
        int overtaken = 0;
    };
    std::deque<Item> items;

    bool take(std::mt19937& random, TcpSegment& out) {
        if (items.empty()) return false;
        size_t pick = 0;
        if (items.front().overtaken < kReorder) pick = random() % std::min<size_t>(items.size(), 4);
        for (size_t i = 0; i < pick; ++i) ++items[i].overtaken;
        out = items[pick].segment;
        items.erase(items.begin() + static_cast<std::ptrdiff_t>(pick));
        return random() % 20 != 0;  // lost otherwise
    }
};

/// Offsets count from the SYN: data 1..kTotal, FIN at kTotal + 1.
struct Endpoint {
    uint32_t isn, peer_isn;
    uint8_t scale;
    uint32_t window, mss;
    uint32_t una = 1, next = 1, limit = 1;  // of what it sends
    uint32_t received = 1, promised = 1;    // of what it gets
    std::set<uint32_t> early{};             // starts of segments beyond a gap, mss apart

    TcpSegment make(uint32_t offset, uint32_t length, std::mt19937& random) {
        // The right edge never moves back (RFC 9293 section 3.8.6).
        const uint32_t offer = static_cast<uint32_t>(random()) % (window + 1);
        promised = std::max(promised, received + offer);
        const uint32_t raw = (promised - received) >> scale;
        TcpSegment s{.seq = isn + offset,
                     .ack = peer_isn + received,
                     .payload_len = length,
                     .window = static_cast<uint16_t>(raw),
                     .flags = kTcpAck};
        if (offset + length == kTotal + 1 && (length > 0 || next == kTotal + 2)) s.flags |= kTcpFin;
        return s;
    }
    /// Next new segment, a retransmission, a keep-alive or an acknowledgment.
    TcpSegment speak(std::mt19937& random) {
        const auto dice = static_cast<unsigned>(random() % 10);
        const uint32_t length = std::min(mss, kTotal + 1 - std::min(next, kTotal + 1));
        if (dice < 6 && length > 0 && next + length <= limit) {
            const TcpSegment s = make(next, length, random);
            next = s.end() - isn;
            return s;
        }
        if (dice < 8 && una < next) {
            const uint32_t again = std::min(mss, kTotal + 1 - std::min(una, kTotal + 1));
            return make(una, again, random);
        }
        if (dice == 8 && una == next) return make(next - 1, 0, random);
        return make(next, 0, random);
    }
    void hear(const TcpSegment& s) {
        const uint32_t acked = s.ack - isn;
        una = std::max(una, acked);
        const uint32_t peer_scale = peer_shift;
        limit = std::max(limit, acked + (uint32_t{s.window} << peer_scale));
        const uint32_t start = s.seq - peer_isn;
        if (s.end() != s.seq && start >= received) early.insert(start);
        while (early.erase(received) != 0) {
            const uint32_t data = std::min(peer_mss, kTotal + 1 - std::min(received, kTotal + 1));
            received += data;
            if (received == kTotal + 1) ++received;  // the FIN comes with the last byte
        }
    }
    uint32_t peer_mss = 0;
    uint8_t peer_shift = 0;
    [[nodiscard]] bool done() const { return una == kTotal + 2 && received == kTotal + 2; }
};

class TcpEndpoints : public testing::TestWithParam<unsigned> {};

TEST_P(TcpEndpoints, NoHonestSegmentIsRefused) {
    std::mt19937 random(GetParam());
    const auto scale = static_cast<uint8_t>(GetParam() % 4 * 2);
    const uint32_t mss = 200 + static_cast<uint32_t>(random()) % 1000;
    const auto c_isn = static_cast<uint32_t>(GetParam() % 2 == 0 ? random() : 0xffffff00u);
    const auto s_isn = static_cast<uint32_t>(random());
    std::array<Endpoint, 2> ends = {
        Endpoint{.isn = c_isn, .peer_isn = s_isn, .scale = scale, .window = 10 * mss, .mss = mss},
        Endpoint{.isn = s_isn, .peer_isn = c_isn, .scale = scale, .window = 30 * mss, .mss = mss}};
    for (unsigned i : {0u, 1u}) {
        ends[i].peer_mss = mss;
        ends[i].peer_shift = scale;
        ends[i].limit = 1 + ends[1 - i].window;
        ends[i].promised = 1 + ends[i].window;
    }
    Flow flow{};
    flow.key.protocol = 6;
    const auto shift = static_cast<int8_t>(scale);
    const auto w0 = static_cast<uint16_t>(ends[0].window);
    const auto w1 = static_cast<uint16_t>(ends[1].window);
    tcp_track(flow, Direction::originator,
              {.seq = c_isn, .window = w0, .flags = kTcpSyn, .wscale = shift});
    tcp_track(flow, Direction::responder,
              {.seq = s_isn,
               .ack = c_isn + 1,
               .window = w1,
               .flags = kTcpSyn | kTcpAck,
               .wscale = shift});
    tcp_track(flow, Direction::originator, {.seq = c_isn + 1, .ack = s_isn + 1, .flags = kTcpAck});
    ASSERT_EQ(flow.state, FlowState::tcp_established);

    std::array<Wire, 2> before;  // sender to tracker
    std::array<Wire, 2> behind;  // tracker to receiver
    unsigned passed = 0;
    for (unsigned step = 0; step < 400'000; ++step) {
        if (flow.state == FlowState::tcp_time_wait && ends[0].done() && ends[1].done()) break;
        const unsigned i = random() % 2;
        TcpSegment s;
        if (before[i].items.size() < 8) before[i].items.push_back({ends[i].speak(random)});
        if (before[i].take(random, s)) {
            const TcpVerdict v = tcp_track(flow, static_cast<Direction>(i), s);
            ASSERT_EQ(v, TcpVerdict::ok) << "step " << step << " side " << i;
            ++passed;
            behind[i].items.push_back({s});
        }
        if (behind[i].take(random, s)) ends[1 - i].hear(s);
    }
    EXPECT_TRUE(ends[0].done() && ends[1].done());
    EXPECT_EQ(flow.state, FlowState::tcp_time_wait);
    EXPECT_GT(passed, 100u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, TcpEndpoints, testing::Range(0u, 100u));

}  // namespace
}  // namespace ravelin
