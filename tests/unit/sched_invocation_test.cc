// SPDX-License-Identifier: Apache-2.0
// Invocations: who pays through every hop, what is bounded, what is refused or dropped by name.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/support/sched_box.h"

namespace ravelin::sched {
namespace {

using Box = SchedBox;

TEST(SchedInvocation, FlowAndPrincipalGoThroughEveryHopTimerAndFanOut) {
    Box box({{.name = "payer"}});
    struct Seen {
        PrincipalId principal;
        uint32_t flow;
        uint64_t argument, at;
    };
    std::vector<Seen> seen;
    struct Tell final : Function {
        explicit Tell(std::vector<Seen>& s) : seen(s) {}
        unsigned run(const Invocation& i, std::span<void* const> frames,
                     FunctionContext& c) noexcept override {
            seen.push_back({i.principal, i.flow, i.argument, c.now_ns()});
            return static_cast<unsigned>(frames.size());
        }
        std::vector<Seen>& seen;
    } tell(seen);
    box.functions.unload(Box::kSecond);
    const FunctionRef told{1, 2};
    box.functions.load(told, &tell, {});
    box.then = [&](SimPacket& p, FunctionContext& c) {
        void* frame = &p;
        p.cycles = 300;
        EXPECT_EQ(c.post(told, {&frame, 1}, 1), Refusal::kNone);
        EXPECT_EQ(c.post_for(99, told, {}, 2), Refusal::kNone);
        EXPECT_EQ(c.start_timer(told, c.now_ns() + 5 * kMs, 3), Refusal::kNone);
        EXPECT_EQ(c.post(Box::kSecond, {}), Refusal::kStaleReference);
    };
    box.post(box.id("payer"), 1, 500);
    box.clock.run_until(10 * kMs);
    ASSERT_EQ(seen.size(), 3u);
    for (const Seen& s : seen) {
        EXPECT_EQ(s.principal, box.id("payer"));
        EXPECT_EQ(s.flow, s.argument == 2 ? 99u : 7u);
        if (s.argument == 3) {
            EXPECT_NEAR(static_cast<double>(s.at), 5e6, 4e3);
        }
    }
    EXPECT_EQ(box.cycles(box.id("payer")), 500u + 300 + 1 + 1);
    EXPECT_EQ(box.usage.get(box.id("payer"), Use::kRejected), 1u);
}

/// Four packets come together while the core has work for 350 us; they go through two functions of
/// 1,000 cycles and of `second`, for which 1,500 every 100 us are reserved, due within 1 ms.
struct Hop {
    unsigned function, count;
    uint64_t due;
    bool operator==(const Hop&) const = default;
};
std::vector<Hop> hops_of(uint64_t first, uint64_t second) {
    Box box({{.name = "a", .weight = 0}},
            {.first = {.work = first, .max_run = 10 * kUs, .passes_on = true}});
    const FunctionRef next{1, 2};
    box.functions.unload(Box::kSecond);
    box.functions.load(next, &box.second, {.work = second, .max_run = 10 * kUs});
    box.then = [&](SimPacket& p, FunctionContext& c) {
        void* frame = &p;
        p.cycles = second;
        EXPECT_EQ(c.post(next, {&frame, 1}), Refusal::kNone);
    };
    std::vector<Hop> seen;
    box.cpu.watch = [&](const Slice& slice, uint64_t) {
        if (slice.by == Slice::By::kReservation)
            seen.push_back(
                {slice.work->invocation.function.slot, slice.count, slice.deadline_ns / kUs});
    };
    box.scheduler.reserve(box.id("a"), {1'500, 100 * kUs, kMs}, 0);
    box.post(kCorePrincipal, 1, 350 * kUs, kNoDeadline, Box::kCore);
    box.post(box.id("a"), 4, first);
    box.clock.run_until(5 * kMs);
    EXPECT_EQ(box.usage.get(box.id("a"), Use::kMisses), 0u);
    return seen;
}

// Of a packet that came first all is done first, on the budget and by the deadline of one job.
TEST(SchedInvocation, FunctionsBehindEachOtherAreOneJob) {
    EXPECT_EQ(hops_of(1'000, 500), (std::vector<Hop>{{0, 1, 1000},
                                                     {1, 1, 1000},
                                                     {0, 1, 1100},
                                                     {1, 1, 1100},
                                                     {0, 1, 1200},
                                                     {1, 1, 1200},
                                                     {0, 1, 1300},
                                                     {1, 1, 1300}}));
}

// What does not fit in takes the next job, counted from when the packet came, not from now.
TEST(SchedInvocation, AHopThatIsMoreThanWhatIsLeftIsTheNextJob) {
    EXPECT_EQ(hops_of(1'400, 500), (std::vector<Hop>{{0, 1, 1000},
                                                     {1, 1, 1100},
                                                     {0, 1, 1200},
                                                     {1, 1, 1300},
                                                     {0, 1, 1400},
                                                     {1, 1, 1500},
                                                     {0, 1, 1600},
                                                     {1, 1, 1700}}));
}

TEST(SchedInvocation, QueuesAreBoundedAndTheirDepthsAddUp) {
    Box box({{.name = "a"}, {.name = "b"}}, {.first = {.queue = 5}});
    unsigned refused = 0;
    for (int i = 0; i < 12; ++i)
        refused += box.scheduler.post({.function = Box::kFirst, .principal = box.id("a")}, {}, 0) ==
                           Refusal::kQueueFull
                       ? 1
                       : 0;
    EXPECT_EQ(refused, 7u);
    for (int i = 0; i < 3; ++i) {
        box.post(box.id("b"), 1, 10, kNoDeadline, Box::kSecond);
        box.post(box.id("b"), 1, 10);
    }
    const InvocationQueues& queues = box.scheduler.queues();
    EXPECT_EQ(queues.depth(box.id("a")), 5u);
    EXPECT_EQ(queues.depth(box.id("b"), 0) + queues.depth(box.id("b"), 1), 6u);
    EXPECT_EQ(queues.total(), 11u);
    EXPECT_EQ(box.usage.get(box.id("a"), Use::kRejected), 7u);
    box.clock.run_until(kMs);
    EXPECT_EQ(queues.total(), 0u);
}

TEST(SchedInvocation, GreedyPrincipalsLeaveRoomForTheNext) {
    std::vector<PrincipalSpec> specs;
    for (int i = 0; i < 8; ++i) specs.push_back({.name = "p" + std::to_string(i)});
    SchedBoxSetup setup{.first = {.queue = 1000}};
    setup.config.invocations = 64;
    Box box(specs, setup);
    const auto fill = [&](PrincipalId id) {
        unsigned n = 0;
        while (box.scheduler.post({.function = Box::kFirst, .principal = id}, {}, 0) ==
               Refusal::kNone)
            ++n;
        return n;
    };
    const unsigned first = fill(box.id("p0"));
    EXPECT_EQ(first, 32u);  // as much as it leaves free
    for (int i = 1; i < 5; ++i) {
        EXPECT_GE(fill(box.id(("p" + std::to_string(i)).c_str())), 1u) << i;
    }
    box.scheduler.reserve(box.id("p7"), {.work = 1, .period_ns = 1, .deadline_ns = 1}, 0);
    EXPECT_GE(fill(box.id("p7")), 1u);
    EXPECT_EQ(box.scheduler.queues().total(), 64u);
}

TEST(SchedInvocation, WhatWaitsForAnUnloadedFunctionIsDroppedByName) {
    Box box({{.name = "a"}});
    box.post(box.id("a"), 4, 100);
    box.functions.unload(Box::kFirst);
    box.clock.run_until(kMs);
    EXPECT_TRUE(box.order.empty());
    EXPECT_EQ((box.released[{box.id("a"), Refusal::kStaleReference}]), 4u);
    EXPECT_EQ(box.post(box.id("a"), 1, 100), Refusal::kStaleReference);
    // The place is taken again: what was posted to the old one does not reach the new one.
    box.functions.load({0, 2}, &box.first, {});
    EXPECT_EQ(box.post(box.id("a"), 1, 100), Refusal::kStaleReference);
    EXPECT_EQ(box.post(box.id("a"), 1, 100, kNoDeadline, {0, 2}), Refusal::kNone);
    box.clock.run_until(2 * kMs);
    EXPECT_EQ(box.order.size(), 1u);
}

TEST(SchedInvocation, StalePacketsCostNoCycles) {
    for (const bool drop : {true, false}) {
        Box box({{.name = "a"}}, {.first = {.max_run = 10 * kUs, .drop_stale = drop}});
        box.post(box.id("a"), 32, 10 * kUs);
        box.post(box.id("a"), 8, 10 * kUs, 50 * kUs);  // due long before its turn
        box.clock.run_until(10 * kMs);
        EXPECT_EQ(box.order.size(), drop ? 32u + 0u : 40u) << drop;
        EXPECT_EQ((box.released[{box.id("a"), Refusal::kStale}]), drop ? 8u : 0u);
        EXPECT_EQ(box.cycles(box.id("a")), (drop ? 32u : 40u) * 10 * kUs);
        EXPECT_EQ(box.usage.get(box.id("a"), Use::kStale), drop ? 8u : 0u);
    }
}

}  // namespace
}  // namespace ravelin::sched
