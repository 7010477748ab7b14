// SPDX-License-Identifier: Apache-2.0
// A worker's turns in virtual time: the core goes first, functions share what is left.
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <rte_cycles.h>

#include <algorithm>
#include <map>

#include "tests/support/frame_at.h"
#include "tests/support/turned_box.h"

namespace ravelin::test {
namespace {

using sched::Use;

constexpr uint64_t kTurn = 300, kEach = 120;  // cycles of a turn and of a packet in it
constexpr uint64_t kMaxRun = 40'000;          // ns

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

/// Packets of hosts, so many a second of virtual time, and when each left.
class Load {
  public:
    explicit Load(TurnedBox& box) : box_(box) {}
    /// `host` sends every `period_ns`, `together` at once.
    void add(const std::string& host, uint64_t period_ns, unsigned together = 1) {
        const Bytes frame =
            frame_at(box_.policy(), fmt::format("udp {}:1 > 192.0.2.1:9 len=60", host), "lan");
        hosts_.push_back({std::string(frame.begin() + 26, frame.begin() + 30),
                          frame,
                          period_ns,
                          TurnedBox::now_ns(),
                          together,
                          {},
                          0,
                          0});
    }
    struct Seen {
        uint64_t sent = 0, left = 0, longest_ns = 0;
    };
    void run(uint64_t ns) {
        for (const uint64_t end = TurnedBox::now_ns() + ns; TurnedBox::now_ns() < end;) {
            const unsigned n = send_due();
            box_.turn(kTurn + kEach * std::min<unsigned>(n, 64));
            take();
        }
    }
    Seen seen(size_t host) const {
        const Host& h = hosts_[host];
        return {h.sent, h.left, h.longest};
    }

  private:
    struct Host {
        std::string source;
        Bytes frame;
        uint64_t period, next;
        unsigned together;
        std::deque<uint64_t> arrivals;
        uint64_t sent, left, longest = 0;
    };
    unsigned send_due() {
        unsigned n = 0;
        for (Host& host : hosts_)
            for (; host.next <= TurnedBox::now_ns(); host.next += host.period)
                for (unsigned i = 0; i < host.together; ++i, ++n)
                    if (box_.send(host.frame)) {
                        host.arrivals.push_back(host.next);
                        ++host.sent;
                    }
        return n;
    }
    // In order; what was dropped meanwhile makes waits look longer, so hosts whose waits count
    // lose nothing.
    void take() {
        for (rte_mbuf* frame : box_.receive()) {
            const auto* bytes = rte_pktmbuf_mtod(frame, const char*);
            for (Host& host : hosts_) {
                if (host.source != std::string(bytes + 26, 4)) continue;
                host.longest = std::max(host.longest, TurnedBox::now_ns() - host.arrivals.front());
                host.arrivals.pop_front();
                ++host.left;
            }
            rte_pktmbuf_free(frame);
        }
    }
    TurnedBox& box_;
    std::vector<Host> hosts_;
};

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
