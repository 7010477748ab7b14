// SPDX-License-Identifier: Apache-2.0
// The exception path with four workers and its own thread. A pair of sockets that keep datagrams
// whole stands for the TAP: the test is the kernel.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <functional>
#include <set>
#include <thread>

#include "dataplane/engine_counters.h"
#include "dataplane/net/packet_text.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

constexpr unsigned kWorkers = 4, kFlows = 64;
constexpr std::chrono::seconds kPatience{20};

int kernel_end = -1;

Result<int> open_fake(const TapConfig& config) {
    int ends[2];
    if (config.name != "lan0" || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) != 0)
        return Error{"no pair"};
    kernel_end = ends[1];
    return ends[0];
}

constexpr const char* kConfig = R"(
workers: {count: 4, poll: adaptive, buffers: 2048, flows: 1024, hugepages: "off"}
ports:
  - {name: lan, device: net_ring_lan, addresses: 10.0.1.1/24, mac: "02:00:00:00:00:01", tap: lan0}
pipeline:
  - parse
  - steer
  - route
  - firewall: {default: drop, rules: [{name: bgp, action: accept, out: local, protocol: tcp, to-ports: 179}]}
  - neighbour
  - local
  - rewrite
)";

Bytes frame_of(const std::string& text) {
    auto packet = parse_packet_text(text, {});
    if (!packet.ok()) ADD_FAILURE() << packet.error().message << ": " << text;
    return packet.ok() ? packet->frame : Bytes{};
}

class KernelPathTest : public ::testing::Test {
  protected:
    KernelPathTest() : box_({"lan"}, kWorkers, &Now::read, 1, open_fake) {
        box_.apply(kConfig);
        pool_.reset(rte_pktmbuf_pool_create("traffic", 1023, 0, sizeof(PacketMeta),
                                            RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY));
    }
    ~KernelPathTest() override { close(kernel_end); }

    void from_wire(const std::string& text) {
        const Bytes bytes = frame_of(text);
        rte_mbuf* frame = rte_pktmbuf_alloc(pool_.get());
        ASSERT_NE(frame, nullptr);
        std::memcpy(rte_pktmbuf_append(frame, static_cast<uint16_t>(bytes.size())), bytes.data(),
                    bytes.size());
        box_.send(0, frame);
    }
    void from_kernel(const std::string& text) {
        const Bytes bytes = frame_of(text);
        ASSERT_EQ(write(kernel_end, bytes.data(), bytes.size()), ssize_t(bytes.size()));
    }
    static bool wait(const std::function<bool()>& condition) {
        const auto end = std::chrono::steady_clock::now() + kPatience;
        while (!condition())
            if (std::chrono::steady_clock::now() > end) return false;
        return true;
    }
    /// Frames that reach the kernel, until there are `n`.
    std::multiset<Bytes> at_kernel(size_t n) {
        std::multiset<Bytes> out;
        wait([&] {
            uint8_t buffer[2048];
            const ssize_t got = read(kernel_end, buffer, sizeof buffer);
            if (got > 0) out.emplace(buffer, buffer + got);
            return out.size() >= n;
        });
        return out;
    }
    std::multiset<Bytes> on_wire(size_t n) {
        std::multiset<Bytes> out;
        wait([&] {
            for (rte_mbuf* frame : box_.receive(0)) {
                const Bytes bytes = bytes_of(frame);
                if (bytes[12] == 8 && bytes[13] == 0) out.insert(bytes);  // not the box's own ARP
                rte_pktmbuf_free(frame);
            }
            return out.size() >= n;
        });
        return out;
    }
    struct FreePool {
        void operator()(rte_mempool* pool) const { rte_mempool_free(pool); }
    };
    std::unique_ptr<rte_mempool, FreePool> pool_;  // outlives the box, which gives frames back
    RingBox box_;
};

TEST_F(KernelPathTest, SessionsBothWaysStayWithTheWorkerOfTheirFlow) {
    const auto peer = [](unsigned f, const char* rest) {
        return fmt::format("in=lan dst-mac=02:00:00:00:00:01 tcp 10.0.1.{}:{} > 10.0.1.1:179 {}",
                           2 + f, 2000 + f, rest);
    };
    const auto own = [](unsigned f, const char* rest) {
        return fmt::format(
            "src-mac=02:00:00:00:00:01 dst-mac=02:00:00:00:00:09 "
            "tcp 10.0.1.1:179 > 10.0.1.{}:{} {}",
            2 + f, 2000 + f, rest);
    };
    std::multiset<Bytes> to_kernel, to_wire;
    for (unsigned f = 0; f < kFlows; ++f) {
        from_wire(peer(f, "syn seq=1"));
        to_kernel.insert(frame_of(peer(f, "syn seq=1")));
    }
    EXPECT_EQ(at_kernel(kFlows), to_kernel);
    for (unsigned f = 0; f < kFlows; ++f) {
        from_kernel(own(f, "syn,ack seq=9 ack=2"));
        to_wire.insert(frame_of(own(f, "syn,ack seq=9 ack=2")));
    }
    EXPECT_EQ(on_wire(kFlows), to_wire) << "as the kernel made them";
    for (unsigned f = 0; f < kFlows; ++f) from_wire(peer(f, "ack seq=2 ack=10"));
    EXPECT_EQ(at_kernel(kFlows).size(), kFlows) << box_.drops();
    EXPECT_EQ(box_.dropped(), 0u) << box_.drops();
    EXPECT_TRUE(wait([&] { return box_.counter("flows.created") == kFlows; }));
    uint64_t with_flows = 0;
    for (const auto& worker : box_.store().appliance()->workers())
        with_flows += worker->context().counters.get(kFlowsCreated) != 0 ? 1 : 0;
    EXPECT_GT(with_flows, 1u);
}

TEST_F(KernelPathTest, WhatTheKernelOpensIsAnsweredWithoutARule) {
    for (unsigned f = 0; f < kFlows; ++f)
        from_kernel(
            fmt::format("src-mac=02:00:00:00:00:01 dst-mac=02:00:00:00:00:09 "
                        "tcp 10.0.1.1:{} > 10.0.1.9:179 syn seq=1",
                        3000 + f));
    EXPECT_EQ(on_wire(kFlows).size(), kFlows);
    for (unsigned f = 0; f < kFlows; ++f)
        from_wire(
            fmt::format("in=lan dst-mac=02:00:00:00:00:01 tcp 10.0.1.9:179 > 10.0.1.1:{} "
                        "syn,ack seq=7 ack=2",
                        3000 + f));
    EXPECT_EQ(at_kernel(kFlows).size(), kFlows) << box_.drops();
    from_wire(
        "in=lan dst-mac=02:00:00:00:00:01 tcp 10.0.1.9:179 > 10.0.1.1:2999 syn,ack seq=7 ack=2");
    EXPECT_TRUE(wait([&] { return box_.dropped() == 1; })) << "nobody asked for this one";
}

}  // namespace
}  // namespace ravelin::test
