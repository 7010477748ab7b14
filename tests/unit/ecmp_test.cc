// SPDX-License-Identifier: Apache-2.0
// Several next hops of a route, packet by packet: which flows move when one of them fails.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "dataplane/net/packet_text.h"
#include "tests/support/frame_at.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

constexpr PortId kTwo = 2;

std::string config_with(const std::string& members) {
    return fmt::format(R"(
ports:
  - {{name: lan, device: 'null', addresses: 10.0.0.1/24}}
  - {{name: one, device: 'null', addresses: 192.0.2.1/24}}
  - {{name: two, device: 'null', addresses: 198.51.100.1/24}}
  - {{name: three, device: 'null', addresses: 203.0.113.1/24}}
pipeline:
  - parse: {{}}
  - steer: {{}}
  - route: {{routes: [{{to: 0.0.0.0/0, next-hops: [{}]}}]}}
  - neighbour:
      static:
        - {{port: one, address: 192.0.2.9, mac: '02:00:00:00:01:09'}}
        - {{port: two, address: 198.51.100.9, mac: '02:00:00:00:02:09'}}
        - {{port: three, address: 203.0.113.9, mac: '02:00:00:00:03:09'}}
  - local: {{}}
  - rewrite: {{}}
)",
                       members);
}

constexpr const char* kThree =
    "{via: 192.0.2.9}, {via: 198.51.100.9, weight: 2}, {via: 203.0.113.9}";
constexpr unsigned kFlows = 1200;

using Ways = std::map<unsigned, std::string>;

/// By which port each of the flows leaves.
Ways ways(StageFixture& box) {
    Ways out;
    for (unsigned flow = 0; flow < kFlows; ++flow) {
        box.receive("lan", {frame_at(box.policy(),
                                     fmt::format("udp 10.0.0.9:{} > 8.8.8.8:53", 1000 + flow))});
        const auto sent = box.sent();
        EXPECT_EQ(sent.size(), 1u);
        out[flow] = sent.empty() ? "" : sent.front().port;
    }
    return out;
}

std::map<std::string, unsigned> shares(const Ways& ways) {
    std::map<std::string, unsigned> out;
    for (const auto& [flow, port] : ways) ++out[port];
    return out;
}

void expect_only_moved_from(const std::string& port, const Ways& before, const Ways& after) {
    for (const auto& [flow, was] : before) {
        if (was == port) {
            EXPECT_NE(after.at(flow), port) << flow;
        } else {
            EXPECT_EQ(after.at(flow), was) << flow;
        }
    }
}

TEST(Ecmp, SpreadsByWeightAndKeepsAFlowOnItsWay) {
    StageFixture box(config_with(kThree));
    box.settle();
    (void)box.sent();
    const Ways first = ways(box);
    EXPECT_EQ(ways(box), first);
    auto by_port = shares(first);
    EXPECT_NEAR(by_port["one"], kFlows / 4, kFlows / 12);
    EXPECT_NEAR(by_port["two"], kFlows / 2, kFlows / 12);
    EXPECT_NEAR(by_port["three"], kFlows / 4, kFlows / 12);
}

TEST(Ecmp, ALinkThatGoesDownMovesItsFlowsAlone) {
    StageFixture box(config_with(kThree));
    box.settle();
    (void)box.sent();
    const Ways before = ways(box);
    box.context().neighbours->set_links_down(1u << kTwo);
    const Ways during = ways(box);
    expect_only_moved_from("two", before, during);
    auto by_port = shares(during);
    EXPECT_NEAR(by_port["one"], kFlows / 2, kFlows / 12);  // what moves is spread over the rest
    box.context().neighbours->set_links_down(0);
    EXPECT_EQ(ways(box), before);
}

TEST(Ecmp, ANextHopTakenFromTheConfigurationMovesItsFlowsAlone) {
    StageFixture box(config_with(kThree));
    box.settle();
    (void)box.sent();
    const Ways before = ways(box);
    box.apply(config_with("{via: 203.0.113.9}, {via: 192.0.2.9}"));
    expect_only_moved_from("two", before, ways(box));
    box.apply(config_with(kThree));
    EXPECT_EQ(ways(box), before);
}

TEST(Ecmp, AGatewayThatStopsAnsweringIsAskedForAndComesBack) {
    StageFixture box(config_with(kThree));
    box.settle();
    (void)box.sent();
    const Ways before = ways(box);
    NeighbourTable& table = *box.context().neighbours;
    table.erase(table.find(kTwo, *IpAddress::parse("198.51.100.9")));
    expect_only_moved_from("two", before, ways(box));
    box.advance(1100);
    const auto asked = box.sent();
    ASSERT_FALSE(asked.empty());
    EXPECT_EQ(asked.front().port, "two");
    EXPECT_NE(describe_frame(asked.front().frame).find("arp who-has 198.51.100.9"),
              std::string::npos);
    box.receive("two", {frame_at(box.policy(),
                                 "in=two arp 198.51.100.9 is-at 02:00:00:00:02:09 to "
                                 "198.51.100.1")});
    (void)box.sent();
    EXPECT_EQ(ways(box), before);
}

}  // namespace
}  // namespace ravelin::test
