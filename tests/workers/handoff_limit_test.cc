// SPDX-License-Identifier: Apache-2.0
// A worker that stands still: what others have for it waits in rings of fixed size, the rest is
// dropped by name, and nobody else waits.
#include <gtest/gtest.h>

#include <chrono>

#include "dataplane/limits.h"
#include "tests/support/box_test.h"
#include "tests/support/ring_box.h"
#include "tests/support/standing.h"

namespace ravelin::test {
namespace {

constexpr WorkerId kWorkers = 2;
constexpr const char* kConfig = R"(
mode: wire
workers: {count: 2, poll: adaptive, buffers: 1024, flows: 1024, hugepages: "off"}
ports: [{name: lan, device: net_ring_lan}, {name: wan, device: net_ring_wan, queues: 2}]
pipeline: [parse, steer, wire]
)";

class HandoffLimit : public ::testing::Test {
  protected:
    HandoffLimit() { box_.apply(kConfig); }
    /// Sends `n` packets of flows of one worker.
    void send(unsigned n, WorkerId owner) {
        for (uint16_t port = 1; n != 0; ++port) {
            if (owner_of_question(port, kWorkers) != owner) continue;
            box_.send(0, exact_frame(parse_packet_text(question(port), kDefaults)->frame));
            --n;
        }
    }
    /// What the wire itself had no room for: it holds one frame less than a handoff ring.
    [[nodiscard]] unsigned overrun() const {
        return static_cast<unsigned>(box_.counter("drop.pipeline.tx_full"));
    }
    /// Takes what leaves until `n` have or were overrun, or nothing has for a long time.
    unsigned take(unsigned n) {
        unsigned taken = 0;
        auto last = std::chrono::steady_clock::now();
        while (taken + overrun() < n &&
               std::chrono::steady_clock::now() - last < std::chrono::seconds(10))
            for (rte_mbuf* frame : box_.receive(1)) {
                rte_pktmbuf_free(frame);
                ++taken;
                last = std::chrono::steady_clock::now();
            }
        return taken;
    }
    const PacketTextDefaults kDefaults{.port = "lan", .port_macs = {}};
    RingBox box_{{"lan", "wan"}, kWorkers};
};

TEST_F(HandoffLimit, AWorkerThatStandsLosesWhatItsRingDoesNotHoldAndHoldsUpNobody) {
    constexpr unsigned kLost = 1000;
    Standing standing(*box_.store().appliance()->workers()[1]);
    send(limits::kHandoffRing + kLost, 1);
    send(500, 0);
    EXPECT_EQ(take(500), 500u) << "of the worker that goes on";
    EXPECT_EQ(box_.counter("drop.pipeline.handoff_full"), kLost);
    EXPECT_EQ(box_.dropped(), kLost) << box_.drops();
    standing.let_go();
    EXPECT_TRUE(standing.done);
    EXPECT_EQ(take(limits::kHandoffRing) + overrun(), limits::kHandoffRing);
    EXPECT_TRUE(box_.settle());
    EXPECT_EQ(box_.dropped(), kLost + overrun()) << box_.drops();
    EXPECT_EQ(rte_mempool_in_use_count(test_eal()), 0u);
}

}  // namespace
}  // namespace ravelin::test
