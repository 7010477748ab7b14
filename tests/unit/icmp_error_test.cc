// SPDX-License-Identifier: Apache-2.0
// Errors and resets the box makes, read back byte by byte; checksums by a plain RFC 1071 loop here.
#include "pipelines/net/icmp_error.h"

#include <gtest/gtest.h>

#include "dataplane/net/headers.h"
#include "tests/support/frames.h"

namespace ravelin {
namespace {

using test::Bytes;
using F = PacketMeta;

constexpr size_t kL2 = 14;

// 16-bit words, most significant byte first, as RFC 1071 section 4.1 writes it.
uint16_t plain_sum(const Bytes& b) {
    uint32_t sum = 0;
    for (size_t i = 0; i < b.size(); i += 2)
        sum += static_cast<uint32_t>(b[i] << 8 | (i + 1 < b.size() ? b[i + 1] : 0));
    while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
    return static_cast<uint16_t>(~sum);
}
Bytes part(const Bytes& b, size_t from, size_t to) {
    return {b.begin() + static_cast<long>(from), b.begin() + static_cast<long>(to)};
}
uint32_t word(const Bytes& b, size_t at) {
    return uint32_t{b[at]} << 24 | uint32_t{b[at + 1]} << 16 | uint32_t{b[at + 2]} << 8 | b[at + 3];
}
// Pseudo header and transport part of a frame; both families.
uint16_t transport_sum(const Bytes& f) {
    const bool v4 = f[kL2] >> 4 == 4;
    const size_t l4 = kL2 + (v4 ? 20 : 40), length = f.size() - l4;
    Bytes all = v4 ? part(f, kL2 + 12, kL2 + 20) : part(f, kL2 + 8, kL2 + 40);
    for (const size_t v : {length >> 8, length & 0xff, size_t{0}})
        all.push_back(static_cast<uint8_t>(v));
    all.push_back(v4 ? f[kL2 + 9] : f[kL2 + 6]);
    const Bytes body = part(f, l4, f.size());
    all.insert(all.end(), body.begin(), body.end());
    return plain_sum(all);
}

class IcmpErrors : public testing::Test {
  protected:
    IcmpErrors() {
        context_.pool = test::test_eal();
        context_.policy = &policy_;
        PortPolicy lan, wan;
        lan.mac = {{2, 0, 0, 0, 1, 0}};
        lan.addresses = {*Prefix::parse("10.0.0.1/24"), *Prefix::parse("2001:db8::1/64")};
        wan.mac = {{2, 0, 0, 0, 1, 1}};
        wan.addresses = {*Prefix::parse("192.0.2.1/24")};
        policy_.ports = {lan, wan};
    }
    // A frame of `length` IP bytes; contents count up so that quotes can be compared.
    void packet(const char* from, const char* to, uint8_t protocol, uint32_t length) {
        meta_ = {};
        meta_.source = *IpAddress::parse(from);
        meta_.destination = *IpAddress::parse(to);
        const bool v4 = meta_.source.is_v4();
        meta_.flags = v4 ? F::kIpv4 : F::kIpv6;
        meta_.l3_offset = kL2;
        meta_.l4_offset = static_cast<uint16_t>(kL2 + (v4 ? 20 : 40));
        meta_.l3_total = length;
        meta_.protocol = protocol;
        meta_.in_port = 0;
        bytes_ = {2,
                  0,
                  0,
                  0,
                  1,
                  0,
                  2,
                  0,
                  0,
                  0,
                  0,
                  9,
                  static_cast<uint8_t>(v4 ? 8 : 0x86),
                  static_cast<uint8_t>(v4 ? 0 : 0xdd)};
        for (uint32_t i = 0; i < length; ++i) bytes_.push_back(static_cast<uint8_t>(i));
    }
    Bytes error(IcmpError e, uint32_t mtu = 0) {
        rte_mbuf* in = test::exact_frame(bytes_);
        rte_mbuf* out = build_icmp_error(Packet(in), meta_, e, mtu, context_);
        return take(in, out);
    }
    Bytes reset(uint8_t flags, uint32_t sequence, uint32_t acknowledgement, uint32_t payload) {
        meta_.payload_length = payload;
        meta_.source_port = 4711;
        meta_.destination_port = 443;
        const size_t at = meta_.l4_offset;
        for (unsigned i = 0; i < 4; ++i) {
            bytes_[at + 4 + i] = static_cast<uint8_t>(sequence >> (24 - 8 * i));
            bytes_[at + 8 + i] = static_cast<uint8_t>(acknowledgement >> (24 - 8 * i));
        }
        bytes_[at + 13] = flags;
        rte_mbuf* in = test::exact_frame(bytes_);
        return take(in, build_tcp_reset(Packet(in), meta_, context_));
    }
    static Bytes take(rte_mbuf* in, rte_mbuf* out) {
        rte_pktmbuf_free(in);
        const Bytes b = out == nullptr ? Bytes{} : test::bytes_of(out);
        rte_pktmbuf_free(out);
        return b;
    }
    PolicySnapshot policy_;
    WorkerContext context_;
    PacketMeta meta_;
    Bytes bytes_;
};

TEST_F(IcmpErrors, HaveTheTypeAndCodeOfTheirFamily) {
    constexpr uint8_t kV4[7][2] = {{3, 0}, {3, 1}, {3, 2}, {3, 3}, {3, 13}, {11, 0}, {3, 4}};
    constexpr uint8_t kV6[7][2] = {{1, 0}, {1, 3}, {4, 1}, {1, 4}, {1, 1}, {3, 0}, {2, 0}};
    for (uint8_t e = 0; e < 7; ++e) {
        packet("10.0.0.9", "203.0.113.5", 17, 100);
        const Bytes v4 = error(static_cast<IcmpError>(e), 1400);
        EXPECT_EQ(v4[kL2 + 20], kV4[e][0]);
        EXPECT_EQ(v4[kL2 + 21], kV4[e][1]);
        EXPECT_EQ(word(v4, kL2 + 24), e == 6 ? 1400u : 0u);
        packet("2001:db8::9", "2001:db8:1::5", 17, 100);
        const Bytes v6 = error(static_cast<IcmpError>(e), 1400);
        EXPECT_EQ(v6[kL2 + 40], kV6[e][0]);
        EXPECT_EQ(v6[kL2 + 41], kV6[e][1]);
        EXPECT_EQ(word(v6, kL2 + 44), e == 6 ? 1400u : e == 2 ? 6u : 0u);
    }
}

TEST_F(IcmpErrors, QuoteWhatFitsAndHaveRightChecksums) {
    for (const uint32_t length : {28u, 29u, 548u, 549u, 1500u}) {
        packet("10.0.0.9", "203.0.113.5", 17, length);
        const Bytes f = error(IcmpError::kTimeExceeded);
        const size_t quoted = std::min(length, 548u);
        ASSERT_EQ(f.size(), kL2 + 28 + quoted);
        EXPECT_EQ(plain_sum(part(f, kL2, kL2 + 20)), 0);
        EXPECT_EQ(plain_sum(part(f, kL2 + 20, f.size())), 0);
        EXPECT_EQ(part(f, kL2 + 28, f.size()), part(bytes_, kL2, kL2 + quoted));
    }
    for (const uint32_t length : {48u, 1232u, 1233u, 1500u}) {
        packet("2001:db8::9", "2001:db8:1::5", 17, length);
        const Bytes f = error(IcmpError::kTimeExceeded);
        EXPECT_EQ(f.size(), kL2 + 48 + std::min(length, 1232u));
        EXPECT_EQ(transport_sum(f), 0);
    }
}

TEST_F(IcmpErrors, QuoteNoPadding) {
    packet("10.0.0.9", "203.0.113.5", 17, 46);
    meta_.l3_total = 30;
    EXPECT_EQ(error(IcmpError::kTimeExceeded).size(), kL2 + 28 + 30);
}

TEST_F(IcmpErrors, ComeFromTheReceivingPortsAddress) {
    packet("198.51.100.9", "203.0.113.5", 17, 100);
    Bytes f = error(IcmpError::kTimeExceeded);
    EXPECT_EQ(word(f, kL2 + 12), 0x0a000001u);
    EXPECT_EQ(word(f, kL2 + 16), 0xc6336409u);
    meta_.in_port = 1;
    EXPECT_EQ(word(error(IcmpError::kTimeExceeded), kL2 + 12), 0xc0000201u);
    packet("fe80::9", "2001:db8:1::5", 17, 100);
    f = error(IcmpError::kTimeExceeded);
    EXPECT_EQ(word(f, kL2 + 8), 0xfe800000u);
    EXPECT_EQ(word(f, kL2 + 16),
              0x000000ffu);  // EUI-64 of 02:00:00:00:01:00, its local bit flipped
}

TEST_F(IcmpErrors, OnAWireComeFromTheDestinationWithTheTagKept) {
    policy_.mode = PolicySnapshot::Mode::kWire;
    packet("10.0.0.9", "203.0.113.5", 17, 100);
    bytes_.insert(bytes_.begin() + 12, {0x81, 0, 0, 5});
    meta_.l3_offset += 4;
    const Bytes f = error(IcmpError::kAdminProhibited);
    EXPECT_EQ(part(f, 0, 6), part(bytes_, 6, 12));
    EXPECT_EQ(part(f, 6, 12), part(bytes_, 0, 6));
    EXPECT_EQ(part(f, 12, 18), (Bytes{0x81, 0, 0, 5, 8, 0}));
    EXPECT_EQ(word(f, kL2 + 4 + 12), 0xcb007105u);
}

TEST_F(IcmpErrors, AreNotSentWhereTheStandardsForbid) {
    const auto allowed = [&] { return icmp_error_allowed(meta_, IcmpError::kTimeExceeded); };
    packet("10.0.0.9", "203.0.113.5", 17, 100);
    EXPECT_TRUE(allowed());
    for (const uint32_t flag :
         {F::kIcmpError, F::kLaterFragment, F::kL2Multicast, F::kLocalOrigin}) {
        packet("10.0.0.9", "203.0.113.5", 17, 100);
        meta_.flags |= flag;
        EXPECT_FALSE(allowed()) << flag;
    }
    for (const char* source :
         {"0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "240.0.0.1", "0.1.2.3"}) {
        packet(source, "203.0.113.5", 17, 100);
        EXPECT_FALSE(allowed()) << source;
    }
    for (const char* source : {"::", "::1", "ff02::1"}) {
        packet(source, "2001:db8::5", 17, 100);
        EXPECT_FALSE(allowed()) << source;
    }
    for (const char* to : {"224.0.0.1", "255.255.255.255"}) {
        packet("10.0.0.9", to, 17, 100);
        EXPECT_FALSE(allowed()) << to;
    }
}

TEST_F(IcmpErrors, AreNotSentAboutErrorsAndRedirectsButAboutPings) {
    for (const int type : {3, 4, 5, 11, 12, 0, 8, 13}) {
        packet("10.0.0.9", "203.0.113.5", 1, 100);
        meta_.icmp_type = static_cast<uint8_t>(type);
        EXPECT_EQ(icmp_error_allowed(meta_, IcmpError::kTimeExceeded),
                  type == 0 || type == 8 || type == 13);
    }
    for (const int type : {1, 2, 3, 4, 127, 137, 128, 129}) {
        packet("2001:db8::9", "2001:db8::5", 58, 100);
        meta_.icmp_type = static_cast<uint8_t>(type);
        EXPECT_EQ(icmp_error_allowed(meta_, IcmpError::kTimeExceeded), type == 128 || type == 129);
    }
}

TEST_F(IcmpErrors, PacketTooBigAloneAnswersIpv6Groups) {
    packet("2001:db8::9", "ff0e::5", 17, 100);
    meta_.flags |= F::kL2Multicast;
    EXPECT_TRUE(icmp_error_allowed(meta_, IcmpError::kTooBig));
    EXPECT_FALSE(icmp_error_allowed(meta_, IcmpError::kPortUnreachable));
}

TEST_F(IcmpErrors, ResetOfASegmentWithAckTakesItsNumber) {
    packet("10.0.0.9", "203.0.113.5", 6, 40);
    const Bytes f = reset(net::kAck | net::kPsh, 1000, 77, 12);
    ASSERT_EQ(f.size(), kL2 + 40);
    EXPECT_EQ(word(f, kL2 + 20), uint32_t{443} << 16 | 4711);
    EXPECT_EQ(word(f, kL2 + 24), 77u);
    EXPECT_EQ(word(f, kL2 + 28), 0u);
    EXPECT_EQ(f[kL2 + 33], net::kRst);
    EXPECT_EQ(transport_sum(f), 0);
    EXPECT_EQ(plain_sum(part(f, kL2, kL2 + 20)), 0);
}

TEST_F(IcmpErrors, ResetOfASegmentWithoutAckAcknowledgesItsLength) {
    packet("2001:db8::9", "2001:db8:1::5", 6, 60);
    const Bytes f = reset(net::kSyn, 0xffffffff, 0, 3);
    ASSERT_EQ(f.size(), kL2 + 60);
    EXPECT_EQ(word(f, kL2 + 44), 0u);
    EXPECT_EQ(word(f, kL2 + 48), 3u);
    EXPECT_EQ(f[kL2 + 53], net::kRst | net::kAck);
    EXPECT_EQ(transport_sum(f), 0);
}

TEST_F(IcmpErrors, NoResetAnswersAResetOrAFragment) {
    packet("10.0.0.9", "203.0.113.5", 6, 40);
    EXPECT_TRUE(reset(net::kRst, 1, 2, 0).empty());
    meta_.flags |= F::kFragment;
    EXPECT_TRUE(reset(net::kSyn, 1, 2, 0).empty());
}

TEST(RateLimits, LetABurstThenAnEvenPacePass) {
    RateLimit limit;
    unsigned passed = 0;
    for (int i = 0; i < 100; ++i) passed += limit.take(1'000'000'000, 10, 5) ? 1 : 0;
    EXPECT_EQ(passed, 5u);
    EXPECT_TRUE(limit.take(1'100'000'000, 10, 5));
    EXPECT_FALSE(limit.take(1'100'000'000, 10, 5));
    EXPECT_FALSE(limit.take(9'000'000'000, 0, 5));
}

}  // namespace
}  // namespace ravelin
