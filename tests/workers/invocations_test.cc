// SPDX-License-Identifier: Apache-2.0
// Functions on real workers: their cycles are whose packets they had, policies change under them,
// and nothing is lost without a name or out of order.
#include <gtest/gtest.h>
#include <rte_cycles.h>

#include <map>

#include "tests/support/frame_at.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

using sched::PrincipalId;
using sched::Use;

constexpr uint64_t kBurn = 5'000;  // cycles a packet

std::string yaml(const char* poll, const std::string& functions) {
    return std::string(R"(
mode: wire
workers: {count: 2, buffers: 4096, flows: 1024, hugepages: "off", poll: )") +
           poll + R"(}
ports: [{name: lan, device: net_ring_lan, queues: 2}, {name: wan, device: net_ring_wan, queues: 2}]
functions: [)" +
           functions + R"(]
principals: [{name: org, prefixes: 10.0.0.0/8, function: spend}, {name: guests, prefixes: 172.16.0.0/12}]
pipeline: [parse, steer, wire, {firewall: {rules: [{name: all, action: accept}]}}, classify, invoke]
)";
}
const std::string kSpend = fmt::format("{{name: spend, burn: {{cycles: {}}}}}", kBurn);

/// What a worker has charged so far, and until when.
class Look final : public Command {
  public:
    void run(Worker& worker) noexcept override {
        const sched::Usage& usage = worker.account()->usage();
        tsc = worker.account()->charged_until();
        cycles = usage.sum(Use::kCycles);
        packets = usage.sum(Use::kPackets);
        for (uint32_t i = 0; i < of.size(); ++i) of[i] = usage.get(PrincipalId{i}, Use::kCycles);
    }
    uint64_t tsc = 0, cycles = 0, packets = 0;
    std::array<uint64_t, 8> of{};
};

class WorkerInvocationsTest : public ::testing::TestWithParam<const char*> {
  protected:
    void start(const std::string& functions) { box_.apply(yaml(GetParam(), functions)); }
    Worker& worker(size_t i) { return *box_.store().appliance()->workers()[i]; }
    PrincipalId id(const char* name) {
        return box_.store().current()->principals->table.find(name);
    }
    /// Packet `number` of flow `flow`; its number is what it carries.
    void send(const std::string& net, unsigned flow, unsigned number) {
        const std::string text =
            fmt::format("udp {}.0.{}:1 > 192.0.2.1:9 hex={:08x}", net, flow + 1, number);
        box_.send(0, exact_frame(frame_at(*box_.store().current(), text, "lan")), flow % 2);
    }
    /// What left, by source; numbers in order.
    void take() {
        for (rte_mbuf* frame : box_.receive(1)) {
            const auto* f = rte_pktmbuf_mtod(frame, const uint8_t*);
            const unsigned number =
                unsigned{f[42]} << 24 | unsigned{f[43]} << 16 | unsigned{f[44]} << 8 | f[45];
            const std::string source(f + 26, f + 30);
            const auto [last, first] = last_.try_emplace(source, number);
            EXPECT_TRUE(first || last->second < number);
            last->second = number;
            ++left_;
            rte_pktmbuf_free(frame);
        }
    }
    /// Until so many packets have left or were dropped.
    void settle(uint64_t packets) {
        for (unsigned i = 0; i < 2000 && left_ + box_.dropped() < packets; ++i) {
            ASSERT_TRUE(box_.turn());
            take();
        }
    }
    RingBox box_{{"lan", "wan"}, 2, &Now::read, 2};
    std::map<std::string, unsigned> last_;
    uint64_t left_ = 0;
};

TEST_P(WorkerInvocationsTest, CyclesOfAFunctionAreItsPrincipals) {
    constexpr unsigned kPackets = 2'000;
    start(kSpend);
    std::vector<Look> before(2), after(2);
    for (size_t w = 0; w < 2; ++w) ASSERT_TRUE(worker(w).execute(before[w]));
    for (unsigned i = 0; i < kPackets; ++i) {
        send("10.0", i % 8, i);
        send("172.16", i % 8, i);
        if (i % 50 == 49) settle(2 * (i + 1));  // no more than rings hold
    }
    uint64_t of_org = 0, packets = 0;
    for (size_t w = 0; w < 2; ++w) {
        ASSERT_TRUE(worker(w).execute(after[w]));
        EXPECT_EQ(after[w].cycles - before[w].cycles, after[w].tsc - before[w].tsc);
        of_org += after[w].of[index(id("org"))];
        packets += after[w].packets - before[w].packets;
    }
    EXPECT_EQ(packets, 2u * kPackets);
    EXPECT_EQ(left_, 2u * kPackets) << box_.drops();
    EXPECT_EQ(box_.counter("invoke.packets"), kPackets);
    EXPECT_GE(of_org, box_.counter("invoke.packets") * kBurn);
}

// Functions stay, change, come and go under traffic. Every packet leaves or has a drop with a name.
TEST_P(WorkerInvocationsTest, PoliciesChangeUnderFunctions) {
    const std::vector<std::string> policies{
        kSpend, kSpend + ", {name: more, burn: {cycles: 0}}",
        "{name: spend, thin: {keep: 1, of: 2}}",
        "{name: spend, burn: {cycles: 100}, next: thin}, {name: thin, thin: {keep: 9, of: 10}}"};
    start(policies[0]);
    unsigned sent = 0;
    for (unsigned round = 1; round <= 24; ++round) {
        for (unsigned i = 0; i < 200; ++i, ++sent) send("10.0", i % 4, sent);
        if (round % 8 == 0) {  // no functions at all
            std::string none = yaml(GetParam(), "");
            none.replace(none.find(", function: spend"), 17, "");
            box_.apply(none);
        } else {
            start(policies[round % policies.size()]);
        }
        take();
    }
    settle(sent);
    EXPECT_EQ(left_ + box_.dropped(), sent) << box_.drops();
    EXPECT_GT(left_, sent / 4);
}
INSTANTIATE_TEST_SUITE_P(Polls, WorkerInvocationsTest, ::testing::Values("busy", "adaptive"));

}  // namespace
}  // namespace ravelin::test
