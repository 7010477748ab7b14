// SPDX-License-Identifier: Apache-2.0
// Every sample packet cut at every byte, and segmented at every byte, in buffers of exact size.
#include <gtest/gtest.h>

#include "dataplane/net/packet_text.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

constexpr const char* kConfig = R"(
mode: wire
ports: [{name: lan, device: "null"}, {name: wan, device: "null"}]
pipeline: [{parse: {complete-checksums: never, verify-checksums: true}}, wire: {ethertypes: {other: accept}}]
)";

constexpr const char* kSamples[] = {
    "tcp 10.0.0.1:1234 > 192.0.2.7:80 syn mss=1460 wscale=7 sack-permitted",
    "vlan=5,7 qinq tcp 10.0.0.1:1234 > 192.0.2.7:80 psh,ack options router-alert len=40",
    "vlan=5 udp [2001:db8::1]:53 > [2001:db8::2]:5353 hbh routing dstopt ah len=30",
    "udp [2001:db8::1]:53 > [2001:db8::2]:5353 mf id=9 len=32",
    "ip proto=17 10.0.0.1 > 10.0.0.2 frag=1480 id=7 len=24",
    "udp 10.0.0.1:53 > 10.0.0.2:5353 len=300",
    "icmp 10.0.0.1 > 10.0.0.2 echo-request id=7 seq=1 len=12",
    "icmp 10.0.0.1 > 10.0.0.2 unreachable/4 mtu=1400 quoting (tcp 10.0.0.2:1 > 10.9.9.9:2 len=8)",
    "icmp6 fd00::1 > fd00::2 packet-too-big mtu=1280 quoting (udp [fd00::2]:1 > [fd00::9]:2)",
    "icmp6 fe80::1 > ff02::1:ff00:2 ns target=fe80::2 lladdr=02:00:00:00:00:09",
    "ip proto=132 10.0.0.1 > 10.0.0.2 len=16",
    "ip proto=47 10.0.0.1 > 10.0.0.2 len=20",
    "arp who-has 10.0.0.1 tell 10.0.0.2",
    "ether=0x88cc len=46",
};

Bytes frame_of(const char* text) {
    auto packet = parse_packet_text(text, {.port = "lan", .port_macs = {}});
    EXPECT_TRUE(packet.ok()) << text;
    return packet->frame;
}

class Samples : public ::testing::TestWithParam<const char*> {};

TEST_P(Samples, PassWhole) {
    StageFixture stages(kConfig);
    stages.receive("lan", {frame_of(GetParam())});
    const auto sent = stages.sent();
    ASSERT_EQ(sent.size(), 1u) << ::testing::PrintToString(stages.drops());
    EXPECT_EQ(sent[0].frame, frame_of(GetParam()));
}

TEST_P(Samples, AreDroppedWhereverTheyAreCut) {
    StageFixture stages(kConfig);
    const Bytes whole = frame_of(GetParam());
    const bool opaque = std::string_view(GetParam()).starts_with("ether=");
    for (size_t n = 0; n < whole.size(); ++n) {
        stages.receive("lan", {Bytes(whole.begin(), whole.begin() + static_cast<long>(n))});
        EXPECT_EQ(stages.sent().size(), opaque && n >= 14 ? 1u : 0u) << "cut at " << n;
    }
}

TEST_P(Samples, PassSegmentedAnywhere) {
    StageFixture stages(kConfig);
    const Bytes whole = frame_of(GetParam());
    for (size_t n = 0; n <= whole.size(); ++n) {
        stages.receive_mbuf("lan", segmented_frame(whole, {n}));
        stages.receive_mbuf("lan", segmented_frame(whole, {n / 2, n}));
        const auto sent = stages.sent();
        ASSERT_EQ(sent.size(), 2u)
            << "segmented at " << n << ::testing::PrintToString(stages.drops());
        EXPECT_EQ(sent[0].frame, whole);
        EXPECT_EQ(sent[1].frame, whole);
    }
}

INSTANTIATE_TEST_SUITE_P(Parse, Samples, ::testing::ValuesIn(kSamples));

TEST(Parse, DropsAChainWhenNoBufferIsLeft) {
    StageFixture stages(kConfig);
    rte_mempool* pool = stages.context().pool;
    rte_mbuf* chained = segmented_frame(frame_of(kSamples[0]), {5});
    std::vector<rte_mbuf*> all;
    while (rte_mbuf* taken = rte_pktmbuf_alloc(pool)) all.push_back(taken);
    stages.receive_mbuf("lan", chained);
    for (rte_mbuf* taken : all) rte_pktmbuf_free(taken);
    EXPECT_EQ(stages.drops(), (std::map<std::string, uint64_t>{{"parse.no_buffer", 1}}));
}

TEST(Parse, LeaksNoBuffer) {
    rte_mempool* pool = test_eal();
    const unsigned before = rte_mempool_avail_count(pool);
    {
        StageFixture stages(kConfig);
        for (const char* sample : kSamples) {
            stages.receive_mbuf("lan", segmented_frame(frame_of(sample), {3, 20}));
            stages.receive("lan", {frame_of(sample)});
        }
    }
    EXPECT_EQ(rte_mempool_avail_count(pool), before);
}

}  // namespace
}  // namespace ravelin::test
