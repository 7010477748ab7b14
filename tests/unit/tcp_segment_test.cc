// SPDX-License-Identifier: Apache-2.0
// Numbers of TCP segments shifted where they lie, at odd offsets too, with checksums that stay
// right, or wrong.
#include "pipelines/net/tcp_segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/net/packet_text.h"
#include "pipelines/net/checksum.h"
#include "pipelines/net/parse.h"
#include "tests/support/frames.h"

namespace ravelin {
namespace {

using test::Bytes;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr unsigned kL4 = 34, kOptionsAt = kL4 + 20;  // Ethernet, IPv4, TCP

struct Frame {
    explicit Frame(const Bytes& bytes) : mbuf((test::test_eal(), test::exact_frame(bytes))) {
        meta.in_port = 0;
        const MacAddress mac = PacketTextDefaults{}.destination_mac;
        EXPECT_EQ(net::parse_frame(Packet(mbuf), meta, {&mac, false}), net::ParseDrop::kNone);
    }
    ~Frame() { rte_pktmbuf_free(mbuf); }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;
    [[nodiscard]] std::string text() const { return describe_frame(test::bytes_of(mbuf)); }
    rte_mbuf* mbuf;
    PacketMeta meta;
};

Bytes bytes_of(const std::string& text) {
    auto packet = parse_packet_text(text, {});
    EXPECT_TRUE(packet.ok());
    return packet->frame;
}

// The options one byte further on, so that their numbers stand at odd offsets.
Bytes oddly(Bytes frame) {
    EXPECT_EQ(frame[kOptionsAt], net::kOptionNop);
    EXPECT_EQ(frame[kOptionsAt + 1], net::kOptionNop);
    const unsigned length = frame[kOptionsAt + 3] + 1u;
    std::copy(frame.begin() + kOptionsAt + 2, frame.begin() + kOptionsAt + 1 + length,
              frame.begin() + kOptionsAt + 1);
    frame[kOptionsAt + length] = net::kOptionNop;
    auto* tcp = reinterpret_cast<net::Tcp*>(frame.data() + kL4);
    const auto total = static_cast<uint32_t>(frame.size() - kL4);
    tcp->checksum = be16(0);
    const auto* ip = reinterpret_cast<const net::Ipv4*>(frame.data() + 14);
    const uint64_t pseudo = net::pseudo_header_sum(
        IpAddress::v4(ip->source.host()), IpAddress::v4(ip->destination.host()), net::kTcp, total);
    tcp->checksum = net::checksum_finish(net::checksum_add(pseudo, tcp, total));
    return frame;
}

constexpr TcpShift kShift{.sequence = 0xfffffff0,
                          .acknowledgement = 1000,
                          .ts_value = 0x80000001,
                          .ts_echo = 5,
                          .window_from = 7,
                          .window_to = 2};
const std::string kText =
    "tcp 10.0.0.1:1 > 10.0.0.2:2 ack seq=20 ack=4294967290 win=100 ts=7/4294967295 "
    "sack=4294967280-4294967290 len=5";

TEST(ShiftTcp, ShiftsEveryNumberAtEvenAndOddOffsets) {
    for (const Bytes& bytes : {bytes_of(kText), oddly(bytes_of(kText))}) {
        Frame frame(bytes);
        shift_tcp(Packet(frame.mbuf), frame.meta, kShift);
        EXPECT_THAT(frame.text(), HasSubstr("seq=4 ack=994 win=3200 ts=2147483656/4 sack=984-994"));
        EXPECT_THAT(frame.text(), Not(HasSubstr("bad-checksum")));
    }
}

TEST(ShiftTcp, HidesSack) {
    Frame frame(bytes_of(kText));
    TcpShift shift = kShift;
    shift.hide_sack = true;
    shift_tcp(Packet(frame.mbuf), frame.meta, shift);
    EXPECT_THAT(frame.text(), Not(HasSubstr("sack")));
    EXPECT_THAT(frame.text(), HasSubstr("ts=2147483656/4"));
    EXPECT_THAT(frame.text(), Not(HasSubstr("bad-checksum")));
}

TEST(ShiftTcp, LeavesDamageAsItIs) {
    Frame frame(bytes_of(kText + " bad-checksum"));
    shift_tcp(Packet(frame.mbuf), frame.meta, kShift);
    EXPECT_THAT(frame.text(), HasSubstr("bad-checksum"));
}

TEST(ShiftTcp, WithoutAckThereIsNothingToShiftBack) {
    Frame frame(bytes_of("tcp 10.0.0.1:1 > 10.0.0.2:2 rst seq=20 ack=7 ts=7/9 win=0"));
    shift_tcp(Packet(frame.mbuf), frame.meta, kShift);
    EXPECT_THAT(frame.text(), HasSubstr("seq=4 ack=7 win=0 ts=2147483656/9"));
}

TEST(Rescaled, NeverPromisesMoreThanWasMeant) {
    EXPECT_EQ(rescaled(100, 7, 7), 100);
    EXPECT_EQ(rescaled(100, 7, 0), 12800);
    EXPECT_EQ(rescaled(65535, 14, 0), 65535);
    EXPECT_EQ(rescaled(100, 0, 7), 0);
    for (unsigned from = 0; from <= 14; ++from)
        for (unsigned to = 0; to <= 14; ++to)
            for (const uint16_t window :
                 std::initializer_list<uint16_t>{1, 127, 128, 4000, 65535}) {
                const auto f = static_cast<uint8_t>(from), t = static_cast<uint8_t>(to);
                EXPECT_LE(uint32_t{rescaled(window, f, t)} << to, uint32_t{window} << from);
            }
}

// RFC 792 errors quote 8 bytes at least: the number is there, the checksum is not.
TEST(ShiftQuotedTcp, KeepsAllChecksumsRight) {
    const std::string quote = "(tcp 10.0.0.2:2 > 10.0.0.1:1 ack seq=100 ack=200 len=40)";
    Frame frame(bytes_of("icmp 10.9.9.9 > 10.0.0.2 unreachable/4 mtu=1400 quoting " + quote));
    const uint32_t quoted = frame.meta.inner_offset + 20u;
    shift_quoted_tcp(Packet(frame.mbuf), frame.meta, quoted, 0xffffffff, 7);
    EXPECT_THAT(frame.text(), HasSubstr("seq=99 ack=207"));
    EXPECT_THAT(frame.text(), Not(HasSubstr("bad-checksum")));
    for (uint32_t bytes = 0; bytes < 20; ++bytes) {
        Frame cut(bytes_of("icmp 10.9.9.9 > 10.0.0.2 unreachable/4 mtu=1400 quoting " + quote));
        auto* icmp = Packet(cut.mbuf).at<net::Icmp>(kL4);
        cut.meta.l3_total = quoted + bytes - 14;
        const uint32_t length = quoted + bytes - kL4;
        icmp->checksum = be16(0);
        icmp->checksum = net::checksum_finish(net::checksum_add(0, icmp, length));
        shift_quoted_tcp(Packet(cut.mbuf), cut.meta, quoted, 0xffffffff, 7);
        EXPECT_EQ(net::checksum_fold(net::checksum_add(0, icmp, length)), 0xffff) << bytes;
        const auto* sequence = Packet(cut.mbuf).at<be32>(quoted + 4);
        EXPECT_EQ(sequence->host(), bytes >= 8 ? 99u : 100u) << bytes;
    }
}

}  // namespace
}  // namespace ravelin
