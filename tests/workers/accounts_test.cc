// SPDX-License-Identifier: Apache-2.0
// Whose the cycles of real workers are: every one has an owner, asleep or at work, and those of a
// turn are divided as the packets in it are worth.
#include <gtest/gtest.h>
#include <rte_cycles.h>

#include <chrono>
#include <thread>

#include "pipelines/model/tree_codec.h"
#include "tests/support/box_test.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

using sched::PrincipalId;
using sched::Use;

constexpr const char* kOrg = "{name: org, prefixes: 10.0.0.0/8}";

std::string yaml(const char* poll, const std::string& others = "{name: guests}") {
    return std::string(R"(
mode: wire
workers: {count: 2, buffers: 1024, flows: 1024, hugepages: "off", poll: )") +
           poll + R"(}
ports: [{name: lan, device: net_ring_lan, queues: 2}, {name: wan, device: net_ring_wan, queues: 2}]
pipeline: [parse, steer, wire, {firewall: {rules: [{name: all, action: accept}]}}, classify]
principals: [)" +
           others + "]\n";
}

/// What a worker has charged so far, and when.
class Look final : public Command {
  public:
    void run(Worker& worker) noexcept override {
        tsc = worker.account()->charged_until();
        cycles = worker.account()->usage().sum(Use::kCycles);
        idle = worker.account()->usage().get(sched::kIdlePrincipal, Use::kCycles);
        packets = worker.account()->usage().sum(Use::kPackets);
    }
    uint64_t tsc = 0, cycles = 0, idle = 0, packets = 0;
};

class AccountsTest : public ::testing::TestWithParam<const char*> {
  protected:
    AccountsTest() { box_.apply(yaml(GetParam(), std::string(kOrg) + ", {name: guests}")); }
    Worker& worker(size_t i) { return *box_.store().appliance()->workers()[i]; }
    void pass_packets(unsigned rounds) {
        PacketTextDefaults defaults;
        defaults.port = "lan";
        for (unsigned i = 0; i < rounds; ++i) {
            const auto packet = parse_packet_text(
                fmt::format("udp 10.0.0.{}:1 > 192.0.2.1:{}", i % 200 + 1, i % 5 + 1), defaults);
            ASSERT_TRUE(packet.ok());
            box_.send(0, exact_frame(packet->frame), i % 2);
            for (rte_mbuf* frame : box_.receive(1)) rte_pktmbuf_free(frame);
        }
        for (unsigned i = 0; i < 3; ++i) {
            ASSERT_TRUE(box_.turn());
            for (rte_mbuf* frame : box_.receive(1)) rte_pktmbuf_free(frame);
        }
    }
    RingBox box_{{"lan", "wan"}, 2, &Now::read, 2};
};

TEST_P(AccountsTest, EveryCycleOfAWorkerHasAnOwner) {
    std::vector<Look> before(2), after(2);
    for (size_t w = 0; w < 2; ++w) ASSERT_TRUE(worker(w).execute(before[w]));
    pass_packets(2000);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));  // asleep or polling
    uint64_t packets = 0;
    for (size_t w = 0; w < 2; ++w) {
        ASSERT_TRUE(worker(w).execute(after[w]));
        EXPECT_EQ(after[w].cycles - before[w].cycles, after[w].tsc - before[w].tsc);
        // No more is open than a turn takes, a scheduler's slice included.
        EXPECT_LT(rte_rdtsc() - after[w].tsc, rte_get_tsc_hz() / 10) << "worker " << w;
        EXPECT_GT(after[w].idle, before[w].idle);
        EXPECT_LT(after[w].idle - before[w].idle, after[w].cycles - before[w].cycles);
        packets += after[w].packets - before[w].packets;
    }
    EXPECT_EQ(packets, box_.counter("port.lan.rx_packets"));
}
// What is in force keeps its counts, whatever becomes of a policy that would have come after it.
TEST_P(AccountsTest, APolicyRefusedOrRolledBackTakesNothingFromWhoIsInForce) {
    const auto counted = [&] {
        const PrincipalId id = box_.store().current()->principals->table.find("org");
        return id == sched::kNoPrincipal ? 0 : box_.store().appliance()->use_of(id).packets;
    };
    pass_packets(100);
    ASSERT_EQ(counted(), 100u);
    config::Node path = config::Node::map();  // what `denying` denies: refused when it is built
    path.set("name", config::Node::text("ops"));
    path.set("action", config::Node::text("accept"));
    path.set("from", config::Node::blob(config::Node::encode(*Prefix::parse("10.0.0.1"))));
    Paths keep;
    model::encode(path, *keep.Add()->mutable_rule());
    const std::string without = yaml(GetParam(), "{name: guests}");
    std::string denying = without;
    denying.replace(denying.find("action: accept"), 14, "action: drop");
    EXPECT_FALSE(box_.try_apply(denying, 0, keep).ok());
    EXPECT_EQ(counted(), 100u);
    box_.apply(without, 60'000);
    ASSERT_TRUE(box_.store().roll_back().ok());
    EXPECT_EQ(counted(), 100u);
    pass_packets(10);
    EXPECT_EQ(counted(), 110u);
    box_.apply(without);  // gone for good, and back: somebody new
    box_.apply(yaml(GetParam(), kOrg));
    EXPECT_EQ(counted(), 0u);
}
INSTANTIATE_TEST_SUITE_P(Polls, AccountsTest, ::testing::Values("busy", "adaptive"));

}  // namespace
}  // namespace ravelin::test
