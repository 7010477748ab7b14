// SPDX-License-Identifier: Apache-2.0
// Functions that name the worker that runs them, on real workers: packets cross to it and go on
// from there, in order, each charged to its principal, none lost without a name.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <thread>

#include "dataplane/functions.h"
#include "dataplane/process/answers.h"
#include "dataplane/process/describe.h"
#include "tests/support/box_test.h"
#include "tests/support/frame_at.h"
#include "tests/support/ring_box.h"
#include "tests/support/standing.h"

namespace ravelin::test {
namespace {

using sched::PrincipalId;
using sched::Use;

constexpr unsigned kFlows = 16;  // both workers own some

std::string with(const std::string& functions, const char* poll) {
    return fmt::format(R"(
mode: wire
workers: {{count: 2, buffers: 16384, flows: 1024, hugepages: "off", poll: {}}}
ports: [{{name: lan, device: net_ring_lan, queues: 2}}, {{name: wan, device: net_ring_wan, queues: 2}}]
functions: [{}]
principals: [{{name: org, prefixes: 10.0.0.0/8, function: f}}]
pipeline: [parse, steer, wire, {{firewall: {{rules: [{{name: all, action: accept}}]}}}}, classify, invoke]
)",
                       poll, functions);
}

class PinnedFunctionsTest : public ::testing::TestWithParam<const char*> {
  protected:
    static std::string yaml(const std::string& functions) { return with(functions, GetParam()); }
    /// Packet `number` of a flow; its number is what it carries.
    void send(unsigned flow, unsigned number) {
        const std::string text =
            fmt::format("udp 10.0.0.{}:1 > 192.0.2.1:9 hex={:08x}", flow + 1, number);
        box_.send(0, exact_frame(frame_at(*box_.store().current(), text, "lan")), flow % 2);
    }
    /// `n` of each flow, from `first` on, no more at once than rings hold.
    void send_all(unsigned first, unsigned n) {
        for (unsigned i = first; i < first + n; ++i) {
            for (unsigned flow = 0; flow < kFlows; ++flow) send(flow, i);
            sent_ += kFlows;
            if (i % 8 == 7) settle();
        }
        settle();
    }
    /// Of a flow that the worker owns and receives. Its source port.
    uint16_t send_to(WorkerId owner, unsigned n) {
        uint16_t port = 1;
        while (owner_of_question(port, 2) != owner) ++port;
        const Bytes frame =
            parse_packet_text(question(port), {.port = "lan", .port_macs = {}})->frame;
        for (unsigned i = 0; i < n; ++i, ++sent_) box_.send(0, exact_frame(frame), owner);
        return port;
    }
    /// What left; of each flow in order while `ordered_`.
    void take() {
        for (rte_mbuf* frame : box_.receive(1)) {
            const auto* f = rte_pktmbuf_mtod(frame, const uint8_t*);
            const unsigned number =
                unsigned{f[42]} << 24 | unsigned{f[43]} << 16 | unsigned{f[44]} << 8 | f[45];
            const auto [last, fresh] = last_.try_emplace(std::string(f + 26, f + 30), number);
            EXPECT_TRUE(fresh || last->second < number || !ordered_);
            last->second = number;
            ++left_;
            rte_pktmbuf_free(frame);
        }
    }
    /// Until all that was sent has left or was dropped.
    void settle() {
        for (unsigned i = 0; i < 2000 && left_ + box_.dropped() < sent_; ++i) {
            ASSERT_TRUE(box_.turn());
            take();
        }
    }
    [[nodiscard]] const Functions& functions() const { return *box_.store().current()->functions; }
    /// Packets that the worker has run the function for.
    [[nodiscard]] uint64_t ran(const char* name, size_t worker) const {
        const auto spec = std::ranges::find(functions().list, name, &FunctionSpec::name);
        return functions().workers[worker]->use_of(spec->ref).packets;
    }
    Worker& worker(size_t i) { return *box_.store().appliance()->workers()[i]; }
    RingBox box_{{"lan", "wan"}, 2, &Now::read, 2};
    std::map<std::string, unsigned> last_;
    bool ordered_ = true;
    uint64_t sent_ = 0, left_ = 0;
};

TEST_P(PinnedFunctionsTest, AFunctionRunsOnItsWorkerWhoeverReceived) {
    box_.apply(yaml("{name: f, burn: {cycles: 2000}, worker: 1}"));
    send_all(0, 64);
    EXPECT_EQ(ran("f", 0), 0u);
    EXPECT_EQ(ran("f", 1), sent_);
    EXPECT_EQ(box_.counter("invoke.packets"), sent_);
    EXPECT_GT(box_.counter("pipeline.handed_over"), 0u);
    EXPECT_EQ(left_, sent_) << box_.drops();
}

TEST_P(PinnedFunctionsTest, WhoAsksIsToldTheWorker) {
    box_.apply(yaml("{name: f, thin: {}, worker: 1, next: g}, {name: g, thin: {}}"));
    const PolicySnapshot& policy = *box_.store().current();
    PacketMeta meta;
    meta.principal = policy.principals->table.find("org");
    EXPECT_EQ(Describer(policy, {}).function(meta), "f on worker 1");
    google::protobuf::RepeatedPtrField<model::FunctionRecord> records;
    answers::functions(box_.store(), records);
    ASSERT_EQ(records.size(), 2);
    EXPECT_TRUE(records[0].has_worker());
    EXPECT_EQ(records[0].worker(), 1u);
    EXPECT_FALSE(records[1].has_worker());
}

// Work and packets are the principal's, wherever.
TEST_P(PinnedFunctionsTest, APathCrossesAsItsFunctionsSayAndIsChargedOnce) {
    box_.apply(
        yaml("{name: f, burn: {cycles: 900}, worker: 1, next: g}, "
             "{name: g, burn: {cycles: 900}, worker: 0, next: h}, "
             "{name: h, burn: {cycles: 900}, next: i}, {name: i, burn: {cycles: 9}, worker: 1}"));
    const PrincipalId org = box_.store().current()->principals->table.find("org");
    send_all(0, 64);
    EXPECT_EQ(left_, sent_) << box_.drops();
    for (const auto& [name, runs_on] : {std::pair{"f", 1u}, {"g", 0u}, {"h", 0u}, {"i", 1u}}) {
        EXPECT_EQ(ran(name, runs_on), sent_) << name;
        EXPECT_EQ(ran(name, 1 - runs_on), 0u) << name;
    }
    EXPECT_EQ(box_.counter("invoke.packets"), sent_) << "once each";
    uint64_t packets = 0;
    for (size_t w = 0; w < 2; ++w) {
        packets += worker(w).account()->usage().get(org, Use::kPackets);
        EXPECT_GE(functions().workers[w]->usage().get(org, Use::kCycles), 900 * sent_);
    }
    EXPECT_EQ(packets, sent_);
}

// What the ring does not hold is dropped by name, and what it holds goes on.
TEST_P(PinnedFunctionsTest, AFullRingIsADropWithAName) {
    box_.apply(yaml("{name: f, burn: {cycles: 0}, worker: 1, queue: 4096}"));
    {
        Standing standing(worker(1));
        ordered_ = false;  // they have no numbers
        send_to(0, limits::kHandoffRing + 500);
        for (unsigned i = 0; i < 2000 && box_.counter("drop.pipeline.handoff_full") < 500; ++i)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    settle();
    EXPECT_EQ(box_.counter("drop.pipeline.handoff_full"), 500u);
    EXPECT_EQ(left_ + box_.dropped(), sent_) << box_.drops();
    // The wire holds one frame less than the ring.
    EXPECT_EQ(left_ + box_.counter("drop.pipeline.tx_full"), limits::kHandoffRing);
}

// The deadline is from when the packet came to the first function, whoever runs the second.
TEST_P(PinnedFunctionsTest, TheDeadlineTravelsAlong) {
    box_.apply(
        yaml("{name: f, burn: {cycles: 0}, worker: 0, deadline: 20ms, next: g}, "
             "{name: g, burn: {cycles: 0}, worker: 1}"));
    {
        Standing standing(worker(1));
        send_to(0, 8);  // which run out of time
        while (ran("f", 0) + box_.dropped() < 8) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(40));
    }
    settle();
    EXPECT_EQ(box_.counter("drop.invoke.late"), 8u) << box_.drops();
    EXPECT_EQ(left_, 0u);
}

// What is reserved of a worker counts from when packets are handed over to it: while they are on
// their way, and it does something else or sleeps, their time passes.
TEST_P(PinnedFunctionsTest, ReservedTimeBeginsWhenAPacketIsHandedOver) {
    constexpr unsigned kPackets = 2 * limits::kBurst;  // more than are taken over in a turn
    box_.apply(
        "reservations: [{name: r, principal: org, cpu: [1000cyc/pkt, 1000cyc/pkt], rate: 1kpps, "
        "deadline: 1s, cpu-parts: ['990000000', '10000000']}]\n" +
        yaml("{name: f, burn: {cycles: 0}, work: 1000, worker: 0, next: g}, "
             "{name: g, burn: {cycles: 0}, work: 1000, worker: 1}"));
    const PrincipalId org = box_.store().current()->principals->table.find("org");
    const auto late = [&](size_t w) {
        return functions().workers[w]->usage().get(org, Use::kMisses);
    };
    ordered_ = false;
    {
        Standing standing(worker(1));
        send_to(0, kPackets);
        while (ran("f", 0) + box_.dropped() < kPackets) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(150));
    }
    settle();
    EXPECT_EQ(left_, kPackets) << box_.drops();
    EXPECT_EQ(late(0), 0u);
    EXPECT_EQ(late(1), kPackets);
}

