// SPDX-License-Identifier: Apache-2.0
// Supervisor: keeps one data plane process alive where there is no init to do it. Watches it by
// pidfd, so that one started by an earlier control plane is looked after just the same, also one
// that is being killed while we meet it.
#pragma once
#include <sys/types.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "controlplane/link/launcher.h"
#include "controlplane/link/peer.h"
#include "controlplane/loop/event_loop.h"

namespace ravelin::control {

class Supervisor {
  public:
    /// `command`: program and arguments. `died` hears how, in words, before the restart. To be made
    /// while the process has one thread (Launcher).
    Supervisor(EventLoop& loop, const std::vector<std::string>& command,
               std::function<void(const std::string& how)> died);
    ~Supervisor();
    Supervisor(const Supervisor&) = delete;
    Supervisor& operator=(const Supervisor&) = delete;

    /// Nobody listens at the data plane's socket: starts one, unless one is being watched (it has
    /// not come so far, or not gone so far) or is to be started already.
    void ensure_running();
    /// Watches the data plane that does listen, whoever started it. An unknown one is ignored.
    void adopt(Peer peer);
    /// No more restarts: SIGTERM, and SIGKILL if it has not gone within two seconds; then `gone`.
    void stop(std::function<void()> gone);
    [[nodiscard]] pid_t pid() const { return pid_; }
    [[nodiscard]] unsigned restarts() const { return restarts_; }

  private:
    void spawn();
    bool watch(Peer peer);
    void let_go();
    void exited();
    std::string reap();
    void respawn_later();

    EventLoop& loop_;
    Launcher launcher_;
    std::string program_;
    std::function<void(const std::string&)> died_;
    std::function<void()> gone_;
    pid_t pid_ = 0;  // 0: none
    bool child_ = false;
    UniqueFd pidfd_;
    std::map<pid_t, UniqueFd> left_;  // children let go of, until they end
    EventLoop::TimerId timer_ = EventLoop::kNoTimer;
    EventLoop::Clock::time_point started_;
    unsigned quick_deaths_ = 0;  // in a row
    unsigned restarts_ = 0;
    bool stopping_ = false;
};

}  // namespace ravelin::control
