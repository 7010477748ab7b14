// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/supervisor.h"

#include <fmt/format.h>
#include <poll.h>
#include <sys/syscall.h>

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

}  // namespace

Supervisor::Supervisor(EventLoop& loop, const std::vector<std::string>& command,
                       std::function<void(const std::string&)> died)
    : loop_(loop), launcher_(command), program_(command.front()), died_(std::move(died)) {}

Supervisor::~Supervisor() {
    loop_.cancel(timer_);
    if (pidfd_) loop_.forget(pidfd_.get());
    for (const auto& [pid, fd] : left_) loop_.forget(fd.get());
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
    const int fd = pidfd_.get();
    left_.emplace(pid_, std::move(pidfd_));
    loop_.watch(fd, POLLIN, [this, fd, pid = pid_](short) {
        (void)launcher_.reap(pid);
        loop_.forget(fd);
        left_.erase(pid);
    });
}

void Supervisor::spawn() {
    const auto pid = launcher_.start();
    if (!pid) {
        log_error(fmt::format("{}: cannot start: {}", program_, pid.error().message));
        return respawn_later();
    }
    child_ = true;
    started_ = EventLoop::Clock::now();
    if (watch({*pid, open_pidfd(*pid)})) log_info(fmt::format("started data plane {}", *pid));
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

std::string Supervisor::reap() {
    const auto how = child_ ? launcher_.reap(pid_) : Result<std::string>("ended");
    return fmt::format("data plane {} {}", pid_, how ? *how : "ended");
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
