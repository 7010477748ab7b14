// SPDX-License-Identifier: Apache-2.0
// Weighted max-min fair shares at a port with a rate (S63), from the frames that a worker hands it
// to what leaves for the wire, each at its time. The clock is turned by hand.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>

#include "tests/unit/paced_link_support.h"

namespace ravelin::test {
namespace {

// 8 Mbit/s are a byte a microsecond: ten frames of 100 wire bytes a millisecond.
constexpr unsigned kFrame = 100 - kOverhead;
constexpr uint64_t kEachUs = 100, kAheadUs = 3 * (1522 + kOverhead);
// What is let ahead of the wire before anybody waits is not shared out.
constexpr size_t kSettled = 500;

std::string address(unsigned net, unsigned host = 1) {
    return fmt::format("10.0.{}.{}", net, host);
}

class PacedSharesTest : public PacedLinkTest {
  protected:
    struct Departure {
        unsigned net, host, number;
        uint64_t us;
    };
    void keep(const std::vector<Sent>& sent, uint64_t us) {
        for (const Sent& one : sent)
            departed_.push_back({host_of(one.frame), one.frame[29], number_of(one.frame), us});
    }
    /// A tick of the wire: what leaves by then. What was sent before leaves now, if it may.
    void turn(uint64_t us) {
        keep(box_->sent(), us);
        keep(at(us * kUs), us);
    }
    /// The wire never rests, and nobody is let further ahead of it than the ring holds: once
    /// frames wait, each leaves at one tick and no other.
    void expect_full_wire() const {
        ASSERT_GT(departed_.size(), kSettled);
        for (size_t i = kSettled; i < departed_.size(); ++i)
            EXPECT_EQ(departed_[i].us, (i * kEachUs - kAheadUs + kEachUs - 1) / kEachUs * kEachUs)
                << i;
    }
    [[nodiscard]] uint64_t count(unsigned net, size_t first, size_t n) const {
        const auto from = departed_.begin() + static_cast<std::ptrdiff_t>(first);
        return static_cast<uint64_t>(
            std::count_if(from, from + static_cast<std::ptrdiff_t>(n),
                          [net](const Departure& one) { return one.net == net; }));
    }
    std::vector<Departure> departed_;
};

// Capacity 10, demands 1, 4, 8 and 8: they get 1, 3, 3 and 3, in every ten frames on the wire.
TEST_F(PacedSharesTest, OneFourEightAndEightGetOneThreeThreeAndThree) {
    constexpr std::array<unsigned, 4> kDemands{1, 4, 8, 8};
    constexpr unsigned kTicks = 4'000;
    start(wire("rate: 8Mbit, queue: 8KB",
               "{name: one, prefixes: 10.0.0.0/24}, {name: four, prefixes: 10.0.1.0/24}, "
               "{name: eight, prefixes: 10.0.2.0/24}, {name: other, prefixes: 10.0.3.0/24}"));
    std::array<unsigned, 4> sent{};
    std::map<unsigned, uint64_t> sent_at;
    for (unsigned tick = 0; tick < kTicks; ++tick) {
        for (unsigned who = 0; who < kDemands.size(); ++who)
            for (; sent[who] * 10 < (tick + 1) * kDemands[who]; ++sent[who]) {
                if (who == 0) sent_at[sent[0]] = tick * kEachUs;
                send(address(who), sent[who], 1, kFrame);
            }
        turn(tick * kEachUs);
    }
    expect_full_wire();
    ASSERT_GT(departed_.size(), kTicks - 10u);
    for (size_t first = kSettled; first + 10 <= departed_.size(); ++first)
        for (unsigned who = 1; who < kDemands.size(); ++who)
            EXPECT_NEAR(static_cast<double>(count(who, first, 10)), 3, 1) << who << " at " << first;
    for (unsigned who = 0; who < kDemands.size(); ++who)
        EXPECT_NEAR(static_cast<double>(count(who, kSettled, 3'000)), who == 0 ? 300 : 900, 3)
            << who;
    std::array<unsigned, 4> next{};
    for (const Departure& one : departed_) {
        EXPECT_GE(one.number, next[one.net]) << "each principal's in order";
        next[one.net] = one.number + 1;
        if (one.net != 0) continue;
        // Who asks for less than its share waits for no queue but one frame of each of the others.
        EXPECT_LE(one.us, sent_at[one.number] + 4 * kEachUs) << one.number;
    }
    EXPECT_EQ(next[0], sent[0] - (sent[0] * 10 == kTicks ? 0 : 1)) << "and loses none";
}

// An organisation of a hundred names, or one name with a hundred flows, gets what one flow gets.
TEST_F(PacedSharesTest, AHundredTimesTheFlowsGainNothing) {
    constexpr unsigned kMany = 100, kTicks = 6'000;
    std::string principals =
        "{name: single, prefixes: 10.0.0.0/24}, {name: crowd, prefixes: 10.0.1.0/24}";
    for (unsigned i = 0; i < kMany; ++i)
        principals += fmt::format(", {{name: org/p{}, prefixes: {}/32}}", i, address(2, i));
    start(wire("rate: 8Mbit, queue: 8KB", principals));
    for (unsigned tick = 0; tick < kTicks; ++tick) {
        send(address(0), 0, 1, kFrame);
        send(address(1), tick % kMany, 1, kFrame);
        send(address(2, tick % kMany), tick, 1, kFrame);
        turn(tick * kEachUs);
    }
    expect_full_wire();
    constexpr size_t kCounted = 4'500;
    ASSERT_GT(departed_.size(), kSettled + kCounted);
    for (unsigned who = 0; who < 3; ++who)
        EXPECT_NEAR(static_cast<double>(count(who, kSettled, kCounted)), kCounted / 3.0, 15) << who;
    std::array<unsigned, kMany> hosts{};
    for (size_t i = kSettled; i < kSettled + kCounted; ++i)
        if (departed_[i].net == 2) ++hosts[departed_[i].host];
    const auto [least, most] = std::minmax_element(hosts.begin(), hosts.end());
    EXPECT_LE(*most - *least, 3u) << "and within it all are alike";
}

}  // namespace
}  // namespace ravelin::test
