// SPDX-License-Identifier: Apache-2.0
// What steering promises: one flow, one worker, whatever form its packets take. One worker's box
// plays the first of four and shows what it would give to the others; a box of four has them all.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/box_test.h"

namespace ravelin::test {
namespace {

constexpr const char* kConfig = R"(
mode: wire
workers: {count: 4}
ports: [{name: lan, device: "null"}, {name: wan, device: "null"}]
pipeline: [parse, steer, wire]
)";
constexpr int kNowhere = -1;

class Steer : public BoxTest {
  protected:
    /// The worker that a packet got to.
    int place(const std::string& text) {
        const auto before = box_->per_worker("port.wan.tx_packets");
        in("lan", text);
        const auto sent = box_->sent();
        const auto after = box_->per_worker("port.wan.tx_packets");
        if (sent.size() != 1) return kNowhere;
        constexpr std::string_view kOther = "worker";
        if (sent[0].port.starts_with(kOther)) return std::stoi(sent[0].port.substr(kOther.size()));
        const auto [was, is] = std::ranges::mismatch(before, after);
        return is == after.end() ? kNowhere : static_cast<int>(is - after.begin());
    }
};

TEST_F(Steer, SendsBothDirectionsAndErrorsToOneWorkerAndUsesAll) {
    start(kConfig);
    std::set<int> places;
    for (int port = 1; port <= 64; ++port) {
        const std::string a = "10.0.0.1:" + std::to_string(port), b = "192.0.2.7:80";
        const int there = place("tcp " + a + " > " + b + " syn");
        EXPECT_EQ(place("tcp " + b + " > " + a + " syn,ack"), there);
        EXPECT_EQ(
            place("icmp 10.9.9.9 > 10.0.0.1 unreachable/1 quoting (tcp " + a + " > " + b + ")"),
            there);
        places.insert(there);
    }
    EXPECT_EQ(places, (std::set{0, 1, 2, 3}));
}

TEST_F(Steer, SendsEchoAndItsReplyToOneWorker) {
    start(kConfig);
    for (int id = 1; id <= 16; ++id) {
        const std::string tail = " id=" + std::to_string(id);
        const int there = place("icmp 10.0.0.1 > 10.0.0.2 echo-request" + tail);
        EXPECT_NE(there, kNowhere);
        EXPECT_EQ(place("icmp 10.0.0.2 > 10.0.0.1 echo-reply" + tail), there);
    }
}

TEST_F(Steer, SendsFragmentsWhereTheirFlowIs) {
    start(kConfig);
    unsigned followed = 0;
    for (int host = 2; host < 60; ++host) {
        const std::string b = "10.0.1." + std::to_string(host);
        const int flow = place("udp 10.0.0.1:7 > " + b + ":9 len=8");
        const int first = place("udp 10.0.0.1:7 > " + b + ":9 mf id=5 len=8");
        const int later = place("ip proto=17 10.0.0.1 > " + b + " frag=16 id=5 len=8");
        EXPECT_NE(flow, kNowhere);
        EXPECT_EQ(first, later) << "they meet at one worker";
        followed += first == flow ? 1 : 0;
    }
    // The first of four alone shows only those that meet with it; the rest it has sent to meet.
    if (workers() == 1)
        EXPECT_GE(followed, 10u);
    else
        EXPECT_EQ(followed, 58u);
}

}  // namespace
}  // namespace ravelin::test
