// SPDX-License-Identifier: Apache-2.0
// The clock that is told from the time-stamp counter, against a counter and a kernel's clock that
// the test sets by hand: what it says in between, and what it makes of a counter that jumps, goes
// back, stands still or counts at another pace.
#include "dataplane/tsc_clock.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <utility>

namespace ravelin::test {
namespace {

uint64_t cycles = 0;
double kernel_ns = 0;
unsigned asked = 0;
double interrupted_ns = 0;  // the next answer comes so much late

uint64_t read_cycles() noexcept { return cycles; }
constexpr double kGhz = 2.6;  // of the counter
Now read_kernel() {
    ++asked;
    const Now now = Now::from_ns(static_cast<uint64_t>(kernel_ns));
    kernel_ns += interrupted_ns;
    cycles += static_cast<uint64_t>(std::exchange(interrupted_ns, 0) * kGhz);
    return now;
}

class TscClockTest : public ::testing::Test {
  protected:
    TscClock clock{read_cycles, read_kernel};
    double worst_ns = 0;  // how far it was off

    void SetUp() override {
        interrupted_ns = 0;
        cycles = 123'456'789'012;
        kernel_ns = 5e9;
        asked = 0;
    }
    /// Both go on, the counter at `ghz`, and the clock is read after each step.
    void go_on(double ns, double step_ns = 100, double ghz = kGhz) {
        for (double done = 0; done < ns; done += step_ns) {
            pass(step_ns, ghz);
            read();
        }
    }
    void pass(double ns, double ghz = kGhz) {
        rest_ += ns * ghz;
        cycles += static_cast<uint64_t>(rest_);
        rest_ -= static_cast<double>(static_cast<uint64_t>(rest_));
        kernel_ns += ns;
    }
    uint64_t read() {
        const Now now = clock.at(cycles);
        EXPECT_GE(now.ns, last_);
        EXPECT_EQ(now.ms, static_cast<uint32_t>(now.ns / 1'000'000));
        last_ = now.ns;
        worst_ns = std::max(worst_ns, std::abs(static_cast<double>(now.ns) - kernel_ns));
        return now.ns;
    }
    /// How often the kernel was asked in so many readings.
    unsigned asked_in(unsigned readings, double step_ns = 100) {
        asked = 0;
        go_on(readings * step_ns, step_ns);
        return asked;
    }
    /// Is told from the counter again.
    void learn() {
        go_on(20e6);
        ASSERT_LT(asked_in(10'000), 20u);
        worst_ns = 0;
    }

  private:
    double rest_ = 0;
    uint64_t last_ = 0;
};

TEST_F(TscClockTest, SaysWhatTheKernelSaysAndSeldomAsksIt) {
    go_on(20e6);
    EXPECT_LE(worst_ns, 2);
    asked = 0;
    go_on(100e6);
    EXPECT_LE(worst_ns, 2);
    const double spans = 100e6 * kGhz / TscClock::kAskEvery;
    EXPECT_NEAR(asked, spans, 2);
}

// As NTP does it, by 500 parts of a million at the most.
TEST_F(TscClockTest, FollowsAPaceThatDrifts) {
    learn();
    double pace = kGhz;
    for (unsigned i = 0; i < 100; ++i) go_on(10e6, 1'000, pace *= 1 - 5e-6);
    EXPECT_LE(worst_ns, 100);
    EXPECT_LT(asked_in(10'000), 20u);
}

// The CPU was taken away between the kernel's answer and the counter's.
TEST_F(TscClockTest, AnAnswerThatComesLateDoesNoHarm) {
    std::mt19937_64 random(5);
    learn();
    for (unsigned i = 0; i < 300; ++i) {
        interrupted_ns = static_cast<double>(random() % 3'000'000);
        pass(4e6);  // the kernel is asked again
        read();
        EXPECT_EQ(interrupted_ns, 0);
        worst_ns = 0;
        go_on(1e6, 1'000);
        ASSERT_LE(worst_ns, 100);
    }
    EXPECT_LT(asked_in(10'000), 20u);
}

TEST_F(TscClockTest, ASleepIsNoJump) {
    learn();
    for (const double ns : {250e3, 5e6, 3e9, 7.2e12}) {
        pass(ns);
        go_on(1e6);
        EXPECT_LE(worst_ns, 100) << ns;
        EXPECT_LT(asked_in(10'000), 20u) << ns;
    }
}

// A virtual machine was stopped, and neither went on.
TEST_F(TscClockTest, WhereBothStopNothingIsSeen) {
    learn();
    const uint64_t then = read();
    for (unsigned i = 0; i < 1'000; ++i) EXPECT_EQ(read(), then);
    go_on(20e6);
    EXPECT_LE(worst_ns, 2);
    EXPECT_LT(asked_in(10'000), 20u);
}

TEST_F(TscClockTest, ACounterThatJumpedFarIsNotBelievedAtAll) {
    learn();
    cycles += uint64_t{1} << 40;
    go_on(1e6);
    EXPECT_LE(worst_ns, 2);
    EXPECT_EQ(asked_in(1'000), 1'000u);  // each time, until its pace is known
    learn();
    go_on(50e6);
    EXPECT_LE(worst_ns, 2);
}

// What it jumped by is not seen before the kernel is asked; then time stands until that is past.
TEST_F(TscClockTest, ACounterThatJumpedALittleIsFoundOut) {
    learn();
    const auto jump = TscClock::kAskEvery / 4;
    cycles += jump;
    go_on(20e6);
    EXPECT_LE(worst_ns, static_cast<double>(jump) / kGhz + 2);
    learn();
    go_on(50e6);
    EXPECT_LE(worst_ns, 2);
}

TEST_F(TscClockTest, ACounterThatWentBackIsFoundOutAtOnce) {
    learn();
    cycles -= TscClock::kAskEvery * 4;
    go_on(1e6);
    EXPECT_LE(worst_ns, 2);
    cycles = 5;  // it begins anew
    go_on(1e6);
    EXPECT_LE(worst_ns, 2);
    learn();
}

TEST_F(TscClockTest, ACounterThatStandsIsFoundOutByReadings) {
    learn();
    go_on(100.0 * (TscClock::kReadings + 1), 100, 0);
    worst_ns = 0;
    go_on(10e6, 100, 0);
    EXPECT_LE(worst_ns, 2);
    learn();
}

// Each time later: one that never counts evenly ends as the kernel's clock.
TEST_F(TscClockTest, ACounterOfAnotherPaceAllTheTimeIsHardlyBelieved) {
    learn();
    for (unsigned i = 0; i < 200; ++i) go_on(10e6, 10'000, i % 2 == 0 ? kGhz : kGhz / 2);
    asked = 0;
    const double before = kernel_ns;
    for (unsigned i = 0; i < 20; ++i) go_on(10e6, 10'000, i % 2 == 0 ? kGhz : kGhz / 2);
    EXPECT_GT(asked, 0.9 * (kernel_ns - before) / 10'000);
}

TEST_F(TscClockTest, OfTheThreadItIsTheKernelsTime) {
    const uint64_t before = Now::read().ns, ns = TscClock::now().ns, after = Now::read().ns;
    EXPECT_GE(ns, before);
    EXPECT_LE(ns, after);
}

}  // namespace
}  // namespace ravelin::test
