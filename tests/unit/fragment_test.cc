// SPDX-License-Identifier: Apache-2.0
// send_fragments: random packets, options, segments and MTUs, cut and put together again.
#include "pipelines/net/fragment.h"

#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>
#include <random>

#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

constexpr size_t kEthernet = sizeof(net::Ethernet), kIp = sizeof(net::Ipv4);
constexpr PortId kWan = 1;
constexpr const char* kYaml =
    "ports: [{name: lan, device: 'null', addresses: 10.0.0.1/24},"
    " {name: wan, device: 'null', addresses: 192.0.2.1/24}]\n"
    "pipeline: [parse: {}, route: {}]\n";

struct Original {
    Bytes frame;
    Bytes options;         // as they stand, padded
    Bytes copied_options;  // what later pieces must carry, padded
    Bytes payload;
    uint16_t offset = 0;  // in 8 bytes: a piece may be cut again
    bool more = false;
};

void pad(Bytes& options) {
    while (options.size() % 4 != 0) options.push_back(0);
}

void add_options(Original& o, std::mt19937& random) {
    struct Option {
        uint8_t type, length;
    };
    constexpr Option kKnown[] = {{7, 7}, {68, 8}, {148, 4}, {130, 11}, {136, 4}, {1, 1}};
    while (random() % 4 != 0) {
        const Option option = kKnown[random() % std::size(kKnown)];
        if (o.options.size() + option.length > 40) break;
        Bytes bytes{option.type};
        if (option.length > 1) bytes.push_back(option.length);
        while (bytes.size() < option.length) bytes.push_back(static_cast<uint8_t>(random()));
        o.options.insert(o.options.end(), bytes.begin(), bytes.end());
        if ((option.type & 0x80) != 0)
            o.copied_options.insert(o.copied_options.end(), bytes.begin(), bytes.end());
    }
    pad(o.options);
    pad(o.copied_options);
}

Original random_packet(std::mt19937& random, size_t length) {
    Original o;
    add_options(o, random);
    o.payload.resize(length);
    for (uint8_t& byte : o.payload) byte = static_cast<uint8_t>(random());
    if (random() % 3 == 0) {
        o.offset = static_cast<uint16_t>(random() % 1000);
        o.more = random() % 2 == 0;
        if (o.more) o.payload.resize(o.payload.size() / 8 * 8);
    }
    net::Ipv4 ip{};
    ip.version_ihl = static_cast<uint8_t>(0x40 | (kIp + o.options.size()) / 4);
    ip.total_length = be16(static_cast<uint16_t>(kIp + o.options.size() + o.payload.size()));
    ip.id = be16(static_cast<uint16_t>(random()));
    ip.fragment = be16(static_cast<uint16_t>(o.offset | (o.more ? 0x2000 : 0)));
    ip.ttl = 61;
    ip.protocol = 17;
    o.frame.resize(kEthernet + kIp);
    for (size_t i = 0; i < kEthernet; ++i) o.frame[i] = static_cast<uint8_t>(i + 1);
    std::memcpy(o.frame.data() + kEthernet, &ip, kIp);
    o.frame.insert(o.frame.end(), o.options.begin(), o.options.end());
    o.frame.insert(o.frame.end(), o.payload.begin(), o.payload.end());
    return o;
}

/// The frame in buffers of random sizes, its headers in the first.
rte_mbuf* in_segments(const Original& o, std::mt19937& random, rte_mempool* pool) {
    rte_mbuf* head = nullptr;
    for (size_t at = 0; at < o.frame.size();) {
        const size_t least = at == 0 ? kEthernet + kIp + o.options.size() : 1;
        const size_t n = std::min(o.frame.size() - at, least + random() % 1500);
        rte_mbuf* part = rte_pktmbuf_alloc(pool);
        std::memcpy(rte_pktmbuf_append(part, static_cast<uint16_t>(n)), o.frame.data() + at, n);
        if (head == nullptr)
            head = part;
        else
            EXPECT_EQ(rte_pktmbuf_chain(head, part), 0);
        at += n;
    }
    return head;
}

