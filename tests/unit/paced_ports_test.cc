// SPDX-License-Identifier: Apache-2.0
// Whose frames wait at ports with a rate, by whichever way they come: the pipeline, the shortcut,
// another worker, a sub-interface, a tunnel, the box itself. On one worker and on four.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>

#include "dataplane/charge.h"
#include "dataplane/paced_ports.h"
#include "dataplane/transmitter.h"
#include "tests/support/box_test.h"

namespace ravelin::test {
namespace {

constexpr unsigned kRounds = 200;  // of 100 ms: until everything has left

std::string router(const std::string& wan_rate, const std::string& more_ports = "",
                   const std::string& more_neighbours = "") {
    return fmt::format(R"(
principals: [{{name: a, prefixes: 10.0.0.0/25}}, {{name: b, prefixes: 10.0.0.128/25}}]
ports:
  - {{name: lan, device: 'null', addresses: 10.0.0.1/24, mac: '02:00:00:00:aa:01'}}
  - {{name: wan, device: 'null', addresses: 192.0.2.1/24, mac: '02:00:00:00:aa:02'{}{}}}
{}
pipeline:
  - parse
  - steer
  - route: {{routes: [{{to: 198.51.100.0/24, via: 192.0.2.9}}]}}
  - firewall: {{rules: [{{name: all, action: accept}}]}}
  - classify
  - vxlan
  - neighbour:
      static:
        - {{port: wan, address: 192.0.2.9, mac: '02:00:00:00:01:09'}}
        - {{port: lan, address: 10.0.0.20, mac: '02:00:00:00:00:20'}}
        - {{port: lan, address: 10.0.0.200, mac: '02:00:00:00:02:00'}}
{}
  - local
  - rewrite
)",
                       wan_rate.empty() ? "" : ", rate: ", wan_rate, more_ports, more_neighbours);
}

class PacedPortsTest : public BoxTest {
  protected:
    [[nodiscard]] const PacedLink& link(const std::string& port) const {
        const auto& ports = box_->policy().ports;
        const auto found = std::ranges::find(ports, port, &PortPolicy::name);
        return *box_->policy().paced->link(static_cast<PortId>(found - ports.begin()));
    }
    [[nodiscard]] uint64_t sent_for(const std::string& port, const std::string& principal) const {
        const auto id = box_->policy().principals->table.find(principal);
        return link(port).usage().get(id, sched::Use::kPackets);
    }
    [[nodiscard]] uint64_t own_frames(const std::string& port) const {
        return link(port).usage().get(kBoxFrames, sched::Use::kPackets) - announced_;
    }
    /// As BoxTest, with the box's own announcements by `port` out of the way.
    void start_announced(const std::string& yaml, const std::string& port) {
        start(yaml);
        (void)drain(port);
        announced_ += own_frames(port);
    }
    /// Until nothing waits any more; all that left.
    std::vector<Sent> drain(const std::string& port) {
        std::vector<Sent> out = box_->sent();
        for (unsigned i = 0; i < kRounds; ++i) {
            box_->advance(100);
            for (Sent& sent : box_->sent()) out.push_back(std::move(sent));
            if (link(port).waiting() == 0) return out;
        }
        ADD_FAILURE() << link(port).waiting() << " frames still wait";
        return out;
    }
    uint64_t announced_ = 0;
};

TEST_F(PacedPortsTest, FlowsOfAllWorkersShareOneLinkInOrder) {
    start(router("10Mbit"));
    constexpr unsigned kFlows = 16, kPackets = 8;
    std::vector<std::string> texts;
    for (unsigned n = 0; n < kPackets; ++n)
        for (unsigned flow = 0; flow < kFlows; ++flow)
            texts.push_back(fmt::format("udp 10.0.0.{}:{} > 198.51.100.7:53 data=p{:02}{}",
                                        flow % 2 == 0 ? 20 : 200, 1000 + flow, n,
                                        std::string(60, '.')));
    std::vector<Sent> left = in("lan", texts);
    for (Sent& sent : drain("wan")) left.push_back(std::move(sent));
    ASSERT_EQ(left.size(), kFlows * kPackets);
    std::map<unsigned, unsigned> next;  // by source port: the next packet of its flow
    for (const auto& [port, bytes] : left) {
        EXPECT_EQ(port, "wan");
        const unsigned flow = bytes[34] * 256u + bytes[35];
        EXPECT_EQ(std::string(bytes.begin() + 42, bytes.begin() + 45),
                  fmt::format("p{:02}", next[flow]++));
    }
    EXPECT_EQ(sent_for("wan", "a"), kFlows / 2 * kPackets);
    EXPECT_EQ(sent_for("wan", "b"), kFlows / 2 * kPackets);
    EXPECT_TRUE(box_->drops().empty());
    expect_no_buffer_in_use();
}

TEST_F(PacedPortsTest, TheWholeDuplexIsChargedToWhoOpenedTheFlow) {
    start_announced(router("10Mbit"), "wan");
    for (unsigned i = 0; i < 10; ++i) {  // from the third on by the shortcut, where there is one
        in("lan", "udp 10.0.0.200:1000 > 198.51.100.7:53");
        in("wan", "udp 198.51.100.7:53 > 10.0.0.200:1000");
    }
    (void)drain("wan");
    EXPECT_EQ(sent_for("wan", "b"), 10u);
    EXPECT_EQ(sent_for("wan", "a"), 0u);
    // What comes from outside is opened by nobody who has a name.
    in("wan", "udp 198.51.100.8:5 > 10.0.0.20:6");
    in("lan", "udp 10.0.0.20:6 > 198.51.100.8:5");
    (void)drain("wan");
    EXPECT_EQ(sent_for("wan", "core"), 1u);
}

TEST_F(PacedPortsTest, TheBoxesOwnFramesHaveAQueueOfTheirOwn) {
    start_announced(router("10Mbit"), "wan");
    in("wan", "icmp 192.0.2.9 > 192.0.2.1 echo-request id=1 seq=1");
    in("wan", "arp who-has 192.0.2.1 tell 192.0.2.9");
    in("wan", "udp 192.0.2.9:5 > 203.0.113.1:6");  // no route: told so
    EXPECT_EQ(drain("wan").size(), 3u);
    EXPECT_EQ(own_frames("wan"), 3u);
}

TEST_F(PacedPortsTest, PiecesAndHeldPacketsKeepWhoPays) {
    start_announced(router("10Mbit, mtu: 1300B"), "wan");
    in("lan", "udp 10.0.0.20:1 > 198.51.100.7:2 len=1400");
    (void)drain("wan");
    const uint64_t before = sent_for("wan", "a");
    EXPECT_EQ(before, 2u) << "two pieces";
    in("lan", "udp 10.0.0.20:1 > 192.0.2.77:2");  // nobody's MAC yet: the box asks
    (void)drain("wan");
    EXPECT_EQ(sent_for("wan", "a"), before);
    EXPECT_EQ(own_frames("wan"), 1u);
    in("wan", "arp 192.0.2.77 is-at 02:00:00:00:00:77 to 192.0.2.1");
    (void)drain("wan");
    EXPECT_EQ(sent_for("wan", "a"), before + 1);
}

TEST_F(PacedPortsTest, SubInterfacesPaceOnTheirParent) {
    start(router("",
                 "  - {name: far, device: 'null', rate: 10Mbit}\n"
                 "  - {name: far.5, parent: far, vlan: 5, addresses: 10.5.0.1/24}\n",
                 "        - {port: far.5, address: 10.5.0.9, mac: '02:00:00:00:05:09'}\n"));
    const auto left =
        in("lan", std::vector<std::string>(20, "udp 10.0.0.20:1 > 10.5.0.9:2 len=1400"));
    EXPECT_LT(left.size(), 20u);
    EXPECT_GT(link("far").waiting(), 0u);
    for (const Sent& sent : drain("far")) {
        EXPECT_EQ(sent.port, "far");
        EXPECT_EQ(sent.frame[12] * 256 + sent.frame[13], 0x8100);
    }
    EXPECT_EQ(sent_for("far", "a"), 20u);
    expect_no_buffer_in_use();
}

TEST_F(PacedPortsTest, TunnelsPaceOnThePortTheyLeaveBy) {
    start(router("10Mbit",
                 "  - name: vx\n    addresses: 10.7.0.1/24\n    vxlan:\n"
                 "      {vni: 7, local: 192.0.2.1, remotes: [{address: 192.0.2.9}]}\n",
                 "        - {port: vx, address: 10.7.0.9, mac: '02:00:00:00:07:09'}\n"));
    in("lan", "udp 10.0.0.200:1 > 10.7.0.9:2");
    EXPECT_EQ(drain("wan").size(), 1u);
    EXPECT_EQ(sent_for("wan", "b"), 1u) << "as what is inside";
}

TEST_F(PacedPortsTest, ARateComesAndGoesUnderTraffic) {
    start(router(""));
    EXPECT_EQ(in("lan", std::vector<std::string>{"udp 10.0.0.20:1 > 198.51.100.7:2"}).size(), 1u);
    size_t gave = 1, left = 1;
    for (const char* rate : {"1Mbit", "2Mbit", "", "10Mbit", ""}) {
        box_->apply(router(rate));
        std::vector<std::string> texts;
        for (unsigned i = 0; i < 60; ++i)
            texts.push_back(
                fmt::format("udp 10.0.0.{}:{} > 198.51.100.7:2 len=1000", 20 + i % 9, i + 1));
        left += in("lan", texts).size();
        gave += texts.size();
        box_->advance(100);
        left += box_->sent().size();
    }
    uint64_t dropped = 0;
    for (const auto& [name, n] : box_->drops()) {
        EXPECT_TRUE(name.starts_with("link.")) << name;
        dropped += n;
    }
    EXPECT_EQ(left + dropped, gave);
    EXPECT_GT(box_->drops().at("link.withdrawn"), 0u);
    expect_no_buffer_in_use();
}

TEST_F(PacedPortsTest, LongQueuesNeverTakeAllBuffers) {
    start(router("64Kbit"));
    for (unsigned round = 0; round < 20; ++round) {
        std::vector<std::string> texts;
        for (unsigned i = 0; i < 200; ++i)
            texts.push_back(
                fmt::format("udp 10.0.0.{}:{} > 198.51.100.7:2", i % 2 == 0 ? 20 : 200, i + 1));
        in("lan", texts);
    }
    EXPECT_LE(link("wan").waiting(), link("wan").plan().frames);
    EXPECT_GT(box_->drops().at("link.pool_full"), 0u);
    box_->apply(router(""));
    box_->settle();
    (void)box_->sent();
    expect_no_buffer_in_use();
}

}  // namespace
}  // namespace ravelin::test
