// SPDX-License-Identifier: Apache-2.0
// Which packets the shortcut leaves to the pipeline because of one before them.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "dataplane/net/packet_text.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

constexpr const char* kConfig = R"(
ports:
  - {name: lan, device: 'null', addresses: [10.0.0.1/24, "fd00:1::1/64"], mac: '02:00:00:00:aa:01'}
  - {name: wan, device: 'null', addresses: 192.0.2.1/24, mac: '02:00:00:00:aa:02'}
pipeline:
  - parse
  - steer
  - route: {routes: [{to: 0.0.0.0/0, via: 192.0.2.9}]}
  - firewall: {rules: [{name: out, action: accept, in: lan}]}
  - neighbour:
      static:
        - {port: wan, address: 192.0.2.9, mac: '02:00:00:00:01:09'}
        - {port: lan, address: 10.0.0.20, mac: '02:00:00:00:00:20'}
  - local
  - rewrite
)";

// What stands in front of a packet sends it through the pipeline only if it may be of its flow.
TEST(Shortcut, OddFramesHoldUpTheirOwn) {
    StageFixture box(kConfig);
    const auto frame = [&](const std::string& text) {
        const auto& ports = box.policy().ports;
        const auto packet = parse_packet_text(
            text, {.port = "lan", .port_macs = {{"lan", ports[0].mac}, {"wan", ports[1].mac}}});
        EXPECT_TRUE(packet) << text << ": " << packet.error().message;
        return Bytes(packet->frame.begin(), packet->frame.end());
    };
    const std::string data = "in=lan udp 10.0.0.20:4000 > 203.0.113.7:80 len=9";
    box.receive("lan", {frame(data)});
    box.receive("wan", {frame("in=wan udp 203.0.113.7:80 > 10.0.0.20:4000 len=9")});
    box.receive("lan", {frame(data)});
    box.receive("lan", {frame(data)});
    const uint64_t before = box.shortened();
    ASSERT_GT(before, 0u);
    const std::string pair = "10.0.0.20 > 203.0.113.7", other = "10.0.0.21 > 203.0.113.8";
    const std::vector<std::pair<std::string, unsigned>> kinds = {
        {"icmp " + pair + " echo-request id=1 seq=1", 1},
        {"ip proto=17 " + other + " frag=24 id=7 len=8", 1},
        {"ip proto=17 " + pair + " frag=24 id=7 len=8", 0},
        {"udp 10.0.0.20:4001 > 203.0.113.7:80 len=9 options", 0},
        {"tcp 10.0.0.20:4000 > 203.0.113.7:80 syn", 1},
        {"icmp " + other + " unreachable/1 quoting (udp 203.0.113.7:80 > 10.0.0.20:4000)", 0},
        {"icmp " + other + " unreachable/1 quoting (udp 203.0.113.8:80 > 10.0.0.21:4000)", 1},
        {"icmp6 fd00:1::9 > 2001:db8::7 echo-request id=1 seq=1", 1},
        {"icmp6 fd00:1::9 > fd00:1::1 ns target=fd00:1::1", 0},
        {"udp [fd00:1::9]:1 > [2001:db8::7]:1 dstopt len=1", 1},
        {"udp [fd00:1::9]:1 > [2001:db8::7]:1 hbh dstopt len=1", 0},
        {"arp who-has 10.0.0.1 tell 10.0.0.20", 0},
        {"vlan=5 udp 10.0.0.21:1 > 203.0.113.8:1", 1},
        {"vlan=5 udp 10.0.0.20:1 > 203.0.113.7:1", 0},
        {"vlan=5 arp who-has 10.0.0.1 tell 10.0.0.20", 0},
    };
    for (const auto& [odd, shortened] : kinds) {
        const uint64_t so_far = box.shortened();
        box.receive("lan", {frame("in=lan " + odd), frame(data)});
        EXPECT_EQ(box.shortened() - so_far, shortened) << odd;
    }
}

}  // namespace
}  // namespace ravelin::test
