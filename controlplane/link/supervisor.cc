// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/supervisor.h"

#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <utility>

#include "controlplane/loop/log.h"

namespace ravelin::control {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSlowestRestart{1000};
constexpr milliseconds kHealthy{5000};  // after so long a death is not "again"
constexpr milliseconds kStopGrace{2000};

/// Starts `command` in a session of its own: a Ctrl-C or hang-up of our terminal must not reach a
/// data plane that is to outlive us.
int spawn_detached(const std::vector<std::string>& command, pid_t& pid) {
    std::vector<char*> argv;
    for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSID);
    const int failed = ::posix_spawn(&pid, argv[0], nullptr, &attributes, argv.data(), environ);
    posix_spawnattr_destroy(&attributes);
    return failed;
}

}  // namespace

Supervisor::Supervisor(EventLoop& loop, std::vector<std::string> command,
                       std::function<void(const std::string&)> died)
    : loop_(loop), command_(std::move(command)), died_(std::move(died)) {}

Supervisor::~Supervisor() {
    loop_.cancel(timer_);
    if (pidfd_) loop_.forget(pidfd_.get());
}

void Supervisor::ensure_running() {
    if (pid_ == 0 && !stopping_ && timer_ == EventLoop::kNoTimer) spawn();
}

void Supervisor::adopt(Peer peer) {
    if (!peer.pidfd || peer.pid == pid_ || stopping_) return;
    loop_.cancel(std::exchange(timer_, EventLoop::kNoTimer));
    let_go();
    child_ = false;
    const pid_t pid = peer.pid;
    if (watch(std::move(peer)))
        log_info(fmt::format("supervising data plane {} that was running already", pid));
}

/// Watches no more. A child that found another data plane in its place is still reaped.
void Supervisor::let_go() {
    if (!pidfd_) return;
    loop_.forget(pidfd_.get());
    if (!child_) return pidfd_.reset();
    const auto fd = std::make_shared<UniqueFd>(std::move(pidfd_));
    loop_.watch(fd->get(), POLLIN, [&loop = loop_, fd](short) {
        siginfo_t info{};
        ::waitid(P_PIDFD, static_cast<id_t>(fd->get()), &info, WEXITED);
        loop.forget(fd->get());
    });
}

void Supervisor::spawn() {
    pid_t pid = 0;
    if (const int failed = spawn_detached(command_, pid); failed != 0) {
        log_error(fmt::format("{}: cannot start: {}", command_.front(), std::strerror(failed)));
        return respawn_later();
    }
    child_ = true;
    started_ = EventLoop::Clock::now();
    if (watch({pid, open_pidfd(pid)})) log_info(fmt::format("started data plane {}", pid));
}

bool Supervisor::watch(Peer peer) {
    pid_ = peer.pid;
    pidfd_ = std::move(peer.pidfd);
    if (!pidfd_) {
        log_error(fmt::format("cannot watch data plane {}: {}", pid_, std::strerror(errno)));
        pid_ = 0;
        respawn_later();
        return false;
    }
    loop_.watch(pidfd_.get(), POLLIN, [this](short) { exited(); });
    return true;
}

std::string Supervisor::reap() const {
    siginfo_t info{};
    if (!child_ || ::waitid(P_PIDFD, static_cast<id_t>(pidfd_.get()), &info, WEXITED) != 0)
        return fmt::format("data plane {} ended", pid_);
    if (info.si_code == CLD_EXITED)
        return fmt::format("data plane {} exited with {}", pid_, info.si_status);
    return fmt::format("data plane {} was killed by signal {}", pid_, info.si_status);
}

void Supervisor::exited() {
    const std::string how = reap();
    loop_.forget(pidfd_.get());
    pidfd_.reset();
    pid_ = 0;
    if (stopping_) {
        loop_.cancel(timer_);
        if (gone_) gone_();
        return;
    }
    log_error(how);
    if (died_) died_(how);
    respawn_later();
}

void Supervisor::respawn_later() {
    if (stopping_) return;
    const bool healthy = EventLoop::Clock::now() - started_ > kHealthy;
    quick_deaths_ = healthy ? 0 : quick_deaths_ + 1;
    ++restarts_;
    // The first death is answered at once; one that repeats ever more slowly.
    const auto delay =
        quick_deaths_ <= 1
            ? milliseconds(0)
            : std::min(kSlowestRestart, milliseconds(25) * (1 << std::min(quick_deaths_, 8u)));
    timer_ = loop_.after(delay, [this] {
        timer_ = EventLoop::kNoTimer;
        ensure_running();
    });
}

void Supervisor::stop(std::function<void()> gone) {
    stopping_ = true;
    loop_.cancel(timer_);
    if (pid_ == 0) return gone();
    gone_ = std::move(gone);
    ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGTERM, nullptr, 0);
    timer_ = loop_.after(kStopGrace, [this] {
        log_warning(fmt::format("data plane {} does not stop: killing it", pid_));
        ::syscall(SYS_pidfd_send_signal, pidfd_.get(), SIGKILL, nullptr, 0);
    });
}

}  // namespace ravelin::control
