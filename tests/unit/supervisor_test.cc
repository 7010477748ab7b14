// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <csignal>

namespace ravelin::control {
namespace {

using std::chrono::milliseconds;
using ::testing::HasSubstr;

class SupervisorTest : public ::testing::Test {
  protected:
    template <typename Condition>
    bool turn_until(Condition condition) {
        for (int i = 0; i < 2000 && !condition(); ++i) loop_.turn(milliseconds(5));
        return condition();
    }
    void stop(Supervisor& supervisor) {
        bool gone = false;
        supervisor.stop([&] { gone = true; });
        EXPECT_TRUE(turn_until([&] { return gone; }));
    }
    EventLoop loop_;
    std::string how_;
};

TEST_F(SupervisorTest, StartsAgainAtOnceWhatWasKilled) {
    Supervisor supervisor(loop_, {"/bin/sleep", "60"}, [&](const std::string& how) { how_ = how; });
    supervisor.ensure_running();
    const pid_t first = supervisor.pid();
    ASSERT_GT(first, 0);
    ::kill(first, SIGKILL);
    ASSERT_TRUE(turn_until([&] { return supervisor.pid() != first && supervisor.pid() != 0; }));
    EXPECT_THAT(how_, HasSubstr("killed by signal 9"));
    EXPECT_EQ(supervisor.restarts(), 1u);
    EXPECT_EQ(::getsid(supervisor.pid()), supervisor.pid()) << "a session of its own";
    stop(supervisor);
}

TEST_F(SupervisorTest, LooksAfterOneItDidNotStart) {
    pid_t pid = 0;
    char program[] = "/bin/sleep", seconds[] = "60";
    char* const argv[] = {program, seconds, nullptr};
    ASSERT_EQ(::posix_spawn(&pid, program, nullptr, nullptr, argv, environ), 0);
    Supervisor supervisor(loop_, {"/bin/sleep", "60"}, [&](const std::string& how) { how_ = how; });
    supervisor.adopt(pid);
    EXPECT_EQ(supervisor.pid(), pid);
    ::kill(pid, SIGKILL);
    ASSERT_TRUE(turn_until([&] { return supervisor.pid() != pid && supervisor.pid() != 0; }));
    ::waitpid(pid, nullptr, 0);
    stop(supervisor);
}

TEST_F(SupervisorTest, KillsWhatDoesNotHeedSigterm) {
    Supervisor supervisor(loop_, {"/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"}, {});
    supervisor.ensure_running();
    loop_.turn(milliseconds(50));
    stop(supervisor);
    EXPECT_EQ(supervisor.pid(), 0);
}

TEST_F(SupervisorTest, SlowsDownWhenItDiesAgainAndAgain) {
    Supervisor supervisor(loop_, {"/bin/false"}, {});
    supervisor.ensure_running();
    const auto until = EventLoop::Clock::now() + milliseconds(500);
    while (EventLoop::Clock::now() < until) loop_.turn(milliseconds(5));
    EXPECT_GE(supervisor.restarts(), 2u);
    EXPECT_LE(supervisor.restarts(), 6u);
    stop(supervisor);
}

}  // namespace
}  // namespace ravelin::control
