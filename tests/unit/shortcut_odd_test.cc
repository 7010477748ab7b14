// SPDX-License-Identifier: Apache-2.0
// Which packets the shortcut leaves to the pipeline because of one before them, and which packets
// teach it nothing.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "dataplane/handoff.h"
#include "dataplane/shortcut.h"
#include "pipelines/net/parse.h"
#include "tests/support/frame_at.h"
#include "tests/support/small_router.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

class ShortcutBox : public ::testing::Test {
  protected:
    [[nodiscard]] Bytes frame(const std::string& text) const {
        return frame_at(box_.policy(), text);
    }
    void out() { box_.receive("lan", {frame(data_)}); }
    void back() {
        box_.receive("wan", {frame("in=wan udp 203.0.113.7:80 > 10.0.0.20:4000 len=9")});
    }
    /// As when it came by another worker's queue.
    void out_handed_over() {
        rte_mbuf* handed = exact_frame(frame(data_));
        PacketMeta meta;
        meta.in_port = 0;
        ASSERT_EQ(net::parse_frame(Packet(handed), meta, {&box_.policy().ports[0].mac, true}),
                  net::ParseDrop::kNone);
        const int steer = StageRegistry::get().index("steer");
        box_.context().handoff->send(0, handed, meta, static_cast<uint16_t>(steer));
        box_.settle();
    }
    StageFixture box_{small_router()};
    const std::string data_ = "in=lan udp 10.0.0.20:4000 > 203.0.113.7:80 len=9";
};

// Those after it come by that queue as well, and never by the shortcut.
TEST_F(ShortcutBox, WhatWasHandedOverTeachesNothing) {
    out();
    back();
    const uint32_t known = box_.context().shortcut->known();
    box_.settle();  // announcements leave with the first
    (void)box_.sent();
    out_handed_over();
    EXPECT_EQ(box_.sent().size(), 1u) << "it has left";
    EXPECT_EQ(box_.context().shortcut->known(), known);
    out();
    EXPECT_EQ(box_.shortened(), 0u) << "the first that came here";
    EXPECT_EQ(box_.context().shortcut->known(), known + 1);
    out();
    EXPECT_EQ(box_.shortened(), 1u);
}

TEST_F(ShortcutBox, WhatWasLearnedIsLearnedAnewWhenSomebodySaysSo) {
    out();
    back();
    out();
    out();
    ASSERT_EQ(box_.shortened(), 1u);
    box_.context().shortcut->start_anew(box_.context());
    out();
    EXPECT_EQ(box_.shortened(), 1u);
    out();
    EXPECT_EQ(box_.shortened(), 2u);
}

// What stands in front of a packet sends it through the pipeline only if it may be of its flow.
TEST_F(ShortcutBox, OddFramesHoldUpTheirOwn) {
    out();
    back();
    out();
    out();
    const uint64_t before = box_.shortened();
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
        const uint64_t so_far = box_.shortened();
        box_.receive("lan", {frame("in=lan " + odd), frame(data_)});
        EXPECT_EQ(box_.shortened() - so_far, shortened) << odd;
    }
}

}  // namespace
}  // namespace ravelin::test
