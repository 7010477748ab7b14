// SPDX-License-Identifier: Apache-2.0
// A worker's turns in virtual time: the core goes first, functions share what is left.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_cycles.h>
#include <rte_ethdev.h>
#include <rte_malloc.h>

#include "tests/support/turned_load.h"

namespace ravelin::test {
namespace {

using sched::Use;

constexpr uint64_t kMaxRun = 40'000;  // ns

std::string yaml(const std::string& functions, const std::string& principals) {
    return fmt::format(R"(
mode: wire
workers: {{count: 1, buffers: 8192, flows: 1024, hugepages: "off", poll: busy}}
ports: [{{name: lan, device: net_ring_lan}}, {{name: wan, device: net_ring_wan}}]
functions: [{}]
principals: [{}]
pipeline: [parse, steer, wire, {{firewall: {{rules: [{{name: all, action: accept}}]}}}}, classify, invoke]
)",
                       functions, principals);
}

uint64_t ns_of(uint64_t cycles) { return cycles * 1'000'000'000 / rte_get_tsc_hz(); }

TEST(Turned, WhatFunctionsWantIsDividedByWeightAndTheCoreDoesNotWait) {
    TurnedBox box(yaml("{name: spend, burn: {cycles: 3000}}",
                       "{name: a, prefixes: 10.1.0.0/16, function: spend}, "
                       "{name: b, prefixes: 10.2.0.0/16, function: spend, weight: 3}, "
                       "{name: plain, prefixes: 10.3.0.0/16}"));
    Load load(box);
    load.add("10.1.0.1", 1'000);  // each wants more than there is
    load.add("10.2.0.1", 1'000);
    load.add("10.3.0.1", 5'000);
    load.run(100'000'000);
    const Load::Seen plain = load.seen(2);
    EXPECT_GE(plain.left + 10, plain.sent);
    EXPECT_EQ(box.counter("drop.pipeline.overload"), 0u);
    // One run, and the turns around it.
    EXPECT_LT(plain.longest_ns, kMaxRun + ns_of(3 * (kTurn + 64 * kEach)));
    const double a = static_cast<double>(box.invoked("a", Use::kCycles)),
                 b = static_cast<double>(box.invoked("b", Use::kCycles));
    EXPECT_NEAR(b / a, 3, 0.1);
    EXPECT_GT(a + b, 0.5 * static_cast<double>(rte_get_tsc_hz()) * 0.1);
    // Once each.
    EXPECT_GE(box.charged("a", Use::kCycles), box.invoked("a", Use::kCycles));
    EXPECT_LT(box.charged("a", Use::kCycles), box.invoked("a", Use::kCycles) * 3 / 2);
    EXPECT_GT(box.counter("drop.invoke.queue_full") + box.counter("drop.invoke.pool_full"), 0u);
}

// All that passes by the clock is charged, functions' cycles once.
TEST(Turned, EveryCycleHasAnOwner) {
    TurnedBox box(yaml("{name: spend, burn: {cycles: 700}}, {name: two, thin: {}, next: spend}",
                       "{name: a, prefixes: 10.1.0.0/16, function: two}"));
    Load load(box);
    load.add("10.1.0.1", 3'000, 3);
    load.add("10.9.0.1", 2'000);
    const Account& account = *box.worker().account();
    const uint64_t cycles = account.usage().sum(Use::kCycles), until = account.charged_until();
    load.run(10'000'000);
    EXPECT_EQ(account.usage().sum(Use::kCycles) - cycles, account.charged_until() - until);
    EXPECT_LE(TurnedBox::cycles() - account.charged_until(), 1'000u);
    EXPECT_GT(box.charged("a", Use::kCycles), 700 * box.counter("invoke.packets"));
}

// A hypervisor takes 200 us out of runs: they are the core's, and who was run pays for
// what it took alone.
TEST(Turned, WhatTheMachineTakesOfARunNobodyPaysFor) {
    TurnedBox box(yaml("{name: spend, burn: {cycles: 900}, work: 1000}",
                       "{name: a, prefixes: 10.1.0.0/16, function: spend}"));
    Load load(box);
    load.add("10.1.0.1", 500);
    load.run(1'000'000);
    const auto charged = [&] { return box.charged("a", Use::kCycles); };
    const uint64_t before = charged(), packets = box.invoked("a", Use::kPackets);
    std::vector<TurnedTime::Stall> stalls;
    for (unsigned i = 1; i <= 16; ++i)
        stalls.push_back({TurnedBox::now_ns() + i * 500'000, 200'000});
    TurnedTime::stall(stalls);
    load.run(10'000'000);
    const uint64_t lost_us = box.counter("invoke.lost_us");
    EXPECT_GE(lost_us, 190u) << "none of them fell into a run";
    EXPECT_LT(charged() - before, 1'200 * (box.invoked("a", Use::kPackets) - packets));
    EXPECT_EQ(box.invoked("a", Use::kOverruns), 0u);
    EXPECT_GE(box.charged("core", Use::kCycles), TurnedTime::cycles_of(lost_us * 1'000));
}

/// Receiving takes some cycles while this lives, so that time passes behind a turn's stamp.
class SlowReceive {
  public:
    SlowReceive() {
        rte_eth_dev_get_port_by_name("net_ring_lan", &device_);
        callback_ = rte_eth_add_rx_callback(device_, 0, received, nullptr);
    }
    ~SlowReceive() {
        rte_eth_remove_rx_callback(device_, 0, callback_);
        rte_free(const_cast<rte_eth_rxtx_callback*>(callback_));
    }
    SlowReceive(const SlowReceive&) = delete;
    SlowReceive& operator=(const SlowReceive&) = delete;

  private:
    static uint16_t received(uint16_t, uint16_t, rte_mbuf**, uint16_t n, uint16_t, void*) {
        TurnedTime::pass(kTurn);
        return n;
    }
    uint16_t device_ = 0;
    const rte_eth_rxtx_callback* callback_ = nullptr;
};

// The machine stalls behind a turn's stamp, and the turn brings more than the port can carry: the
// device is given no more than ever, though by that stamp the wire had been busy with it meanwhile.
TEST(Turned, WhatIsHandedOverBehindAStallIsNotAheadOfTheWireTwice) {
    std::string text = yaml("", "{name: a, prefixes: 10.1.0.0/16}");
    text.replace(text.find("net_ring_wan"), 12, "net_ring_wan, rate: 100Mbit");
    TurnedBox box(text);
    const SlowReceive slow;
    const Bytes frame = frame_at(box.policy(), "udp 10.1.0.1:1 > 192.0.2.1:9 len=1000", "lan");
    constexpr uint64_t kNsPerByte = 80, kRing = 4 * (1'522 + 24) * kNsPerByte;
    uint64_t free = 0, longest = 0;
    unsigned left = 0;
    for (unsigned burst = 1; burst <= 4; ++burst) {
        for (unsigned i = 0; i < 30; ++i) box.send(frame);
        const TurnedTime::Stall stall{TurnedBox::now_ns() + 10, 400'000};
        TurnedTime::stall({&stall, 1});
        while (left < 30 * burst) {
            box.turn(0);
            for (const auto& [one, ns] : box.receive()) {
                free = std::max(free, ns) + (rte_pktmbuf_pkt_len(one) + 24) * kNsPerByte;
                longest = std::max(longest, free - ns);
                rte_pktmbuf_free(one);
                ++left;
            }
        }
    }
    EXPECT_GT(longest, kRing / 2);
    EXPECT_LE(longest, kRing);
}

// A function that takes twenty times what it states is soon run packet by packet, then no more.
TEST(Turned, WhoOverrunsIsSuspendedUntilAPolicyPardonsIt) {
    const std::string principals = "{name: a, prefixes: 10.1.0.0/16, function: spend}";
    TurnedBox box(yaml("{name: spend, burn: {cycles: 20000}, work: 1000}", principals));
    Load load(box);
    load.add("10.1.0.1", 20'000);
    load.run(10'000'000);
    EXPECT_EQ(box.invoked("a", Use::kSuspensions), 1u);
    EXPECT_EQ(box.invoked("a", Use::kOverruns), 64u);
    const uint64_t suspended = box.counter("drop.invoke.suspended");
    EXPECT_GT(suspended, 100u);
    const uint64_t runs = box.counter("invoke.runs");
    box.apply(yaml("{name: spend, burn: {cycles: 900}, work: 1000}", principals));
    load.run(1'000'000);
    EXPECT_GT(box.counter("invoke.runs"), runs + 40);
    EXPECT_EQ(box.counter("drop.invoke.suspended"), suspended);
}

}  // namespace
}  // namespace ravelin::test
