// SPDX-License-Identifier: Apache-2.0
// What the machine took of a run: by what the kernel says, and a sixteenth for interrupts; and that
// who takes more than it stated is forgiven no more.
#include "dataplane/lost_time.h"

#include <gtest/gtest.h>

#include <chrono>
#include <thread>

#include "dataplane/clock.h"
#include "dataplane/tsc.h"

namespace ravelin {
namespace {

constexpr uint64_t kMs = 1'000'000, kUs = 1'000;
constexpr sched::PrincipalId kOne{2}, kOther{3};
uint64_t had_ns = 0;
unsigned asked = 0;  // for had_ns
uint64_t had() noexcept {
    ++asked;
    return had_ns;
}
uint64_t cycles_in(uint64_t ns) { return ns * (tsc_hz() / kMs) / 1'000; }

/// A thread whose runs state 10 us. Two principals have had what they may without a reservation.
class LostTimeTest : public ::testing::Test {
  protected:
    void SetUp() override {
        had_ns = 7 * kMs;
        for (const auto id : {kOne, kOther}) EXPECT_NEAR(run(610 * kUs, 0, id), 600, 1);
    }
    void pass(uint64_t ns, uint64_t taken = 0) {
        now_ += ns;
        had_ns += ns - taken;
    }
    /// A run of `ns`, of which the machine took so many: us that nobody pays for.
    double run(uint64_t ns, uint64_t taken, sched::PrincipalId id = kOne,
               LostTime::Clock clock = had, bool reserved = false) {
        lost_.begin(now_, clock);
        pass(ns, taken);
        return static_cast<double>(lost_.us_of(
            lost_.of_run(id, cycles_in(ns), cycles_in(10 * kUs), reserved, now_, clock)));
    }
    double reserved(uint64_t ns, sched::PrincipalId id = kOne) { return run(ns, 0, id, had, true); }
    void run_well(unsigned times, sched::PrincipalId id) {
        for (unsigned i = 0; i < times; ++i) EXPECT_EQ(run(10 * kUs, 0, id), 0);
    }
    LostTime lost_{8};
    uint64_t now_ = 1'000 * kMs;
};

TEST_F(LostTimeTest, WhatTheKernelSaysIsNobodys) {
    EXPECT_NEAR(run(2'010 * kUs, 2'000 * kUs), 2'000, 2);
    EXPECT_EQ(run(10 * kUs, 0), 0);
    EXPECT_NEAR(run(510 * kUs, 500 * kUs), 500, 2);
}

TEST_F(LostTimeTest, WhoTakesItItselfPays) {
    EXPECT_EQ(run(2'010 * kUs, 0), 0);
    // Half of what is beyond was its own.
    EXPECT_NEAR(run(2'010 * kUs, 1'000 * kUs, kOther), 1'000, 2);
}

// A sixteenth, and no more than 600 us at once, of its own runs alone.
TEST_F(LostTimeTest, InterruptsAreASixteenthOfWhatWasCharged) {
    run_well(48, kOne);
    EXPECT_EQ(run(50 * kUs, 0, kOther), 0);
    EXPECT_NEAR(run(50 * kUs, 0), 30, 1);
    EXPECT_LE(run(50 * kUs, 0), 2);
    run_well(2'000, kOne);
    EXPECT_NEAR(run(900 * kUs, 0), 600, 1);
    double forgiven = 0;
    for (int i = 0; i < 1'000; ++i) forgiven += run(100 * kUs, 0);
    EXPECT_LE(forgiven, 1'000 * 100 / 16);
    EXPECT_GT(forgiven, 1'000 * 100 / 20);
}

// A timer's interrupt takes some microseconds. Those too are nobody's, within the same sixteenth,
// and no system call is made for them.
TEST_F(LostTimeTest, ShortInterruptsAreForgivenWithoutAskingTheKernel) {
    run_well(96, kOne);
    asked = 0;
    for (int i = 0; i < 6; ++i) EXPECT_NEAR(run(14 * kUs, 0), 4, 1);
    EXPECT_EQ(asked, 0u);
    double forgiven = 0;
    for (int i = 0; i < 10'000; ++i) forgiven += run(19 * kUs, 0);
    EXPECT_LE(forgiven, 10'000 * 19 / 16 + 100) << "who takes that each time pays for it";
}

// Less than 10 us beyond are never had on credit.
TEST_F(LostTimeTest, ARowOfRunsHasNoMoreThanAHundredMicrosecondsAtOnce) {
    const uint64_t stated = cycles_in(kUs), took = cycles_in(9'300);
    run_well(10'000, kOne);
    uint64_t forgiven = 0, charged = 0;
    for (int i = 0; i < 60; ++i) {
        const uint64_t lost = lost_.of_run(kOne, took, stated, true, now_, had);
        forgiven += lost;
        charged += took - lost;
    }
    EXPECT_LE(forgiven, cycles_in(100 * kUs) + charged / 16);
}

// Nor more of a row than four runs, which a storm may hit, and one in sixteen.
TEST_F(LostTimeTest, OneRunInSixteenHasWhatItNeedsOnCredit) {
    run_well(2'000, kOne);
    EXPECT_NEAR(run(90 * kUs, 0), 80, 1) << "of 100 us";
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(run(90 * kUs, 0), 80, 1);
    EXPECT_LE(run(90 * kUs, 0), 24) << "what is left of these";
    run_well(16, kOne);
    EXPECT_NEAR(run(90 * kUs, 0), 80, 1);
    double forgiven = 0;
    for (int i = 0; i < 160; ++i) forgiven += reserved(30 * kUs, kOther);
    EXPECT_LE(forgiven, (4 + 160 / 16 + 160 / 16) * 20);
}

// The machine hits whoever is being run, and the kernel may not know: who has reserved has 10 ms of
// what it will earn, which it pays with 160 ms of its own runs, and nothing until then.
TEST_F(LostTimeTest, WhoHasReservedHasTenMillisecondsOnCredit) {
    EXPECT_NEAR(reserved(8'610 * kUs), 8'600, 1);
    EXPECT_NEAR(reserved(2'010 * kUs), 900, 1) << "and 500 us before";
    run_well(16, kOne);
    EXPECT_LE(reserved(910 * kUs), 80) << "a sixteenth of 1,270 us";
    run_well(17'000, kOne);
    EXPECT_NEAR(reserved(9'010 * kUs), 9'000, 1);
}

// Meanwhile it has what is short: a timer's interrupt every 4 ms hits it all the same.
TEST_F(LostTimeTest, WhoOwesHasInterruptsOfHalfOfItsSixteenth) {
    EXPECT_NEAR(reserved(9'510 * kUs), 9'500, 1);
    run_well(320, kOne);
    EXPECT_NEAR(run(100 * kUs, 0), 90, 1);
}

// For ever it has a sixteenth of its own, and once the 10 ms: also who takes 9 ms too many again
// and again.
TEST_F(LostTimeTest, AnOverrunnerHasNoMoreThanItsOwnSixteenthInTheEnd) {
    for (const uint64_t run_ns : {510 * kUs, 9'010 * kUs}) {
        double forgiven = 0, took = 0;
        for (int i = 0; i < 1'000; ++i) {
            run_well(15, kOne);
            forgiven += reserved(run_ns);
            took += 150 + static_cast<double>(run_ns) / 1e3;
        }
        EXPECT_LE(forgiven, (took - forgiven) / 16 + 10'100);
        EXPECT_GT(forgiven, (took - forgiven) / 20);
    }
}

// Else each change of a reservation would be 10 ms for everybody.
TEST_F(LostTimeTest, WhatIsOwedGoesOver) {
    EXPECT_NEAR(reserved(9'510 * kUs), 9'500, 1);
    LostTime next{8};
    next.go_on(kOne, lost_);
    lost_ = next;
    EXPECT_LE(reserved(9'510 * kUs), 1);
    EXPECT_NEAR(reserved(9'510 * kUs, kOther), 9'500, 1) << "somebody else";
}

// Less than a microsecond: a 256th, and no more than 10 us at once.
TEST_F(LostTimeTest, LittleIsForgivenInPart) {
    asked = 0;
    const uint64_t stated = cycles_in(10 * kUs), little = cycles_in(500);
    const auto lost = [&] { return lost_.of_run(kOne, stated + little, stated, false, now_, had); };
    for (unsigned i = 0; i < 20; ++i) EXPECT_EQ(lost(), little) << i;
    uint64_t forgiven = 0;
    for (unsigned i = 0; i < 10'000; ++i) forgiven += lost();
    EXPECT_LE(forgiven, 10'000 * (stated + little) / 256 + cycles_in(kUs));
    EXPECT_GT(forgiven, 10'000 * stated / 257);
    EXPECT_EQ(asked, 0u);
}

// What the machine took before is not of this run, but for the last 100 ms.
TEST_F(LostTimeTest, OldLossesAreNobodysExcuse) {
    EXPECT_EQ(run(10 * kUs, 0), 0);
    pass(200 * kMs, 150 * kMs);
    EXPECT_LE(run(2'000 * kUs, 0), 1);
    pass(50 * kMs, 1 * kMs);
    EXPECT_NEAR(run(5'000 * kUs, 0), 1'000, 200);
}

// A thread that slept did not have the processor either; another has had another time.
TEST_F(LostTimeTest, SleepIsNoLoss) {
    EXPECT_EQ(run(10 * kUs, 0), 0);
    pass(20 * kMs, 20 * kMs);
    lost_.restart();
    EXPECT_LE(run(2'000 * kUs, 0), 1);
    had_ns = 3;
    EXPECT_EQ(run(2'000 * kUs, 0, kOther), 0);
}

// Nobody is asked of less than 10 us beyond; nor where nobody knows.
TEST_F(LostTimeTest, LittleIsNotAskedAbout) {
    asked = 0;
    EXPECT_EQ(run(19 * kUs, 9 * kUs), 0);
    EXPECT_EQ(asked, 0u);
    EXPECT_EQ(run(2'010 * kUs, 2'000 * kUs, kOther, nullptr), 0);
    EXPECT_EQ(lost_.of_run(kOne, cycles_in(5 * kMs), 0, true, now_ + kMs, had), 0u)
        << "nothing stated";
}

TEST(LostTime, TheThreadsClockGoesOnOnlyWhileItWorks) {
    const uint64_t first = LostTime::thread_clock(), began = Now::read().ns;
    while (Now::read().ns < began + 20 * kMs) {
    }
    const uint64_t worked = LostTime::thread_clock();
    EXPECT_GT(worked, first);
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_LT(LostTime::thread_clock(), worked + 25 * kMs);
}

}  // namespace
}  // namespace ravelin
