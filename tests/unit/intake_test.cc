// SPDX-License-Identifier: Apache-2.0
// How much new work a worker takes on while a ring fills, and whose packets the rest is.
#include "dataplane/intake.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <string>
#include <vector>

#include "tests/support/frame_at.h"
#include "tests/support/ring_ports.h"
#include "tests/support/small_router.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

constexpr unsigned kFull = limits::kArrivals;
constexpr uint16_t kRing = 256;

// A driver that says of its ring what the test wants.
int answer = RTE_ETH_RX_DESC_AVAIL;
uint16_t asked = 0;
class TellingPort {
  public:
    TellingPort() {
        ::rte_eth_fp_ops[device()].rx_descriptor_status = [](void*, uint16_t offset) {
            asked = offset;
            return answer;
        };
    }
    ~TellingPort() { ::rte_eth_fp_ops[device()].rx_descriptor_status = nullptr; }
    TellingPort(const TellingPort&) = delete;
    TellingPort& operator=(const TellingPort&) = delete;
    [[nodiscard]] uint16_t device() const { return port_.device(); }

  private:
    RingPort port_;
};

class IntakeTest : public ::testing::Test {
  protected:
    StageFixture eal_{"ports: [{name: lan, device: 'null'}]\npipeline: [parse]\n"};
    TellingPort port_;
    unsigned call(Intake& intake, unsigned received) {
        return intake.allow(port_.device(), 0, received);
    }
};

TEST_F(IntakeTest, TakesAllWhileTheRingIsShortHoweverMuchComes) {
    answer = RTE_ETH_RX_DESC_AVAIL;
    Intake intake(kRing);
    for (unsigned i = 0; i < 1000; ++i) EXPECT_EQ(call(intake, kFull), kFull);
    EXPECT_EQ(asked, kRing / 2);
}

TEST_F(IntakeTest, TakesLessAndLessOfACrowdedRingButNeverNothing) {
    answer = RTE_ETH_RX_DESC_DONE;
    Intake intake(kRing);
    unsigned before = kFull;
    for (unsigned i = 0; i < 20; ++i) {
        const unsigned now = call(intake, kFull);
        EXPECT_TRUE(now < before || now == 1) << now;
        before = now;
    }
    EXPECT_EQ(before, 1u);
    EXPECT_GT(call(intake, kFull - 1), 1u) << "not full: there is no ring behind it";
    answer = RTE_ETH_RX_DESC_AVAIL;
    for (unsigned i = 0; i < 40; ++i) before = call(intake, kFull);
    EXPECT_EQ(before, kFull);
}

TEST_F(IntakeTest, ADriverThatTellsNothingAllowsAll) {
    answer = -ENOTSUP;
    Intake intake(kRing);
    for (unsigned i = 0; i < 1000; ++i) EXPECT_EQ(call(intake, kFull), kFull);
}

TEST_F(IntakeTest, AKernelsSocketIsFullWhenCallsAreFullForLong) {
    answer = RTE_ETH_RX_DESC_AVAIL;
    Intake intake(kRing, false);
    for (unsigned i = 0; i < kRing / kFull; ++i) EXPECT_EQ(call(intake, kFull), kFull);
    EXPECT_LT(call(intake, kFull), kFull);
    const unsigned less = call(intake, kFull);
    EXPECT_GT(call(intake, 3), less);
    EXPECT_GT(call(intake, kFull), less) << "counted anew";
}

const std::string kWeb = ", {name: web, action: accept, in: wan, protocol: tcp, to-ports: 443}";

class Overload : public ::testing::Test {
  protected:
    Overload() {
        in("lan", {kOut});
        in("wan", {kBack});
        in("lan", {kOut});
        (void)box_.sent();
    }
    void in(const std::string& port, const std::vector<std::string>& texts) {
        std::vector<Bytes> frames;
        for (const std::string& text : texts) frames.push_back(frame_at(box_.policy(), text, port));
        box_.receive(port, frames);
    }
    static std::string syn(unsigned i) {
        return fmt::format("tcp 203.0.113.{}:{} > 10.0.0.20:443 syn seq=1", i, 1000 + i);
    }
    uint64_t given_up() { return box_.drops()["pipeline.overload"]; }

    static constexpr const char* kOut = "udp 10.0.0.20:4000 > 203.0.113.7:80 len=9";
    static constexpr const char* kBack = "udp 203.0.113.7:80 > 10.0.0.20:4000 len=9";
    StageFixture box_{small_router("'null'", "'null'", kWeb)};
};

TEST_F(Overload, LosesWhatIsOfNoProvenFlowBeyondWhatIsAllowed) {
    box_.allow_unproven(3);
    std::vector<std::string> flood;
    for (unsigned i = 0; i < 40; ++i) {
        flood.push_back(syn(i));
        if (i % 4 == 0) flood.emplace_back(kBack);
    }
    in("wan", flood);
    EXPECT_EQ(given_up(), 37u);
    EXPECT_EQ(box_.sent().size(), 13u) << "all ten of the flow, and three that open one";
}

// A flow's packets that the shortcut leaves are of a proven flow all the same.
TEST_F(Overload, KeepsWhatTheShortcutLeavesOfAProvenFlow) {
    box_.allow_unproven(1);
    in("wan", {syn(1), syn(2), "udp 203.0.113.7:80 > 10.0.0.20:4000 ttl=1 len=9", kBack, syn(3)});
    EXPECT_EQ(given_up(), 2u);
    // The first SYN, the flow's packet, and to whom sent the other that its time was over.
    EXPECT_EQ(box_.sent().size(), 3u);
}

TEST_F(Overload, NeighboursAreHeardAndFragmentsAreNot) {
    box_.allow_unproven(0);
    in("wan", {"arp who-has 192.0.2.1 tell 192.0.2.9", syn(1)});
    EXPECT_EQ(given_up(), 0u) << "nor is what stands behind it looked at";
    EXPECT_EQ(box_.sent().size(), 2u);
    in("wan", {"ip proto=17 203.0.113.9 > 10.0.0.20 frag=24 id=7 len=8",
               "icmp 203.0.113.9 > 10.0.0.20 echo-request id=1 seq=1"});
    EXPECT_EQ(given_up(), 2u);
    EXPECT_TRUE(box_.sent().empty());
}

}  // namespace
}  // namespace ravelin::test
