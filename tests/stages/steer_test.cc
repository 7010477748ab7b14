// SPDX-License-Identifier: Apache-2.0
// What steering promises: one flow, one worker, whatever form its packets take.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "dataplane/net/packet_text.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

constexpr const char* kConfig = R"(
mode: wire
workers: {count: 4}
ports: [{name: lan, device: "null"}, {name: wan, device: "null"}]
pipeline: [parse, steer, wire]
)";

/// Where a packet went: "wan" is this worker, "worker2" another.
std::string place(StageFixture& stages, const std::string& text) {
    stages.receive("lan", {parse_packet_text(text, {.port = "lan", .port_macs = {}})->frame});
    const auto sent = stages.sent();
    return sent.size() == 1 ? sent[0].port : "nowhere";
}

TEST(Steer, SendsBothDirectionsAndErrorsToOneWorkerAndUsesAll) {
    StageFixture stages(kConfig);
    std::set<std::string> places;
    for (int port = 1; port <= 64; ++port) {
        const std::string a = "10.0.0.1:" + std::to_string(port), b = "192.0.2.7:80";
        const std::string there = place(stages, "tcp " + a + " > " + b + " syn");
        EXPECT_EQ(place(stages, "tcp " + b + " > " + a + " syn,ack"), there);
        EXPECT_EQ(place(stages, "icmp 10.9.9.9 > 10.0.0.1 unreachable/1 quoting (tcp " + a + " > " +
                                    b + ")"),
                  there);
        places.insert(there);
    }
    EXPECT_EQ(places, (std::set<std::string>{"wan", "worker1", "worker2", "worker3"}));
}

TEST(Steer, SendsEchoAndItsReplyToOneWorker) {
    StageFixture stages(kConfig);
    for (int id = 1; id <= 16; ++id) {
        const std::string tail = " id=" + std::to_string(id);
        EXPECT_EQ(place(stages, "icmp 10.0.0.1 > 10.0.0.2 echo-request" + tail),
                  place(stages, "icmp 10.0.0.2 > 10.0.0.1 echo-reply" + tail));
    }
}

TEST(Steer, SendsFragmentsWhereTheirFlowIs) {
    StageFixture stages(kConfig);
    unsigned followed = 0;
    for (int host = 2; host < 60; ++host) {
        const std::string b = "10.0.1." + std::to_string(host);
        const std::string flow = place(stages, "udp 10.0.0.1:7 > " + b + ":9 len=8");
        const std::string first = place(stages, "udp 10.0.0.1:7 > " + b + ":9 mf id=5 len=8");
        const std::string later =
            place(stages, "ip proto=17 10.0.0.1 > " + b + " frag=16 id=5 len=8");
        EXPECT_EQ(first, later) << "they meet at one worker";
        // Where this worker is where they meet, it sends them on to the owner itself.
        followed += first == flow;
    }
    EXPECT_GE(followed, 10u);
}

}  // namespace
}  // namespace ravelin::test
