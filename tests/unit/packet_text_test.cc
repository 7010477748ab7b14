// SPDX-License-Identifier: Apache-2.0
// The packet language: what it builds, that its description builds the same again, how it explains.
#include "dataplane/net/packet_text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/net/checksum.h"

namespace ravelin {
namespace {

using ::testing::HasSubstr;

const PacketTextDefaults kDefaults{.port = "lan", .port_macs = {{"lan", {{2, 0, 0, 0, 1, 0}}}}};

std::vector<uint8_t> frame_of(std::string_view text) {
    auto packet = parse_packet_text(text, kDefaults);
    EXPECT_TRUE(packet.ok()) << text << ": " << packet.error().message;
    return packet ? packet->frame : std::vector<uint8_t>{};
}

std::string error_of(std::string_view text) {
    auto packet = parse_packet_text(text, kDefaults);
    return packet ? "no error: " + std::string(text) : packet.error().message;
}

class RoundTrip : public ::testing::TestWithParam<const char*> {};

TEST_P(RoundTrip, DescriptionBuildsTheSameFrame) {
    const auto frame = frame_of(GetParam());
    const std::string text = describe_frame(frame);
    EXPECT_EQ(frame_of(text), frame) << text;
    EXPECT_FALSE(describe_frame(frame, PacketDetail::kSummary).empty());
}

INSTANTIATE_TEST_SUITE_P(
    PacketText, RoundTrip,
    ::testing::Values(
        "tcp 10.0.0.1:1234 > 192.0.2.7:80 syn",
        "tcp 10.0.0.1:1234 > 192.0.2.7:80 syn,ack seq=7 ack=9 win=100 mss=1460 wscale=7 "
        "sack-permitted",
        "tcp 10.0.0.1:1234 > 192.0.2.7:80 ack ts=4294967295/7 sack=1-2,4294967290-3 len=3",
        "tcp [2001:db8::1]:1 > [2001:db8::2]:2 fin,ack,psh data=hello ttl=3",
        "vlan=5 udp [2001:db8::1]:53 > [2001:db8::2]:5353 len=100",
        "vlan=5,7 qinq udp 10.0.0.1:53 > 10.0.0.2:5353 hex=00ff len=0",
        "udp 10.0.0.1:1 > 10.0.0.2:2 hex=deadbeef df tos=16 ip-id=99 options",
        "udp 10.0.0.1:1 > 10.0.0.2:2 mf id=7 len=1472", "udp 10.0.0.1:1 > 10.0.0.2:2 no-checksum",
        "udp 10.0.0.1:1 > 10.0.0.2:2 bad-checksum len=3",
        "udp 10.0.0.1:1 > 10.0.0.2:2 partial-checksum len=3",
        "udp 10.0.0.1:1 > 10.0.0.2:2 bad-ip-checksum",
        "ip proto=17 10.0.0.1 > 10.0.0.2 frag=1480 id=7 len=20",
        "ip proto=47 10.0.0.1 > 10.0.0.2 len=20 pad=10",
        "ip proto=50 2001:db8::1 > 2001:db8::2 len=20",
        "icmp 10.0.0.1 > 10.0.0.2 echo-request id=7 seq=1 len=56",
        "icmp 10.0.0.1 > 10.0.0.2 type=13 code=0",
        "icmp 10.0.0.1 > 10.0.0.2 unreachable/4 mtu=1400 quoting (tcp 10.0.0.2:1 > 10.9.9.9:2 ack "
        "len=0)",
        "icmp6 2001:db8::1 > 2001:db8::2 packet-too-big mtu=1280 quoting (udp [2001:db8::2]:1 > "
        "[2001:db8::9]:2)",
        "icmp6 fe80::1 > ff02::1:ff00:2 ns target=fe80::2 lladdr=02:00:00:00:00:09",
        "icmp6 fe80::1 > fe80::2 na target=fe80::1 solicited override lladdr=02:00:00:00:00:09",
        "icmp6 fe80::1 > ff02::2 rs", "icmp6 fe80::1 > ff02::1 ra",
        "icmp6 fe80::1 > fe80::2 echo-reply id=3 seq=4 len=5",
        "udp [2001:db8::1]:1 > [2001:db8::2]:2 hbh dstopt routing ah frag=0 id=5 len=8",
        "udp [2001:db8::1]:1 > [2001:db8::2]:2 hbh router-alert mf id=5 len=8",
        "ip proto=17 2001:db8::1 > 2001:db8::2 frag=8 id=5 len=8",
        "udp [2001:db8::1]:1 > [2001:db8::2]:2 rh0", "arp who-has 10.0.0.1 tell 10.0.0.2",
        "arp 10.0.0.1 is-at 02:00:00:00:00:07 to 10.0.0.2",
        "udp 10.0.0.1:68 > 255.255.255.255:67 len=3", "udp 10.0.0.1:68 > 224.0.0.5:67 len=3",
        "ether=0x88cc len=46", "ether=38 hex=424203", "raw=0102030405"));

TEST(PacketText, TakesThePortFromTheTextOrTheDefaults) {
    EXPECT_EQ(parse_packet_text("in=wan arp who-has 10.0.0.1 tell 10.0.0.2", kDefaults)->port,
              "wan");
    EXPECT_EQ(parse_packet_text("arp who-has 10.0.0.1 tell 10.0.0.2", kDefaults)->port, "lan");
}

TEST(PacketText, FillsChecksumsThatVerify) {
    const auto frame = frame_of("tcp 10.0.0.1:1234 > 192.0.2.7:80 syn len=3");
    EXPECT_EQ(net::checksum_fold(net::checksum_add(0, frame.data() + 14, 20)), 0xffff);
    uint64_t sum =
        net::pseudo_header_sum(IpAddress::v4(0x0a000001), IpAddress::v4(0xc0000207), 6, 23);
    sum = net::checksum_add(sum, frame.data() + 34, 23);
    EXPECT_EQ(net::checksum_fold(sum), 0xffff);
}

TEST(PacketText, DamagesOnRequest) {
    const auto whole = frame_of("udp 10.0.0.1:1 > 10.0.0.2:2 len=4");
    EXPECT_EQ(frame_of("udp 10.0.0.1:1 > 10.0.0.2:2 len=4 cut=20").size(), 20u);
    EXPECT_EQ(frame_of("udp 10.0.0.1:1 > 10.0.0.2:2 len=4 poke=14:4f")[14], 0x4f);
    EXPECT_EQ(whole.size(), 14u + 20 + 8 + 4);
}

TEST(PacketText, ExplainsWithPositionAndExpectation) {
    EXPECT_EQ(error_of(""),
              "position 1: found the end, expected tcp, udp, icmp, icmp6, ip, arp, raw=HEX or "
              "ether=TYPE");
    EXPECT_THAT(error_of("tpc 10.0.0.1:1 > 10.0.0.2:2"),
                HasSubstr("position 1: found 'tpc', expected tcp, udp"));
    EXPECT_EQ(error_of("tcp 10.0.0.1:1 10.0.0.2:2"),
              "position 16: found '10.0.0.2:2', expected '>'");
    EXPECT_EQ(error_of("tcp 10.0.0.1:1 > 10.0.0.2:70000"),
              "position 18: found '10.0.0.2:70000', expected a number from 0 to 65535");
    EXPECT_THAT(error_of("tcp 10.0.0.1:1 > [2001:db8::1]:7"),
                HasSubstr("expected an IPv4 address"));
    EXPECT_THAT(error_of("tcp 10.0.0.1:1 > 10.0.0.2:2 synn"),
                HasSubstr("position 29: found 'synn', expected an option"));
    EXPECT_THAT(error_of("tcp 10.0.0.1:1 > 10.0.0.2:2 ttl=300"),
                HasSubstr("a number from 0 to 255"));
    EXPECT_THAT(error_of("tcp 10.0.0.1:1 > 10.0.0.2:2 foo=3"),
                HasSubstr("found 'foo=3', expected one of in="));
    EXPECT_THAT(
        error_of("icmp 10.0.0.1 > 10.0.0.2 unreachable quoting (tcp 10.0.0.1:1 > 10.0.0.2:2"),
        HasSubstr("expected ')'"));
    EXPECT_THAT(error_of("udp 10.0.0.1:1 > 10.0.0.2:2 data=\"abc"), HasSubstr("a closing quote"));
    EXPECT_THAT(error_of("udp 10.0.0.1:1 > 10.0.0.2:2 frag=3"), HasSubstr("multiples of 8"));
    EXPECT_THAT(error_of("tcp 10.0.0.1:1 > 10.0.0.2:2 ts=5"), HasSubstr("ts=VALUE/ECHO"));
    EXPECT_THAT(error_of("tcp 10.0.0.1:1 > 10.0.0.2:2 sack=1-2,3"), HasSubstr("sack=FROM-TO"));
    EXPECT_THAT(error_of("tcp 10.0.0.1:1 > 10.0.0.2:2 sack=1-2,1-2,1-2,1-2,1-2"),
                HasSubstr("four blocks"));
    EXPECT_THAT(error_of("raw=zz"), HasSubstr("pairs of hexadecimal digits"));
}

TEST(PacketText, DescribesEveryCutWithoutReadingBeyond) {
    const char* texts[] = {"vlan=5 tcp 10.0.0.1:1 > 10.0.0.2:2 syn mss=1 options len=3",
                           "tcp 10.0.0.1:1 > 10.0.0.2:2 ack ts=1/2 sack=3-4,5-6",
                           "udp [2001:db8::1]:1 > [2001:db8::2]:2 hbh dstopt ah mf id=5 len=8",
                           "icmp6 fe80::1 > fe80::2 na target=fe80::1 lladdr=02:00:00:00:00:09",
                           "arp who-has 10.0.0.1 tell 10.0.0.2"};
    for (const char* text : texts) {
        const auto frame = frame_of(text);
        for (size_t cut = 0; cut <= frame.size(); ++cut) {
            const std::vector<uint8_t> part(frame.begin(), frame.begin() + static_cast<long>(cut));
            EXPECT_FALSE(describe_frame(part).empty());
        }
    }
}

}  // namespace
}  // namespace ravelin