void check_piece(const Original& o, const Bytes& frame, uint32_t mtu, Bytes& payload) {
    ASSERT_GE(frame.size(), kEthernet + kIp);
    EXPECT_TRUE(std::equal(frame.begin(), frame.begin() + kEthernet, o.frame.begin()));
    net::Ipv4 ip, was;
    std::memcpy(&ip, frame.data() + kEthernet, kIp);
    std::memcpy(&was, o.frame.data() + kEthernet, kIp);
    EXPECT_EQ(ip.total_length.host(), frame.size() - kEthernet);
    EXPECT_LE(ip.total_length.host(), mtu);
    const size_t header = ip.header_length();
    EXPECT_EQ(net::checksum_fold(net::checksum_add(0, frame.data() + kEthernet, header)), 0xffff);
    EXPECT_EQ(ip.id, was.id);
    EXPECT_EQ(ip.ttl, was.ttl);
    EXPECT_EQ(ip.protocol, was.protocol);
    const bool first = payload.empty();
    const auto begin = frame.begin() + kEthernet;
    EXPECT_EQ(Bytes(begin + kIp, begin + static_cast<long>(header)),
              first ? o.options : o.copied_options);
    EXPECT_EQ(ip.fragment.host() & 0x1fff, o.offset + payload.size() / 8);
    payload.insert(payload.end(), begin + static_cast<long>(header), frame.end());
    const bool last = payload.size() == o.payload.size();
    EXPECT_EQ((ip.fragment.host() & 0x2000) != 0, !last || o.more);
    if (!last) {
        EXPECT_EQ(payload.size() % 8, 0u);
    }
}

void cut_and_join(bool segments) {
    StageFixture box(kYaml);
    uint16_t last = 0;
    for (uint16_t device = 0; device < RTE_MAX_ETHPORTS; ++device)
        if (rte_eth_dev_is_valid_port(device) != 0) last = device;
    const TxRoute route{.device = last, .queue = 0, .owner = 0, .segments = segments};
    Transmitter way({route, route}, 0);
    box.context().transmitter = &way;
    std::mt19937 random(42);
    const unsigned free_before = rte_mempool_avail_count(box.context().pool);
    for (int round = 0; round < 500; ++round) {
        const auto mtu = static_cast<uint32_t>(576 + random() % 9000);
        const Original o = random_packet(random, 600 + random() % 9000);
        const auto total = static_cast<uint32_t>(o.frame.size() - kEthernet);
        rte_mbuf* frame = in_segments(o, random, box.context().pool);
        const unsigned pieces = send_fragments(frame, total, mtu, kWan, box.context());
        way.flush(box.context());
        const auto sent = box.sent();
        ASSERT_EQ(sent.size(), pieces) << "round " << round;
        Bytes payload;
        for (const Sent& s : sent) check_piece(o, s.frame, mtu, payload);
        ASSERT_EQ(payload, o.payload) << "round " << round << " mtu " << mtu;
        ASSERT_EQ(pieces == 1, total <= mtu);
    }
    EXPECT_EQ(rte_mempool_avail_count(box.context().pool), free_before);
}

TEST(Fragment, PiecesThatPointIntoThePacketMakeItAgain) { cut_and_join(true); }

TEST(Fragment, CopiedPiecesMakeItAgain) { cut_and_join(false); }

// Of a packet some of whose pieces had no buffer nothing leaves, and nothing is lost.
TEST(Fragment, WithoutBuffersNothingLeaves) {
    StageFixture box(kYaml);
    std::mt19937 random(1);
    const Original o = random_packet(random, 8000);
    rte_mbuf* frame = in_segments(o, random, box.context().pool);
    std::vector<rte_mbuf*> taken;
    while (rte_mempool_avail_count(box.context().pool) > 3)
        taken.push_back(rte_pktmbuf_alloc(box.context().pool));
    const uint16_t used = frame->nb_segs;
    EXPECT_EQ(send_fragments(frame, static_cast<uint32_t>(o.frame.size() - kEthernet), 1280, kWan,
                             box.context()),
              0u);
    box.context().transmitter->flush(box.context());
    EXPECT_TRUE(box.sent().empty());
    EXPECT_EQ(rte_mempool_avail_count(box.context().pool), 3u + used);
    for (rte_mbuf* m : taken) rte_pktmbuf_free(m);
}

}  // namespace
}  // namespace ravelin::test
