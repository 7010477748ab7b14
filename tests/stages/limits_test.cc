// SPDX-License-Identifier: Apache-2.0
// Limits, each reached on every worker. Those of rates, fragments and flows are a worker's own, so
// a box of four has four times as much; neighbours are worker 0's for the whole box. The flow
// table's are in tests/unit/firewall_test.cc.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "dataplane/neighbour_table.h"
#include "pipelines/stages/neighbour.h"
#include "pipelines/stages/steer_fragments.h"
#include "tests/support/box_test.h"

namespace ravelin::test {
namespace {

using ::testing::Each;
using ::testing::Gt;

constexpr const char* kRouter = R"(
ports:
  - {name: lan, device: "null", addresses: [10.0.0.1/24, "2001:db8::1/64"]}
  - {name: wan, device: "null", addresses: [172.16.0.1/20]}
pipeline:
  - parse
  - steer
  - route: {routes: [{to: 10.1.0.0/16, via: 10.0.0.2}, {to: "2001:db8:1::/48", via: "2001:db8::2"}]}
  - neighbour:
      static:
        - {port: lan, address: 10.0.0.2, mac: "02:00:00:00:00:22"}
        - {port: lan, address: "2001:db8::2", mac: "02:00:00:00:00:22"}
  - local: {ping-rate: 50pps}
  - rewrite: {icmp-rate: 100pps}
)";
constexpr const char* kWire = R"(
mode: wire
ports: [{name: lan, device: "null"}, {name: wan, device: "null"}]
pipeline: [parse, steer, wire]
)";

class Limits : public BoxTest {
  protected:
    /// Offers `n` packets, number i as `text(i)`; returns what left.
    template <typename Text>
    std::vector<Sent> offer(unsigned n, Text&& text) {
        std::vector<std::string> texts;
        for (unsigned i = 0; i < n; ++i) texts.push_back(text(i));
        return in("lan", texts);
    }
    /// Who counted how many more since.
    [[nodiscard]] std::vector<uint64_t> since(const std::vector<uint64_t>& before,
                                              const std::string& counter) const {
        auto now = box_->per_worker(counter);
        for (size_t w = 0; w < now.size(); ++w) now[w] -= before[w];
        return now;
    }
};

constexpr unsigned kOffered = 400;  // far more than four workers may answer at once

std::string expired4(unsigned i) {
    return fmt::format("udp 10.1.{}.{}:{} > 10.1.9.9:53 ttl=1", i / 200, i % 200 + 1, 1000 + i);
}
std::string expired6(unsigned i) {
    return fmt::format("udp [2001:db8:1::{:x}]:{} > [2001:db8:1:9::9]:53 ttl=1", i + 1, 1000 + i);
}

// `icmp-rate: 100pps` is ten at once, then one in 10 ms, of each worker.
TEST_F(Limits, IcmpErrorsAreRateLimitedOnEachWorker) {
    start(kRouter);
    for (const auto text : {expired4, expired6}) {
        box_->advance(1000);
        for (const unsigned round : {1, 2}) {
            const auto sent = box_->per_worker("rewrite.icmp_sent"),
                       limited = box_->per_worker("rewrite.icmp_limited");
            EXPECT_EQ(offer(kOffered, text).size(), 10u * workers()) << "round " << round;
            EXPECT_EQ(since(sent, "rewrite.icmp_sent"), on_each(10));
            EXPECT_THAT(since(limited, "rewrite.icmp_limited"), Each(Gt(0u)));
            box_->advance(100);
        }
    }
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"rewrite.ttl", 4 * kOffered}}));
    EXPECT_EQ(box_->counter("rewrite.icmp_sent") + box_->counter("rewrite.icmp_limited"),
              4u * kOffered);
    expect_no_buffer_in_use();
}

// A sender is told at most six times at once, by each worker that its flows are on.
TEST_F(Limits, OneSenderDoesNotUseUpAllIcmpErrors) {
    start(kRouter);
    const auto one = [](unsigned i) {
        return fmt::format("udp 10.1.0.1:{} > 10.1.9.9:53 ttl=1", 1000 + i);
    };
    EXPECT_EQ(offer(kOffered, one).size(), 6u * workers());
    EXPECT_EQ(box_->per_worker("rewrite.icmp_sent"), on_each(6));
    EXPECT_EQ(offer(kOffered, expired4).size(), 4u * workers()) << "others get what is left";
}

// `ping-rate: 50pps` is a tenth of a second's and eight at once.
TEST_F(Limits, PingsAreRateLimitedOnEachWorker) {
    start(kRouter);
    const auto ping = [](unsigned i) {
        return fmt::format("icmp 10.1.0.1 > 10.0.0.1 echo-request id={}", i);
    };
    EXPECT_EQ(offer(kOffered, ping).size(), 13u * workers());
    EXPECT_EQ(box_->per_worker("local.echo_replies"), on_each(13));
    EXPECT_THAT(box_->per_worker("drop.local.ping_rate"), Each(Gt(0u)));
    EXPECT_EQ(box_->drops(),
              (std::map<std::string, uint64_t>{{"local.ping_rate", kOffered - 13 * workers()}}));
}

