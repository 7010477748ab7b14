// SPDX-License-Identifier: Apache-2.0
// NICs that spread flows themselves, played by rings filled as DPDK's own Toeplitz hash would fill
// queues: whole packets of TCP and UDP are where they belong, the rest is brought there by steer.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_ethdev.h>
#include <rte_thash.h>

#include <cstring>
#include <random>

#include "dataplane/net/packet_text.h"
#include "dataplane/port.h"
#include "dataplane/rss.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

constexpr unsigned kWorkers = 4, kEntries = 128;

uint32_t word_at(const uint8_t* bytes) {
    uint32_t word = 0;
    std::memcpy(&word, bytes, 4);
    return rte_be_to_cpu_32(word);
}

/// DPDK's hash over addresses of 4 or 16 bytes each and, where wanted, four bytes of ports.
uint32_t dpdk_hash(const uint8_t* addresses, unsigned length, const uint8_t* ports) {
    uint32_t words[9] = {};
    unsigned n = 0;
    for (; n < length / 2; ++n) words[n] = word_at(addresses + 4 * size_t{n});
    if (ports != nullptr) words[n++] = word_at(ports);
    alignas(4) static constexpr auto kKey = rss::kKey;  // it reads words
    return rte_softrss(words, n, kKey.data());
}

/// The queue a NIC would choose for an untagged frame.
unsigned queue_of(const Bytes& frame) {
    const bool v4 = frame[12] == 0x08;
    const uint8_t* ip = frame.data() + 14;
    const uint8_t protocol = v4 ? ip[9] : ip[6];
    const bool fragment = v4 ? (ip[6] & 0x3f) != 0 || ip[7] != 0 : protocol == 44;
    const bool ports = !fragment && (protocol == 6 || protocol == 17);
    const uint32_t hash = v4 ? dpdk_hash(ip + 12, 4, ports ? ip + 20 : nullptr)
                             : dpdk_hash(ip + 8, 16, ports ? ip + 40 : nullptr);
    return hash % kEntries % kWorkers;
}

TEST(Rss, OurHashIsTheOneOfDpdkInBothDirections) {
    std::mt19937 random(1);
    for (unsigned i = 0; i < 2000; ++i) {
        const bool v4 = i % 2 == 0;
        uint8_t raw[36];
        for (uint8_t& byte : raw) byte = static_cast<uint8_t>(random());
        const unsigned length = v4 ? 4 : 16;
        const auto address = [&](const uint8_t* at) {
            return v4 ? IpAddress::v4(word_at(at)) : IpAddress::v6(at);
        };
        const IpAddress a = address(raw), b = address(raw + length);
        const auto port = [&](unsigned k) {
            return static_cast<uint16_t>(raw[2 * length + k] << 8 | raw[2 * length + k + 1]);
        };
        const uint32_t expected = dpdk_hash(raw, length, raw + size_t{2} * length);
        ASSERT_EQ(rss::toeplitz(a, b, port(0), port(2)), expected);
        ASSERT_EQ(rss::toeplitz(b, a, port(2), port(0)), expected);
    }
}

