// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/supervisor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <filesystem>

#include "controlplane/link/dataplane_link.h"

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
    supervisor.adopt({pid, open_pidfd(pid)});
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

/// A data plane in the state in which a control plane may meet one: it listens, never answers.
class DyingDataplane {
  public:
    explicit DyingDataplane(const std::string& path) {
        int ready[2];
        if (::pipe(ready) != 0 || (pid_ = ::fork()) < 0) std::abort();
        if (pid_ == 0) {
            const auto listener = listen_unix(path);
            if (::write(ready[1], "x", 1) != 1 || !listener) ::_exit(1);
            for (;;) ::pause();
        }
        char byte = 0;
        EXPECT_EQ(::read(ready[0], &byte, 1), 1);
        ::close(ready[0]);
        ::close(ready[1]);
    }
    ~DyingDataplane() { die(); }
    DyingDataplane(const DyingDataplane&) = delete;
    DyingDataplane& operator=(const DyingDataplane&) = delete;
    [[nodiscard]] pid_t pid() const { return pid_; }
    /// Its socket file stays, as after SIGKILL.
    void die() {
        if (pid_ == 0) return;
        ::kill(pid_, SIGKILL);
        ::waitpid(std::exchange(pid_, 0), nullptr, 0);
    }

  private:
    pid_t pid_ = 0;
};

/// Link and supervisor tied together as the daemon ties them.
class SupervisedLinkTest : public SupervisorTest {
  protected:
    SupervisedLinkTest() {
        std::string pattern = "/tmp/ravelin-supervised-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        path_ = directory_ + "/dataplane.sock";
        link_.emplace(loop_, path_);
        supervisor_.emplace(loop_, std::vector<std::string>{"/bin/sleep", "60"},
                            [this](const std::string& how) {
                                how_ = how;
                                link_->drop(how);
                            });
        link_->listen({.connected = {},
                       .lost = {},
                       .event = {},
                       .attached = [this](Peer peer) { supervisor_->adopt(std::move(peer)); },
                       .unreachable = [this] { supervisor_->ensure_running(); }});
    }
    ~SupervisedLinkTest() override {
        stop(*supervisor_);
        std::filesystem::remove_all(directory_);
    }
    std::string directory_, path_;
    std::optional<DataplaneLink> link_;
    std::optional<Supervisor> supervisor_;
};

TEST_F(SupervisedLinkTest, OneThatDiesBeforeItAnswersIsReplacedAtOnce) {
    DyingDataplane dying(path_);
    link_->start();
    const pid_t old = dying.pid();
    EXPECT_EQ(supervisor_->pid(), old) << "watched from the moment of connection";
    dying.die();
    loop_.turn(milliseconds(5));
    EXPECT_TRUE(turn_until([&] { return supervisor_->pid() != old && supervisor_->pid() != 0; }));
    EXPECT_THAT(how_, HasSubstr("ended"));
    EXPECT_EQ(supervisor_->restarts(), 1u);
}

TEST_F(SupervisedLinkTest, NoSecondOneIsStartedWhileTheFirstLives) {
    const DyingDataplane slow(path_);
    link_->start();
    link_->drop("as if it had hung up");
    supervisor_->ensure_running();
    for (int i = 0; i < 20; ++i) loop_.turn(milliseconds(5));
    EXPECT_EQ(supervisor_->pid(), slow.pid());
    EXPECT_EQ(supervisor_->restarts(), 0u);
    link_.reset();  // stop() must end what it watches, whoever started it
}

TEST_F(SupervisedLinkTest, ASocketFileLeftBehindIsNobody) {
    DyingDataplane(path_).die();
    ASSERT_TRUE(std::filesystem::exists(path_));
    link_->start();
    EXPECT_GT(supervisor_->pid(), 0);
    EXPECT_EQ(supervisor_->restarts(), 0u);
}

TEST_F(SupervisedLinkTest, APeerThatIsGoneIsNotTakenForAnotherOfItsNumber) {
    DyingDataplane dying(path_);
    const auto connection = connect_unix(path_);
    ASSERT_TRUE(connection.ok());
    EXPECT_EQ(peer_of(connection->get()).pid, dying.pid());
    dying.die();
    EXPECT_FALSE(peer_of(connection->get()).pidfd);
}

TEST_F(SupervisedLinkTest, AChildThatFoundAnotherInItsPlaceIsReaped) {
    supervisor_->ensure_running();
    const pid_t child = supervisor_->pid();
    const DyingDataplane other(path_);
    link_->start();
    ASSERT_EQ(supervisor_->pid(), other.pid());
    ::kill(child, SIGKILL);
    const auto reaped = [&] { return ::kill(child, 0) != 0 && errno == ESRCH; };
    EXPECT_TRUE(turn_until(reaped));
    EXPECT_EQ(supervisor_->restarts(), 0u) << "its end concerns nobody";
}

}  // namespace
}  // namespace ravelin::control
