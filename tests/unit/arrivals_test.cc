// SPDX-License-Identifier: Apache-2.0
// Frames read at once and one after the other are the same, and plain is only what parse takes;
// over frames damaged at random, with the header's checksum put right again or not.
#include "dataplane/arrivals.h"

#include <gtest/gtest.h>

#include <array>

#include "pipelines/net/checksum.h"
#include "pipelines/net/parse_plain.h"
#include "pipelines/stages/route_express.h"
#include "pipelines/stages/route_sources.h"
#include "tests/unit/plain_frames.h"
#include "tests/unit/shortcut_support.h"

namespace ravelin {
namespace {

using test::Bytes;

class Reading : public testing::Test {
  protected:
    Reading() {
        test::test_eal();
        for (const char* text : test::kFrames) good_.push_back(test::frame_of(text));
        for (const char* text :
             {"udp 10.0.0.1:68 > 198.18.0.1:67 ttl=1", "vlan=5 udp 10.0.0.1:68 > 198.18.0.1:67"})
            good_.push_back(test::frame_of(text));
        std::memcpy(own_.bytes.data(), good_[0].data(), own_.bytes.size());
    }
    // One frame in four is whole; of the rest bytes are changed, or the end is missing.
    Bytes any() {
        Bytes frame = good_[random_() % good_.size()];
        if (random_() % 4 == 0) return frame;
        for (unsigned n = random_() % 3; n != 0; --n)
            frame[random_() % frame.size()] ^= static_cast<uint8_t>(1u << random_() % 8);
        if (random_() % 4 == 0) frame.resize(1 + random_() % frame.size());
        if (random_() % 8 == 0) test::cut_transport(frame);
        if (frame.size() >= 34 && random_() % 2 == 0) {
            frame[24] = frame[25] = 0;
            const be16 sum = net::checksum_finish(net::checksum_add(0, frame.data() + 14, 20));
            std::memcpy(frame.data() + 24, &sum, sizeof sum);
        }
        return frame;
    }
    /// What parse has against it; the shortcut's conditions beside.
    [[nodiscard]] bool parsed(rte_mbuf* frame) const {
        PacketMeta meta = kFreshMeta;
        return net::parse_plain(Packet(frame), meta, {.port_mac = &own_, .router = true});
    }
    void compare(rte_mbuf** frames, unsigned n);

