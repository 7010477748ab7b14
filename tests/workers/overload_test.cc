// SPDX-License-Identifier: Apache-2.0
// A worker whose port says that its ring is more than half full: what it gives up, and who does
// not.
#include <gtest/gtest.h>
#include <rte_ethdev.h>

#include <string>

#include "dataplane/limits.h"
#include "tests/support/frame_at.h"
#include "tests/support/ring_box.h"
#include "tests/support/small_router.h"
#include "tests/support/standing.h"

namespace ravelin::test {
namespace {

constexpr unsigned kFlood = 900;

std::string config(unsigned workers) {
    return "mode: router\nworkers: {count: " + std::to_string(workers) +
           ", poll: adaptive, buffers: 4096, flows: 4096, hugepages: \"off\"}\n" +
           small_router("net_ring_lan", "net_ring_wan");
}

class OverloadTest : public ::testing::Test {
  protected:
    void start(unsigned workers) {
        box_ = std::make_unique<RingBox>(std::vector<std::string>{"lan", "wan"}, workers);
        box_->apply(config(workers));
        ASSERT_TRUE(box_->settle());
        (void)left(0);
        (void)left(1);
    }
    void send(size_t port, const std::string& text) {
        const PolicySnapshot& policy = *box_->store().current();
        box_->send(port, exact_frame(frame_at(policy, text, policy.ports[port].name)));
    }
    unsigned left(size_t port) {
        unsigned n = 0;
        for (auto frames = box_->receive(port); !frames.empty(); frames = box_->receive(port))
            for (rte_mbuf* frame : frames) {
                rte_pktmbuf_free(frame);
                ++n;
            }
        return n;
    }
    // A flood of datagrams that nobody asked for, and among them every tenth the answer that
    // somebody did; all there before a worker looks.
    unsigned flood() {
        send(0, kAsk);
        EXPECT_TRUE(box_->settle());
        send(1, kAnswer);
        EXPECT_TRUE(box_->settle());
        (void)left(0);
        (void)left(1);
        const auto& workers = box_->store().appliance()->workers();
        std::vector<std::unique_ptr<Standing>> standing;
        for (const auto& worker : workers) standing.push_back(std::make_unique<Standing>(*worker));
        for (uint16_t i = 0; i < kFlood; ++i) {
            send(1, "udp 203.0.113.8:" + std::to_string(1000 + i) + " > 10.0.0.20:4000 len=9");
            if (i % 10 == 9) send(1, kAnswer);
        }
        ::rte_eth_fp_ops[box_->store().appliance()->ports()[1]->device()].rx_descriptor_status =
            [](void*, uint16_t) -> int { return RTE_ETH_RX_DESC_DONE; };
        standing.clear();
        EXPECT_TRUE(box_->settle());
        return left(0);
    }
    static constexpr const char* kAsk = "udp 10.0.0.20:4000 > 203.0.113.7:80 len=9";
    static constexpr const char* kAnswer = "udp 203.0.113.7:80 > 10.0.0.20:4000 len=9";
    std::unique_ptr<RingBox> box_;
};

TEST_F(OverloadTest, AnswersArriveThroughAFloodThatIsGivenUp) {
    start(1);
    EXPECT_EQ(flood(), kFlood / 10);
    const uint64_t given_up = box_->counter("drop.pipeline.overload");
    EXPECT_GT(given_up, kFlood / 2);
    EXPECT_EQ(box_->dropped(), kFlood) << box_->drops();
}

// Whose flow it is another worker knows.
TEST_F(OverloadTest, AWorkerThatReceivesForOthersGivesNothingUp) {
    start(2);
    EXPECT_EQ(flood(), kFlood / 10);
    EXPECT_EQ(box_->counter("drop.pipeline.overload"), 0u) << box_->drops();
    EXPECT_EQ(box_->dropped(), kFlood) << box_->drops();
}

}  // namespace
}  // namespace ravelin::test
