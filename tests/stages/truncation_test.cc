// SPDX-License-Identifier: Apache-2.0
// Every sample packet cut at every byte, and segmented at every byte, in buffers of exact size. The
// box follows fragments, so each packet of a sample is of another datagram.
#include <gtest/gtest.h>

#include "tests/support/box_test.h"

namespace ravelin::test {
namespace {

constexpr const char* kConfig = R"(
mode: wire
ports: [{name: lan, device: "null"}, {name: wan, device: "null"}]
pipeline: [{parse: {complete-checksums: never, verify-checksums: true}}, steer, wire: {ethertypes: {other: accept}}]
)";

constexpr const char* kSamples[] = {
    "tcp 10.0.0.1:1234 > 192.0.2.7:80 syn mss=1460 wscale=7 sack-permitted",
    "vlan=5,7 qinq tcp 10.0.0.1:1234 > 192.0.2.7:80 psh,ack options router-alert len=40",
    "vlan=5 udp [2001:db8::1]:53 > [2001:db8::2]:5353 hbh routing dstopt ah len=30",
    "udp [2001:db8::1]:53 > [2001:db8::2]:5353 mf id=# len=32",
    "ip proto=17 10.0.0.1 > 10.0.0.2 frag=1480 id=# len=24",
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

constexpr const char* kFirstFragment = "udp 10.0.0.1:1 > 10.0.0.2:2 mf id=# len=1472";

class Parse : public BoxTest {
  protected:
    Parse() { start(kConfig); }
    /// Of datagram `id`, where `text` has a fragment.
    [[nodiscard]] Bytes frame_of(std::string text, size_t id = 1) const {
        if (const size_t at = text.find('#'); at != std::string::npos)
            text.replace(at, 1, std::to_string(id));
        return frame(text);
    }
};

class Samples : public Parse, public ::testing::WithParamInterface<const char*> {
  protected:
    /// The sample; what a later fragment has to follow is behind it already.
    Bytes next(size_t id) {
        if (std::string_view(GetParam()).find("frag=") != std::string_view::npos) {
            box_->receive("lan", {frame_of(kFirstFragment, id)});
            EXPECT_EQ(box_->sent().size(), 1u) << ::testing::PrintToString(box_->drops());
        }
        return frame_of(GetParam(), id);
    }
    void expect_passes(size_t id, const std::vector<size_t>& cuts) {
        const Bytes whole = next(id);
        box_->receive_mbuf("lan", segmented_frame(whole, cuts));
        const auto sent = box_->sent();
        ASSERT_EQ(sent.size(), 1u) << ::testing::PrintToString(box_->drops());
        EXPECT_EQ(sent[0].frame, whole);
    }
};

TEST_P(Samples, PassWhole) { expect_passes(1, {}); }

TEST_P(Samples, AreDroppedWhereverTheyAreCut) {
    const Bytes whole = frame_of(GetParam());
    const bool opaque = std::string_view(GetParam()).starts_with("ether=");
    for (size_t n = 0; n < whole.size(); ++n) {
        box_->receive("lan", {Bytes(whole.begin(), whole.begin() + static_cast<long>(n))});
        EXPECT_EQ(box_->sent().size(), opaque && n >= 14 ? 1u : 0u) << "cut at " << n;
    }
}

TEST_P(Samples, PassSegmentedAnywhere) {
    const size_t length = frame_of(GetParam()).size();
    for (size_t n = 0; n <= length; ++n) {
        SCOPED_TRACE("segmented at " + std::to_string(n));
        expect_passes(2 * n + 1, {n});
        expect_passes(2 * n + 2, {n / 2, n});
    }
}

INSTANTIATE_TEST_SUITE_P(Parse, Samples, ::testing::ValuesIn(kSamples));

TEST_F(Parse, DropsAChainWhenNoBufferIsLeft) {
    rte_mbuf* chained = segmented_frame(frame_of(kSamples[0]), {5});
    std::vector<rte_mbuf*> all;
    box_->on_workers([&](WorkerContext& context, Pipeline&) {
        while (rte_mbuf* taken = rte_pktmbuf_alloc(context.pool)) all.push_back(taken);
    });
    box_->receive_mbuf("lan", chained);
    for (rte_mbuf* taken : all) rte_pktmbuf_free(taken);
    EXPECT_EQ(box_->drops(), (std::map<std::string, uint64_t>{{"parse.no_buffer", 1}}));
}

TEST_F(Parse, LeaksNoBuffer) {
    for (const char* sample : kSamples) {
        box_->receive_mbuf("lan", segmented_frame(frame_of(sample, 1), {3, 20}));
        box_->receive("lan", {frame_of(sample, 2)});
    }
    box_->advance(40'000);  // fragments that wait for others are given up
    (void)box_->sent();
    expect_no_buffer_in_use();
}

}  // namespace
}  // namespace ravelin::test
