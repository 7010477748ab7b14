// SPDX-License-Identifier: Apache-2.0
// 1,000 policy changes under continuous traffic through four adaptive workers. Odd and even
// generations send the same packets out of different ports and accept only their own way out: a
// packet judged by a mixture of two would be dropped by the firewall. None may be, and none lost.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "dataplane/net/packet_text.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

constexpr unsigned kWorkers = 4, kChanges = 1000, kFlows = 512;

std::string configuration(bool odd) {
    return fmt::format(R"(
workers: {{count: {}, poll: adaptive, buffers: 4096, flows: 4096, hugepages: "off"}}
ports:
  - {{name: lan, device: net_ring_lan, addresses: 10.0.1.1/24, mac: "02:00:00:00:00:01"}}
  - {{name: left, device: net_ring_left, addresses: 10.0.2.1/24, mac: "02:00:00:00:00:02"}}
  - {{name: right, device: net_ring_right, addresses: 10.0.3.1/24, mac: "02:00:00:00:00:03"}}
pipeline:
  - parse
  - steer
  - route: {{routes: [{{to: 192.0.2.0/24, via: {}}}]}}
  - firewall: {{rules: [{{name: out, action: accept, out: {}}}]}}
  - neighbour:
      static:
        - {{port: left, address: 10.0.2.2, mac: "02:00:00:00:00:12"}}
        - {{port: right, address: 10.0.3.2, mac: "02:00:00:00:00:13"}}
  - local
  - rewrite
)",
                       kWorkers, odd ? "10.0.2.2" : "10.0.3.2", odd ? "left" : "right");
}

rte_mbuf* frame_of(rte_mempool* pool, const Bytes& bytes) {
    rte_mbuf* frame = nullptr;
    while ((frame = rte_pktmbuf_alloc(pool)) == nullptr) std::this_thread::yield();
    std::memcpy(rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes.size())), bytes.data(),
                bytes.size());
    return frame;
}

TEST(Workers, AThousandPolicyChangesLoseAndMixNothing) {
    RingBox box({"lan", "left", "right"}, kWorkers);
    box.apply(configuration(true));
    rte_mempool* pool = rte_pktmbuf_pool_create("traffic", 8191, 0, sizeof(PacketMeta),
                                                RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
    ASSERT_NE(pool, nullptr);
    std::vector<Bytes> packets;
    for (unsigned f = 0; f < kFlows; ++f) {
        auto packet = parse_packet_text(
            fmt::format("in=lan udp 10.0.1.{}:{} > 192.0.2.{}:53 len=20 dst-mac=02:00:00:00:00:01",
                        f % 200 + 2, 1024 + f, f % 250 + 1),
            {});
        ASSERT_TRUE(packet.ok()) << packet.error().message;
        packets.push_back(packet->frame);
    }
    std::atomic<bool> changing{true};
    std::atomic<uint64_t> out[2] = {};
    std::atomic<uint64_t> sent = 0;
    // One generator, one sink: the test's own threads share two cores with four adaptive workers.
    std::thread wire([&] {
        size_t next = 0;
        const auto take = [&] {
            for (const size_t port : {1, 2})
                for (rte_mbuf* frame : box.receive(port)) {
                    // The box also announces its addresses, which is not our traffic.
                    if (*rte_pktmbuf_mtod_offset(frame, uint8_t*, 13) == 0x00)
                        out[port - 1].fetch_add(1, std::memory_order_relaxed);
                    rte_pktmbuf_free(frame);
                }
        };
        while (changing.load()) {
            for (unsigned i = 0; i < 32; ++i) {
                if (sent - out[0] - out[1] > 512)
                    break;  // lossless: never more than the rings hold
                box.send(0, frame_of(pool, packets[next++ % packets.size()]));
                ++sent;
            }
            take();
        }
        for (unsigned idle = 0; idle < 2000 && out[0] + out[1] + box.dropped() < sent; ++idle) {
            take();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    });
    for (unsigned change = 0; change < kChanges && !HasFatalFailure(); ++change) {
        const uint64_t before = out[0] + out[1];
        box.apply(configuration(change % 2 != 0));
        for (unsigned wait = 0; out[0] + out[1] < before + 64; ++wait) {
            ASSERT_LT(wait, 10'000u)
                << "traffic stands still: sent " << sent << " out " << out[0] << " + " << out[1]
                << " emitted " << box.counter("pipeline.emitted") << " handed "
                << box.counter("pipeline.handed_over") << " taken "
                << box.counter("pipeline.taken_over") << " rx "
                << box.counter("port.lan.rx_packets") << " consumed "
                << box.counter("pipeline.consumed") << " drops " << box.drops();
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
    }
    changing = false;
    wire.join();
    EXPECT_EQ(box.dropped(), 0u) << box.drops();
    EXPECT_EQ(out[0] + out[1], sent);
    EXPECT_EQ(box.counter("port.lan.rx_packets"), sent);
    EXPECT_GT(out[0], kChanges) << "both generations must have carried traffic";
    EXPECT_GT(out[1], kChanges);
    EXPECT_GT(box.counter("pipeline.handed_over"), 0u) << "steering must have been at work";
}

}  // namespace
}  // namespace ravelin::test