    std::vector<Bytes> good_;
    MacAddress own_;
    test::Random random_{std::mt19937(7)};
    unsigned plain_ = 0, odd_ = 0;
};

void Reading::compare(rte_mbuf** frames, unsigned n) {
    Arrivals a, b;
    a.begin(frames, n, 0);
    b.begin(frames, n, 0);
    a.read_at_once(own_);
    b.read_one_by_one(own_);
    a.find_flows_at_once();
    b.find_flows_one_by_one();
    const uint64_t plain = a.plain;
    ASSERT_EQ(plain, b.plain);
    ASSERT_EQ(a.opening, b.opening);
    ASSERT_EQ(a.steady, b.steady);
    ASSERT_EQ(a.padded, b.padded);
    ASSERT_EQ(a.swapped, b.swapped);
    for (unsigned i = 0; i < n; ++i) {
        ASSERT_EQ(a.source[i], b.source[i]) << i;
        ASSERT_EQ(a.destination[i], b.destination[i]) << i;
        if ((plain >> i & 1) == 0) {
            ++odd_;
            continue;
        }
        ++plain_;
        EXPECT_EQ(parsed(frames[i]), net::are_plain(a.source[i], a.destination[i]));
        ASSERT_EQ(a.ports[i], b.ports[i]) << i;
        ASSERT_EQ(a.length[i], b.length[i]) << i;
        ASSERT_EQ(a.protocol[i], b.protocol[i]) << i;
        ASSERT_EQ(a.tcp_flags[i], b.tcp_flags[i]) << i;
        ASSERT_EQ(a.hop[i], b.hop[i]) << i;
        const FlowKey key = a.key(i);
        ASSERT_EQ(key, b.key(i)) << i;
        ASSERT_EQ(a.ends[i].protocol, b.ends[i].protocol) << i;
        ASSERT_EQ(a.hash[i], key.hash()) << i;
        ASSERT_EQ(b.hash[i], key.hash()) << i;
        ASSERT_TRUE(a.is_of(i, key)) << i;
        for (unsigned bit = 0; bit < 8 * sizeof key; ++bit) {
            FlowKey other = key;
            reinterpret_cast<uint8_t*>(&other)[bit / 8] ^= static_cast<uint8_t>(1u << bit % 8);
            ASSERT_FALSE(a.is_of(i, other)) << bit;
        }
        if (a.protocol[i] != net::kTcp) continue;
        const TcpAdvance &row = a.advance[i], &alone = b.advance[i];
        ASSERT_EQ(row.end, alone.end) << i;
        ASSERT_EQ(row.acknowledgement, alone.acknowledgement) << i;
        ASSERT_EQ(row.window, alone.window) << i;
        ASSERT_EQ(row.length, a.length[i]) << i;
        ASSERT_EQ(alone.length, a.length[i]) << i;
    }
}

TEST_F(Reading, TheSameAtOnceAndOneByOne) {
    for (unsigned round = 0; round < 3000; ++round) {
        rte_mbuf* frames[Arrivals::kCapacity];
        const unsigned n = 1 + random_() % Arrivals::kCapacity;
        for (unsigned i = 0; i < n; ++i) frames[i] = test::exact_frame(any());
        compare(frames, n);
        rte_pktmbuf_free_bulk(frames, n);
        if (HasFatalFailure()) return;
    }
    EXPECT_GT(plain_, 10'000u);
    EXPECT_GT(odd_, 10'000u);
}

// What routers forward and what they do not, and both ends of every block.
TEST(Route, OrdinaryAddressesAtOnceAndOneByOne) {
    const uint32_t edges[] = {0,          0x00ffffff, 0x01000000, 0x7effffff, 0x7f000000,
                              0x7fffffff, 0x80000000, 0xa9fdffff, 0xa9fe0000, 0xa9feffff,
                              0xa9ff0000, 0xdfffffff, 0xe0000000, 0xffffffff, 0x0a000001};
    ExpressBurst burst;
    uint64_t good = 0, all = 0;
    const auto compare = [&] {
        const uint64_t bits = between_ordinary(burst);
        ASSERT_EQ(bits, between_ordinary_one_by_one(burst));
        good += static_cast<unsigned>(__builtin_popcountll(bits));
        all += burst.count;
        burst.count = 0;
    };
    for (const uint32_t source : edges)
        for (const uint32_t destination : edges) {
            burst.source[burst.count] = source;
            burst.destination[burst.count++] = destination;
            if (burst.count == Arrivals::kCapacity) compare();
        }
    compare();
    EXPECT_EQ(all, 225u);
    EXPECT_EQ(good, 7u * 7 - 7);  // seven addresses are ordinary
}

// No own address may be missed, and few others are taken for one.
TEST(Route, OwnAddressesAtOnceAndOneByOne) {
    std::mt19937 random(3);
    PortPolicy port;
    for (unsigned i = 0; i < 6; ++i)
        port.addresses.push_back({IpAddress::v4(static_cast<uint32_t>(random())), 24});
    const OwnAddresses own({port});
    columns::Column<uint32_t> hosts;
    unsigned wrong = 0;
    for (unsigned round = 0; round < 200; ++round) {
        for (unsigned i = 0; i < hosts.size(); ++i)
            hosts[i] =
                i < 6 ? port.addresses[i].address.v4_host() : static_cast<uint32_t>(random());
        const unsigned n = 6 + round % 59;
        const uint64_t bits = own.may_be(hosts, n);
        for (unsigned i = 0; i < n; ++i) {
            const bool is = own.find(IpAddress::v4(hosts[i])) != OwnAddresses::Kind::kNone;
            const bool may = (bits >> i & 1) != 0;
            ASSERT_EQ(is, i < 6) << i;
            ASSERT_TRUE(may || !is) << i;
            wrong += may && !is;
        }
    }
    EXPECT_LT(wrong, 400u);  // twelve bits of 512
}

// A sender on the same machine leaves the sum of the addresses there for its NIC: parse completes.
TEST_F(Reading, LeavesUnfinishedChecksumsToParse) {
    Bytes frame = good_[0];
    rte_mbuf* whole = test::exact_frame(frame);
    Arrivals burst;
    burst.begin(&whole, 1, 0);
    burst.read_at_once(own_);
    EXPECT_EQ(burst.plain, 1u);
    const uint64_t pseudo =
        net::pseudo_header_sum(IpAddress::v4(burst.source[0]), IpAddress::v4(burst.destination[0]),
                               net::kTcp, burst.length[0] - 20);
    const uint16_t unfinished = net::checksum_fold(pseudo);
    std::memcpy(rte_pktmbuf_mtod_offset(whole, uint8_t*, 50), &unfinished, sizeof unfinished);
    burst.read_at_once(own_);
    EXPECT_EQ(burst.plain, 0u);
    burst.read_one_by_one(own_);
    EXPECT_EQ(burst.plain, 0u);
    rte_pktmbuf_free(whole);
}

}  // namespace
}  // namespace ravelin
