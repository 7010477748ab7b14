// SPDX-License-Identifier: Apache-2.0
// Translated frames against the frames their text describes, whose checksums are computed anew.
#include "pipelines/net/translate.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <random>

#include "dataplane/net/packet_text.h"
#include "pipelines/net/parse.h"
#include "tests/support/frames.h"

namespace ravelin {
namespace {

using test::Bytes;

Bytes frame_of(const std::string& text) {
    auto packet = parse_packet_text(text, {.port = "lan", .port_macs = {}});
    EXPECT_TRUE(packet.ok()) << text << ": " << packet.error().message;
    return packet.ok() ? packet->frame : Bytes{};
}

struct Parsed {
    explicit Parsed(const std::string& text) : frame(test::exact_frame(frame_of(text))) {
        net::ParseInput input;
        input.router = false;
        EXPECT_EQ(net::parse_frame(Packet(frame), meta, input), net::ParseDrop::kNone) << text;
    }
    ~Parsed() { rte_pktmbuf_free(frame); }
    Parsed(const Parsed&) = delete;
    Parsed& operator=(const Parsed&) = delete;
    [[nodiscard]] Bytes bytes() const { return test::bytes_of(frame); }
    rte_mbuf* frame;
    PacketMeta meta;
};

class Translate : public testing::Test {
  protected:
    Translate() { test::test_eal(); }
    /// `before` with another destination, then another source, is `after`; and back.
    static void expect_becomes(const std::string& before, const char* destination, uint16_t port,
                               const char* source, uint16_t source_port, const std::string& after) {
        SCOPED_TRACE(before);
        Parsed p(before);
        const Bytes came = p.bytes();
        if (destination != nullptr)
            translate_destination(Packet(p.frame), p.meta, IpAddress::parse(destination)->v4_host(),
                                  port);
        if (source != nullptr) {
            p.meta.nat_source = IpAddress::parse(source)->v4_host();
            p.meta.nat_source_port = source_port;
            translate_source(Packet(p.frame), p.meta);
        }
        EXPECT_EQ(describe_frame(p.bytes()), describe_frame(frame_of(after)));
        EXPECT_EQ(p.bytes(), frame_of(after));
        if (p.meta.has(PacketMeta::kIcmpError)) return;
        undo_translation(Packet(p.frame), p.meta);
        EXPECT_EQ(p.bytes(), came);
    }
    std::mt19937 random_{7};
    uint16_t port() { return static_cast<uint16_t>(1 + random_() % 65535); }
    std::string address() {
        return fmt::format("{}.{}.{}.{}", 1 + random_() % 126, random_() % 256, random_() % 256,
                           1 + random_() % 254);
    }
};

TEST_F(Translate, RandomPacketsAgreeWithRecomputedChecksums) {
    for (unsigned i = 0; i < 20'000; ++i) {
        const bool tcp = i % 2 == 0;
        const std::string tail =
            fmt::format("ttl={} id={} {} len={}", 2 + random_() % 200, random_() % 65536,
                        tcp ? "ack seq=77" : "", random_() % 60);
        const char* protocol = tcp ? "tcp" : "udp";
        const std::string s = address(), d = address(), s2 = address(), d2 = address();
        const uint16_t sp = port(), dp = port(), sp2 = port(), dp2 = port();
        const auto text = [&](const std::string& from, uint16_t fp, const std::string& to,
                              uint16_t tp) {
            return fmt::format("{} {}:{} > {}:{} {}", protocol, from, fp, to, tp, tail);
        };
        expect_becomes(text(s, sp, d, dp), d2.c_str(), dp2, s2.c_str(), sp2,
                       text(s2, sp2, d2, dp2));
        if (HasFailure()) return;
    }
}

TEST_F(Translate, EchoIdentifiersStandForBothPorts) {
    for (unsigned i = 0; i < 2'000; ++i) {
        const std::string s = address(), d = address(), s2 = address();
        const uint16_t id = port(), id2 = port();
        expect_becomes(fmt::format("icmp {} > {} echo-request id={} seq=4 len=9", s, d, id),
                       nullptr, 0, s2.c_str(), id2,
                       fmt::format("icmp {} > {} echo-request id={} seq=4 len=9", s2, d, id2));
        if (HasFailure()) return;
    }
}

TEST_F(Translate, ErrorsAreTranslatedWithTheirQuotes) {
    for (unsigned i = 0; i < 5'000; ++i) {
        static constexpr const char* kQuotes[] = {"tcp {}:{} > {}:{} ack seq=5 len={}",
                                                  "udp {}:{} > {}:{} len={}",
                                                  "udp {}:{} > {}:{} no-checksum len={}"};
        const std::string p = address(), inner = address(), r = address(), hop = address();
        const uint16_t q = port(), own = port(), rp = port();
        const auto length = static_cast<unsigned>(random_() % 30);
        const auto quote = [&](const std::string& from, uint16_t fp) {
            return fmt::format(fmt::runtime(kQuotes[i % 3]), from, fp, r, rp, length);
        };
        expect_becomes(
            fmt::format("icmp {} > {} unreachable/4 mtu=1400 quoting ({})", hop, p, quote(p, q)),
            inner.c_str(), own, nullptr, 0,
            fmt::format("icmp {} > {} unreachable/4 mtu=1400 quoting ({})", hop, inner,
                        quote(inner, own)));
        if (HasFailure()) return;
    }
}

TEST_F(Translate, AnErrorsSourceIsItsQuotesDestination) {
    expect_becomes(
        "icmp 10.0.0.9 > 203.0.113.7 unreachable/3 quoting (udp 203.0.113.7:5 > "
        "10.0.0.9:80 len=3)",
        nullptr, 0, "192.0.2.1", 8080,
        "icmp 192.0.2.1 > 203.0.113.7 unreachable/3 quoting (udp 203.0.113.7:5 > "
        "192.0.2.1:8080 len=3)");
    expect_becomes(
        "icmp 10.0.0.9 > 203.0.113.7 time-exceeded quoting (icmp 203.0.113.7 > 10.0.0.9 "
        "echo-request id=5 seq=1)",
        nullptr, 0, "192.0.2.1", 5,
        "icmp 192.0.2.1 > 203.0.113.7 time-exceeded quoting (icmp 203.0.113.7 > "
        "192.0.2.1 echo-request id=5 seq=1)");
}

TEST_F(Translate, WhatIsNotThereOrWrongStaysSo) {
    const std::string zero = "udp {}:5 > 10.0.0.9:80 no-checksum len=3";
    expect_becomes(fmt::format(fmt::runtime(zero), "10.0.0.5"), nullptr, 0, "192.0.2.1", 5,
                   fmt::format(fmt::runtime(zero), "192.0.2.1"));
    // The difference from the right sum is kept, so damage stays visible.
    Parsed p("tcp 10.0.0.5:5 > 10.0.0.9:80 syn bad-checksum");
    p.meta.nat_source = IpAddress::parse("192.0.2.1")->v4_host();
    p.meta.nat_source_port = 7;
    translate_source(Packet(p.frame), p.meta);
    EXPECT_NE(describe_frame(p.bytes()).find("bad-checksum"), std::string::npos);
}

TEST_F(Translate, OtherProtocolsHaveTheirAddressesAndPseudoHeadersChanged) {
    expect_becomes("ip proto=50 10.0.0.5 > 203.0.113.7 hex=0102030405060708", nullptr, 0,
                   "192.0.2.1", 9, "ip proto=50 192.0.2.1 > 203.0.113.7 hex=0102030405060708");
    // A later fragment has no header to change, whatever its bytes look like.
    expect_becomes("ip proto=17 10.0.0.5 > 203.0.113.7 frag=8 id=3 hex=0102030405060708", nullptr,
                   0, "192.0.2.1", 9,
                   "ip proto=17 192.0.2.1 > 203.0.113.7 frag=8 id=3 hex=0102030405060708");
    // UDP-Lite: checksum at byte 6, over the pseudo-header too.
    Parsed p("ip proto=136 10.0.0.5 > 203.0.113.7 hex=0102030400080000");
    p.meta.nat_source = IpAddress::parse("10.0.0.6")->v4_host();
    translate_source(Packet(p.frame), p.meta);
    const Bytes bytes = p.bytes();
    EXPECT_EQ(bytes[40] << 8 | bytes[41], 0xfffe);  // one more in the sum, one less here
}

}  // namespace
}  // namespace ravelin
