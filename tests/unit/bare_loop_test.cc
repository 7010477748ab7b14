// SPDX-License-Identifier: Apache-2.0
// What a loop gets of a CPU: less where another thread wants the same one.
#include "controlplane/cli/bare_loop.h"

#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <thread>

namespace ravelin::cli {
namespace {

int first_cpu() {
    cpu_set_t set;
    sched_getaffinity(0, sizeof set, &set);
    for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu)
        if (CPU_ISSET(static_cast<size_t>(cpu), &set)) return cpu;
    return 0;
}

TEST(BareLoop, KnowsItsClocks) {
    const auto loop = run_bare_loop(first_cpu(), 0.1);
    ASSERT_TRUE(loop) << loop.error().message;
    EXPECT_GT(loop->tsc_hz, 5e8);
    EXPECT_LT(loop->tsc_hz, 2e10);
    EXPECT_GT(loop->core_hz, 2e8);
    EXPECT_LT(loop->core_hz, 2e10);
    EXPECT_GE(loop->seconds, 0.09);
    EXPECT_GT(loop->share, 0);
    EXPECT_LE(loop->share, 1);
    EXPECT_GE(loop->gaps_10us, loop->gaps_100us);
    EXPECT_GE(loop->gaps_100us, loop->gaps_1ms);
}

TEST(BareLoop, SeesWhoElseHasTheCpu) {
    const int cpu = first_cpu();
    std::atomic<bool> stop = false;
    std::thread other([&] {
        cpu_set_t only;
        CPU_ZERO(&only);
        CPU_SET(static_cast<size_t>(cpu), &only);
        sched_setaffinity(0, sizeof only, &only);
        while (!stop) {
        }
    });
    const auto loop = run_bare_loop(cpu, 0.5);
    stop = true;
    other.join();
    ASSERT_TRUE(loop);
    EXPECT_LT(loop->share, 0.75);  // a half, and some slack for the scheduler's whims
    EXPECT_GT(loop->gaps_1ms, 10u);
    EXPECT_GT(loop->longest_us, 1000);
}

TEST(BareLoop, LeavesTheThreadWhereItWas) {
    cpu_set_t before, after;
    sched_getaffinity(0, sizeof before, &before);
    ASSERT_TRUE(run_bare_loop(first_cpu(), 0.01));
    sched_getaffinity(0, sizeof after, &after);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
    EXPECT_FALSE(run_bare_loop(CPU_SETSIZE - 1, 0.01));
}

}  // namespace
}  // namespace ravelin::cli
