// SPDX-License-Identifier: Apache-2.0
// The CPU scheduler: who is served when, what happens to those that burn more than they stated.
#include <gtest/gtest.h>

#include <array>
#include <vector>

#include "tests/support/sched_box.h"

namespace ravelin::sched {
namespace {

using Box = SchedBox;

TEST(SchedCpu, ServesTheCoreAtTheNextControlPoint) {
    Box box({{.name = "a"}});
    uint64_t longest_run = 0, core_waited = 0;
    box.cpu.watch = [&](const Slice& slice, uint64_t cycles) {
        if (slice.by == Slice::By::kCore)
            core_waited = std::max(core_waited, slice.started_ns - slice.work->arrival_ns);
        else
            longest_run = std::max(longest_run, cycles);
    };
    box.keep_busy(box.id("a"), 700, 20 * kMs);
    for (uint64_t t = 0; t < 20 * kMs; t += 77'777)
        box.clock.at(t, [&] { box.post(kCorePrincipal, 1, 500, kNoDeadline, Box::kCore); });
    box.clock.run_until(20 * kMs);
    EXPECT_GT(core_waited, 0u);
    EXPECT_LE(core_waited, longest_run);  // S19
    EXPECT_LE(longest_run, 10 * kUs);     // max_run
    EXPECT_GT(longest_run, 9 * kUs);      // and bursts are not split more than that
}

TEST(SchedCpu, SharesStayInRatioAcrossACoreBurstAndNobodyPaysForIt) {
    Box box({{.name = "a", .weight = 1}, {.name = "b", .weight = 2}, {.name = "c", .weight = 5}});
    const std::array<PrincipalId, 3> who{box.id("a"), box.id("b"), box.id("c")};
    const std::array<double, 3> share{0.125, 0.25, 0.625};
    for (const PrincipalId id : who) box.keep_busy(id, 900, 100 * kMs);
    // From 30 to 70 ms the core takes nine tenths.
    for (uint64_t t = 30 * kMs; t < 70 * kMs; t += 100 * kUs)
        box.clock.at(t, [&] { box.post(kCorePrincipal, 30, 3 * kUs, kNoDeadline, Box::kCore); });
    std::array<uint64_t, 3> before{};
    for (const uint64_t end : {30 * kMs, 70 * kMs, 99 * kMs}) {
        box.clock.run_until(end);
        std::array<uint64_t, 3> part{};
        uint64_t all = 0;
        for (size_t i = 0; i < 3; ++i) {
            part[i] = box.cycles(who[i]) - before[i];
            before[i] += part[i];
            all += part[i];
        }
        for (size_t i = 0; i < 3; ++i)
            EXPECT_NEAR(static_cast<double>(part[i]), share[i] * static_cast<double>(all), 2e4);
    }
    EXPECT_EQ(box.cycles(kCorePrincipal), 36u * kMs);
}

TEST(SchedCpu, EveryCycleHasAnOwner) {
    Box box({{.name = "a"}, {.name = "b"}});
    for (int i = 0; i < 50; ++i)
        box.clock.at(static_cast<uint64_t>(i) * 100 * kUs, [&] {
            box.post(box.id("a"), 20, 1'300);
            box.post(box.id("b"), 5, 2'100);
            box.post(kCorePrincipal, 3, 900, kNoDeadline, Box::kCore);
        });
    box.post(kCorePrincipal, 1, 1, kNoDeadline, Box::kCore);
    // The last event is the end of the last run.
    box.clock.at(6 * kMs, [&] { box.post(kCorePrincipal, 1, 1, kNoDeadline, Box::kCore); });
    box.clock.run_until(6 * kMs + 1);
    box.scheduler.charge_idle(box.cpu.idle_ns());
    EXPECT_EQ(box.usage.sum(Use::kCycles), 6 * kMs + 1);
    EXPECT_EQ(box.cycles(box.id("a")), 50u * 20 * 1'300);
    EXPECT_EQ(box.cycles(box.id("b")), 50u * 5 * 2'100);
    EXPECT_EQ(box.usage.get(box.id("a"), Use::kPackets), 1000u);
}

TEST(SchedCpu, LendsAnUnusedReservationAndTakesItBackWithinOneRun) {
    Box box({{.name = "r"}, {.name = "s"}});
    const FunctionRef longer{1, 2};  // what a run may take is the function's, not the reservation's
    box.functions.unload(Box::kSecond);
    box.functions.load(longer, &box.second, {.max_run = 50 * kUs});
    box.scheduler.reserve(box.id("r"),
                          {.work = 50 * kUs, .period_ns = 100 * kUs, .deadline_ns = 100 * kUs}, 0);
    box.keep_busy(box.id("s"), 800, 30 * kMs);
    uint64_t waited = 0;
    box.cpu.watch = [&](const Slice& slice, uint64_t) {
        if (slice.by == Slice::By::kReservation)
            waited = std::max(waited, slice.started_ns - slice.work->arrival_ns);
    };
    box.clock.run_until(10 * kMs);
    EXPECT_GE(box.cycles(box.id("s")) + 10 * kUs, 10 * kMs);  // all of it, while r sleeps
    for (uint64_t t = 10 * kMs; t < 20 * kMs; t += 100 * kUs)
        box.clock.at(t, [&] { box.post(box.id("r"), 1, 50 * kUs, kNoDeadline, longer); });
    box.clock.run_until(20 * kMs);
    EXPECT_LE(waited, 10 * kUs);
    EXPECT_EQ(box.usage.get(box.id("r"), Use::kMisses), 0u);
    EXPECT_NEAR(static_cast<double>(box.cycles(box.id("r"))), 5e6, 6e4);
    EXPECT_NEAR(static_cast<double>(box.cycles(box.id("s"))), 15e6, 6e4);
}

// What it wants beyond its reservation it gets by its weight, and not before others.
TEST(SchedCpu, GivesAnAdmittedFloodItsReservationAndAShare) {
    Box box({{.name = "r"}, {.name = "s"}});
    box.scheduler.reserve(box.id("r"),
                          {.work = 1 * kUs, .period_ns = 5 * kUs, .deadline_ns = 40 * kUs}, 0);
    box.keep_busy(box.id("r"), 1 * kUs, 20 * kMs);
    box.keep_busy(box.id("s"), 1 * kUs, 20 * kMs);
    box.clock.run_until(20 * kMs);
    EXPECT_NEAR(static_cast<double>(box.cycles(box.id("r"))), 4e6 + 8e6, 1e5);
    EXPECT_NEAR(static_cast<double>(box.cycles(box.id("s"))), 8e6, 1e5);
}

TEST(SchedCpu, ACapOnCyclesHoldsWhileOthersTakeTheRest) {
    Box box({{.name = "capped", .caps = {.cycles_per_s = 100'000'000}}, {.name = "free"}});
    box.keep_busy(box.id("capped"), 1 * kUs, 100 * kMs);
    box.keep_busy(box.id("free"), 1 * kUs, 100 * kMs);
    box.clock.run_until(100 * kMs);
    EXPECT_NEAR(static_cast<double>(box.cycles(box.id("capped"))), 10e6, 4e5);
    EXPECT_NEAR(static_cast<double>(box.cycles(box.id("free"))), 90e6, 4e5);
}

TEST(SchedCpu, CutsAnOverrunnerToSinglePacketsThenSuspendsIt) {
    SchedBoxSetup setup{.cpu = {.budget_timer = false},
                        .first = {.work = 500, .max_run = 10 * kUs}};
    setup.config.discipline = {.strikes_to_single = 3, .strikes_to_suspend = 10};
    Box box({{.name = "bad"}, {.name = "good"}}, setup);
    std::vector<unsigned> counts;
    uint64_t longest = 0;
    box.cpu.watch = [&](const Slice& slice, uint64_t cycles) {
        if (slice.principal != box.id("bad")) return;
        counts.push_back(slice.count);
        if (counts.size() > 1) longest = std::max(longest, cycles);
    };
    box.keep_busy(box.id("bad"), 20 * 500, 20 * kMs);
    box.keep_busy(box.id("good"), 500, 20 * kMs);
    box.clock.run_until(20 * kMs);
    ASSERT_EQ(counts.size(), 10u);  // then it is suspended
    EXPECT_EQ(counts[0], 20u);      // as stated: 20 x 500 = max_run
    EXPECT_EQ(counts[1], 1u);       // as learned
    EXPECT_LE(longest, 10 * kUs);   // one packet
    EXPECT_EQ(box.usage.get(box.id("bad"), Use::kOverruns), 10u);
    EXPECT_EQ(box.usage.get(box.id("bad"), Use::kSuspensions), 1u);
    EXPECT_GT((box.released[{box.id("bad"), Refusal::kSuspended}]), 0u);
    EXPECT_EQ(box.post(box.id("bad"), 1, 1), Refusal::kSuspended);
    EXPECT_EQ(box.usage.get(box.id("good"), Use::kOverruns), 0u);
    box.scheduler.pardon(box.id("bad"), 0);
    EXPECT_EQ(box.post(box.id("bad"), 1, 1), Refusal::kNone);
}

TEST(SchedCpu, APardonedOverrunnerThatKeepsItsWordGetsItsBurstsBack) {
    Discipline discipline;
    const DisciplineLimits limits{.strikes_to_single = 3, .strikes_to_suspend = 0};
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(discipline.judge(100, 5'000, 10, false, limits));
    EXPECT_TRUE(discipline.single(100));
    EXPECT_EQ(discipline.expected(100), 500u);
    for (int i = 0; i < 5; ++i) EXPECT_FALSE(discipline.judge(100, 110, 1, false, limits));
    EXPECT_FALSE(discipline.single(100));
    for (int i = 0; i < 200; ++i) discipline.judge(100, 100, 1, false, limits);
    EXPECT_EQ(discipline.expected(100), 100u);
    EXPECT_FALSE(discipline.suspended());
}

// Once may have been the machine, and is paid for afterwards.
TEST(SchedCpu, WhatARunTookOnceIsNotPaidForBefore) {
    Discipline discipline;
    const DisciplineLimits limits;
    const auto run = [&](uint64_t cycles) { discipline.judge(100, cycles, 1, false, limits); };
    run(100);
    run(1'600);
    EXPECT_EQ(discipline.owed(100), 100u);
    EXPECT_EQ(discipline.expected(100), 1'600u) << "others do not wait for several of it";
    for (int i = 0; i < 4; ++i) run(100);
    run(1'600);
    EXPECT_GE(discipline.owed(100), 900u) << "again";
    run(1'600);
    EXPECT_EQ(discipline.owed(100), 1'600u);
    for (int i = 0; i < 100; ++i) run(100);
    EXPECT_EQ(discipline.owed(100), 100u);
}

TEST(SchedCpu, AMissWhileTheCoreIsBeyondItsEnvelopeIsTheCores) {
    SchedBoxSetup setup;
    setup.config.envelope = CoreEnvelope(400'000'000, 100 * kUs, true);  // 40 %
    Box box({{.name = "r"}}, setup);
    box.scheduler.reserve(box.id("r"),
                          {.work = 10 * kUs, .period_ns = 100 * kUs, .deadline_ns = 50 * kUs}, 0);
    for (uint64_t t = 0; t < 10 * kMs; t += 100 * kUs)
        box.clock.at(t, [&] { box.post(box.id("r"), 1, 10 * kUs); });
    for (uint64_t t = 0; t < 5 * kMs; t += 100 * kUs)  // within
        box.clock.at(t, [&] { box.post(kCorePrincipal, 1, 35 * kUs, kNoDeadline, Box::kCore); });
    box.clock.run_until(5 * kMs);
    EXPECT_EQ(box.usage.get(box.id("r"), Use::kMisses), 0u);
    EXPECT_FALSE(box.scheduler.envelope().sheds_generic(box.clock.now()));
    box.clock.at(5 * kMs, [&] { box.post(kCorePrincipal, 32, 20 * kUs, kNoDeadline, Box::kCore); });
    box.clock.run_until(5 * kMs + 300 * kUs);
    EXPECT_FALSE(box.scheduler.envelope().sheds_generic(box.clock.now()));  // not accounted yet
    box.clock.run_until(5 * kMs + 650 * kUs);
    EXPECT_TRUE(box.scheduler.envelope().sheds_generic(box.clock.now()));
    box.clock.run_until(10 * kMs);
    EXPECT_GT(box.usage.get(box.id("r"), Use::kMisses), 0u);
    EXPECT_EQ(box.usage.get(box.id("r"), Use::kMisses),
              box.usage.get(box.id("r"), Use::kCoreMisses));
    EXPECT_FALSE(box.scheduler.envelope().sheds_generic(box.clock.now()));
}

TEST(SchedCpu, SleepsUntilTheNextReleaseOrTimerAndNoLonger) {
    Box box({{.name = "r", .weight = 0}});
    EXPECT_EQ(box.scheduler.wake_at(0), UINT64_MAX);
    box.scheduler.reserve(box.id("r"), {.work = kUs, .period_ns = kMs, .deadline_ns = kMs}, 0);
    box.post(box.id("r"), 2, kUs);
    EXPECT_EQ(box.scheduler.wake_at(0), 0u);
    box.clock.run_until(10 * kUs);
    EXPECT_EQ(box.order.size(), 1u);
    EXPECT_EQ(box.scheduler.wake_at(10 * kUs), kMs);
    box.scheduler.start_timer({.function = Box::kFirst, .principal = box.id("r")}, 500 * kUs);
    EXPECT_LE(box.scheduler.wake_at(10 * kUs), 501 * kUs);
    box.clock.run_until(2 * kMs);
    EXPECT_EQ(box.order.size(), 2u);
}

}  // namespace
}  // namespace ravelin::sched