TEST(Rss, APortAsksForTheSymmetricKeyAndAnEvenTable) {
    RingBox eal({}, 1);
    rte_mempool* pool = rte_pktmbuf_pool_create("null", 8191, 0, sizeof(PacketMeta),
                                                RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    ASSERT_NE(pool, nullptr);
    PortConfig config;
    config.name = "lan";
    config.device = "null";
    config.queues = kWorkers;
    auto port = Port::open(config, 9, {&pool, 1});
    ASSERT_TRUE(port.ok()) << port.error().message;
    ASSERT_NE((*port)->rss_entries(), 0);
    uint8_t key[rss::kKey.size()] = {};
    rte_eth_rss_conf conf{.rss_key = key, .rss_key_len = sizeof key, .rss_hf = 0};
    ASSERT_EQ(rte_eth_dev_rss_hash_conf_get((*port)->device(), &conf), 0);
    EXPECT_EQ(std::memcmp(key, rss::kKey.data(), 40), 0);
    rte_eth_rss_reta_entry64 table[2] = {};
    for (auto& group : table) group.mask = ~uint64_t{0};
    ASSERT_EQ((*port)->rss_entries(), 128);
    ASSERT_EQ(rte_eth_dev_rss_reta_query((*port)->device(), table, 128), 0);
    for (unsigned i = 0; i < 128; ++i) EXPECT_EQ(table[i / 64].reta[i % 64], i % kWorkers);
    port->reset();
    rte_mempool_free(pool);
}

class SpreadBox : public ::testing::Test {
  protected:
    SpreadBox() : box_({"lan", "wan"}, kWorkers, &Now::read, kWorkers) {
        box_.apply(R"(
mode: wire
workers: {count: 4, poll: adaptive, buffers: 1024, flows: 1024, hugepages: "off"}
ports:
  - {name: lan, device: net_ring_lan, queues: 4, rss: device}
  - {name: wan, device: net_ring_wan, queues: 4, rss: device}
pipeline: [parse, steer, wire, {firewall: {rules: [{name: out, action: accept, in: lan}]}}]
)");
        pool_ = rte_pktmbuf_pool_create("traffic", 2047, 0, sizeof(PacketMeta),
                                        RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    }
    ~SpreadBox() override { rte_mempool_free(pool_); }

    /// Sends the packet as a NIC would spread it; true: it came out of the other side.
    bool passes(size_t port, const std::string& text) {
        const auto packet = parse_packet_text(text, {});
        EXPECT_TRUE(packet.ok()) << text;
        rte_mbuf* frame = rte_pktmbuf_alloc(pool_);
        std::memcpy(rte_pktmbuf_append(frame, static_cast<uint16_t>(packet->frame.size())),
                    packet->frame.data(), packet->frame.size());
        box_.send(port, frame, queue_of(packet->frame));
        EXPECT_TRUE(box_.settle());
        const auto out = box_.receive(1 - port);
        for (rte_mbuf* sent : out) rte_pktmbuf_free(sent);
        passed_ += out.size();
        return !out.empty();
    }
    uint64_t handed_over() { return box_.counter("steer.handed_over"); }

    RingBox box_;
    rte_mempool* pool_ = nullptr;
    uint64_t passed_ = 0;
};

TEST_F(SpreadBox, FlowsStayOnTheWorkerOfTheirQueueAndMeetTheirReplies) {
    for (int i = 1; i <= 32; ++i) {
        const std::string a = fmt::format("10.0.0.1:{}", 1000 + i), b = "192.0.2.7:80";
        const std::string c = fmt::format("[2001:db8::1]:{}", i), d = "[2001:db8:1::2]:53";
        EXPECT_FALSE(passes(1, "tcp " + b + " > " + a + " syn,ack")) << "nobody asked";
        EXPECT_TRUE(passes(0, "tcp " + a + " > " + b + " syn"));
        EXPECT_TRUE(passes(1, "tcp " + b + " > " + a + " syn,ack seq=7 ack=1"));
        EXPECT_TRUE(passes(0, "udp " + c + " > " + d + " len=9"));
        EXPECT_TRUE(passes(1, "udp " + d + " > " + c + " len=9"));
    }
    EXPECT_EQ(handed_over(), 0u);
}

TEST_F(SpreadBox, ErrorsEchoesAndFragmentsAreBroughtToTheirFlow) {
    for (int i = 1; i <= 32; ++i) {
        const std::string a = fmt::format("10.0.0.1:{}", 1000 + i);
        const std::string b = fmt::format("192.0.2.{}", i);
        EXPECT_TRUE(passes(0, "udp " + a + " > " + b + ":53 len=8"));
        EXPECT_TRUE(passes(1, fmt::format("icmp 10.9.9.{} > 10.0.0.1 unreachable/1 quoting "
                                          "(udp {} > {}:53 len=8)",
                                          i, a, b)));
        EXPECT_TRUE(passes(1, fmt::format("udp {}:53 > {} mf id={} len=8", b, a, i)));
        EXPECT_TRUE(passes(1, fmt::format("ip proto=17 {} > 10.0.0.1 frag=16 id={} len=8", b, i)));
        EXPECT_TRUE(passes(0, fmt::format("icmp 10.0.0.1 > {} echo-request id={}", b, i)));
        EXPECT_TRUE(passes(1, fmt::format("icmp {} > 10.0.0.1 echo-reply id={}", b, i)));
    }
    EXPECT_GT(handed_over(), 0u);
}

}  // namespace
}  // namespace ravelin::test