// Packets of many flows, so of all workers, to one neighbour nobody knows.
TEST_F(Limits, AFewPacketsWaitForANeighbourAndLeaveWhenItAnswers) {
    start(kRouter);
    const auto to_one = [](unsigned i) {
        return fmt::format("udp 10.1.0.1:{} > 172.16.0.9:53", 1000 + i);
    };
    const auto asked = offer(100, to_one);
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_THAT(describe_frame(asked[0].frame), ::testing::HasSubstr("who-has 172.16.0.9"));
    constexpr unsigned kHeld = NeighbourTable::kHeldPerNeighbour;
    EXPECT_EQ(box_->counter("rewrite.held"), kHeld);
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"rewrite.hold_full", 100 - kHeld}}));
    in("wan", "src-mac=02:00:00:00:09:09 arp 172.16.0.9 is-at 02:00:00:00:09:09 to 172.16.0.1");
    EXPECT_EQ(box_->sent().size(), kHeld);
    EXPECT_EQ(offer(100, to_one).size(), 100u);
    EXPECT_THAT(box_->per_worker("port.wan.tx_packets"), Each(Gt(0u)));
    expect_no_buffer_in_use();
}

TEST_F(Limits, WaitingForNeighboursIsBoundedForTheWholeBox) {
    start(kRouter);
    constexpr unsigned kHeld = NeighbourTable::kHeldFrames;
    constexpr unsigned kAsked = neighbour_timing::kMaxUnresolved, kMore = 200;
    const auto scan = [](unsigned i) {
        return fmt::format("udp 10.1.0.1:{} > 172.16.{}.{}:53", 1000 + i, 1 + i / 200, 1 + i % 200);
    };
    EXPECT_EQ(offer(kAsked + kMore, scan).size(), kAsked) << "one question about each";
    EXPECT_EQ(box_->drops(),
              (std::map<std::string, uint64_t>{{"rewrite.hold_full", kAsked - kHeld},
                                               {"rewrite.too_many_unresolved", kMore}}));
    EXPECT_EQ(box_->counter("rewrite.held"), kHeld);
    box_->advance(20'000);
    EXPECT_EQ(box_->counter("drop.neighbour.unresolved"), kHeld);
    (void)box_->sent();
    expect_no_buffer_in_use();
    EXPECT_EQ(offer(kMore, scan).size(), kMore) << "who gave up asks again";
}

// Of another source each.
std::string later_fragment(unsigned i) {
    return fmt::format("ip proto=17 10.{}.{}.{} > 192.0.2.7 mf frag=24 id=5 len=8", i / 40'000 + 2,
                       i / 200 % 200, i % 200 + 1);
}
std::string first_fragment(unsigned i) {
    return fmt::format("udp 10.{}.{}.{}:1 > 192.0.2.7:2 mf id=5 len=16", i / 40'000 + 2,
                       i / 200 % 200, i % 200 + 1);
}

TEST_F(Limits, FragmentsAreHeldUpToABoundOnEachWorkerAndTheOldestGo) {
    start(kWire);
    unsigned held = 0;
    box_->on_workers([&](WorkerContext& context, Pipeline&) {
        held = FragmentTable::held_limit(context.pool->size, workers());
    });
    const unsigned offered = 3 * FragmentTable::kMostHeld * workers();
    EXPECT_TRUE(offer(offered, later_fragment).empty());
    EXPECT_EQ(rte_mempool_in_use_count(test_eal()), held * workers());
    auto drops = box_->drops();
    EXPECT_EQ(drops["steer.fragment_table_full"] + drops["steer.fragment_source_share"],
              offered - held * workers());
    box_->advance(40'000);
    EXPECT_EQ(box_->per_worker("drop.steer.fragment_timeout"), on_each(held));
    expect_no_buffer_in_use();
}

TEST_F(Limits, DatagramsInFragmentsAreFollowedUpToABoundOnEachWorkerAndTheOldestGo) {
    start(kWire);
    const unsigned offered = 2 * FragmentTable::kDatagrams * workers();
    const size_t passed = offer(offered, first_fragment).size();
    EXPECT_GE(passed, size_t{FragmentTable::kDatagrams} * workers());
    EXPECT_EQ(box_->counter("drop.steer.fragment_table_full") + passed, offered);
    EXPECT_THAT(box_->per_worker("steer.fragments_given_up"), Each(Gt(0u))) << "some find room";
    box_->advance(1);
    EXPECT_EQ(offer(1, [](unsigned) { return first_fragment(39'999); }).size(), 1u);
    expect_no_buffer_in_use();
}

}  // namespace
}  // namespace ravelin::test
