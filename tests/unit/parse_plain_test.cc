// SPDX-License-Identifier: Apache-2.0
// parse_plain against parse_frame: what the one takes, the other would have taken, and both say the
// same of it; over frames damaged at random, with the header's checksum put right again or not.
#include "pipelines/net/parse_plain.h"

#include <gtest/gtest.h>

#include <random>

#include "pipelines/net/checksum.h"
#include "tests/unit/plain_frames.h"

namespace ravelin {
namespace {

using test::Bytes;

MacAddress destination_of(const Bytes& bytes) {
    MacAddress mac;
    std::memcpy(mac.bytes.data(), bytes.data(), mac.bytes.size());
    return mac;
}

/// Whether parse_plain took it; if so, parse_frame must agree.
bool taken(const Bytes& bytes, const net::ParseInput& input, uint32_t flags) {
    rte_mbuf* frame = test::exact_frame(bytes);
    PacketMeta plain = kFreshMeta, general = kFreshMeta;
    plain.flags = general.flags = flags;
    const bool took = net::parse_plain(Packet(frame), plain, input);
    if (took) {
        EXPECT_EQ(net::parse_frame(Packet(frame), general, input), net::ParseDrop::kNone);
    }
    EXPECT_EQ(std::memcmp(&plain, &general, sizeof plain), 0) << testing::PrintToString(bytes);
    rte_pktmbuf_free(frame);
    return took;
}

class ParsePlain : public testing::Test {
  protected:
    ParsePlain() { test::test_eal(); }
};

TEST_F(ParsePlain, TakesTcpAndUdpOverIpv4) {
    for (const char* text : test::kFrames) {
        const Bytes bytes = test::frame_of(text);
        const MacAddress mac = destination_of(bytes), other{{2, 9, 9, 9, 9, 9}};
        const bool simple = text[0] != 'i' && std::string_view(text).find('[') == std::string::npos;
        EXPECT_EQ(taken(bytes, {.port_mac = &mac, .router = true}, 0), simple) << text;
        EXPECT_EQ(taken(bytes, {.port_mac = &other, .router = false}, 0), simple) << text;
        EXPECT_FALSE(taken(bytes, {.port_mac = &other, .router = true}, 0)) << text;
        EXPECT_FALSE(taken(bytes, {.port_mac = &mac}, PacketMeta::kLocalOrigin)) << text;
        EXPECT_FALSE(taken(bytes, {}, 0)) << text;
    }
}

// Mostly where the headers are; the checksum of an IPv4 header of any length is put right at times.
Bytes damaged(Bytes bytes, std::mt19937& random) {
    const auto below = [&](size_t n) { return static_cast<size_t>(random() % n); };
    for (size_t n = below(4); n > 0; --n)
        bytes[below(std::min<size_t>(bytes.size(), 56))] =
            below(3) == 0 ? static_cast<uint8_t>(random())
                          : std::array<uint8_t, 8>{0, 1, 0x45, 0x46, 127, 224, 255, 6}[below(8)];
    if (below(4) == 0) bytes.resize(below(bytes.size()) + 1);
    if (below(4) == 0) bytes.resize(bytes.size() + below(20));
    const size_t header = bytes.size() > 14 ? (bytes[14] & 0xf) * 4u : 0;
    if (below(4) == 0 || header < sizeof(net::Ipv4) || 14 + header > bytes.size()) return bytes;
    bytes[24] = bytes[25] = 0;
    const be16 sum = net::checksum_finish(net::checksum_add(0, bytes.data() + 14, header));
    std::memcpy(bytes.data() + 24, &sum, sizeof sum);
    return bytes;
}

TEST_F(ParsePlain, AgreesWithParseFrameOnDamagedFrames) {
    std::mt19937 random(7);
    std::vector<Bytes> frames;
    for (const char* text : test::kFrames) frames.push_back(test::frame_of(text));
    unsigned took = 0;
    for (unsigned i = 0; i < 60'000; ++i) {
        const Bytes& whole = frames[random() % frames.size()];
        const MacAddress mac = destination_of(whole);
        const net::ParseInput input{.port_mac = &mac, .router = random() % 2 == 0};
        took += taken(damaged(whole, random), input, 0);
        if (HasFailure()) return;
    }
    EXPECT_GT(took, 6'000u);  // else it has compared nothing
    EXPECT_LT(took, 54'000u);
}

}  // namespace
}  // namespace ravelin