// It came before what its worker receives in that turn.
TEST_P(PinnedFunctionsTest, WhatWasHandedOverGoesFirst) {
    constexpr unsigned kEach = 100;
    box_.apply(yaml("{name: f, burn: {cycles: 0}, worker: 1}"));
    uint16_t handed = 0;
    {
        Standing standing(worker(1));
        handed = send_to(0, kEach);
        while (box_.counter("pipeline.handed_over") < kEach) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(5));  // its turn is over
        send_to(1, kEach);
    }
    std::vector<uint16_t> ports;
    for (unsigned i = 0; i < 2000 && ports.size() < 2 * kEach; ++i) {
        ASSERT_TRUE(box_.turn());
        for (rte_mbuf* frame : box_.receive(1)) {
            const auto* f = rte_pktmbuf_mtod(frame, const uint8_t*);
            ports.push_back(static_cast<uint16_t>(f[34] << 8 | f[35]));
            rte_pktmbuf_free(frame);
        }
    }
    ASSERT_EQ(ports.size(), 2 * kEach) << box_.drops();
    for (unsigned i = 0; i < kEach; ++i) EXPECT_EQ(ports[i], handed) << i;
}

// A function that moves is the same function: what waits runs where it waits, and nothing is
// dropped for it.
TEST_P(PinnedFunctionsTest, AFunctionMovesUnderTraffic) {
    const auto at = [](const std::string& worker) {
        return yaml("{name: f, burn: {cycles: 500}, queue: 4096" + worker +
                    ", next: g}, {name: g, burn: {cycles: 100}, queue: 4096, worker: 1}");
    };
    const std::vector<std::string> places{"", ", worker: 0", ", worker: 1"};
    box_.apply(at(places[0]));
    const auto same = functions().list.front().ref;
    ordered_ = false;  // what came before a change may leave behind what came after
    for (unsigned round = 1; round <= 30; ++round) {
        for (unsigned i = 0; i < 8; ++i, sent_ += kFlows)
            for (unsigned flow = 0; flow < kFlows; ++flow) send(flow, round);
        box_.apply(at(places[round % places.size()]));
        EXPECT_EQ(functions().list.front().ref, same);
        settle();  // the wire has room for little
    }
    EXPECT_EQ(left_, sent_) << box_.drops();
}

// Functions, pins and the principal's function come and go. Each packet leaves or has a name.
TEST_P(PinnedFunctionsTest, PoliciesChangeUnderPinnedFunctions) {
    std::string none = yaml("");
    none.replace(none.find(", function: f"), 13, "");
    const std::vector<std::string> policies{
        yaml("{name: f, burn: {cycles: 500}, worker: 1}"),
        yaml("{name: f, burn: {cycles: 500}, worker: 0, next: g}, {name: g, thin: {keep: 9, of: "
             "10}, worker: 1}"),
        none, yaml("{name: f, burn: {cycles: 200}, worker: 1}, {name: g, burn: {cycles: 1}}")};
    box_.apply(policies[0]);
    ordered_ = false;
    for (unsigned round = 1; round <= 32; ++round) {
        for (unsigned i = 0; i < 8; ++i, sent_ += kFlows)
            for (unsigned flow = 0; flow < kFlows; ++flow) send(flow, round);
        box_.apply(policies[round % policies.size()]);
        settle();
    }
    EXPECT_EQ(left_ + box_.dropped(), sent_) << box_.drops();
    EXPECT_GT(left_, sent_ / 2);
}
INSTANTIATE_TEST_SUITE_P(Polls, PinnedFunctionsTest, ::testing::Values("busy", "adaptive"));

}  // namespace
}  // namespace ravelin::test
