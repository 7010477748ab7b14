// SPDX-License-Identifier: Apache-2.0
// Launcher: a process forked before the control plane gives up its privileges, because what is
// given up would be missing in the data plane too. It knows one command line and two requests:
// start it, and tell how it ended. It ends when the control plane does; the data plane goes on.
#pragma once
#include <sys/types.h>

#include <string>
#include <vector>

#include "controlplane/loop/unique_fd.h"
#include "dataplane/result.h"

namespace ravelin::control {

class Launcher {
  public:
    /// Forks: to be made while the process has one thread.
    explicit Launcher(const std::vector<std::string>& command);
    ~Launcher();
    Launcher(const Launcher&) = delete;
    Launcher& operator=(const Launcher&) = delete;

    /// Starts the command in a session of its own: a Ctrl-C or hang-up of our terminal must not
    /// reach a data plane that is to outlive us. Until reaped, its pid is nobody else's.
    Result<pid_t> start();
    /// How one that was started and has ended did so: "exited with 3", "was killed by signal 9".
    Result<std::string> reap(pid_t pid);

  private:
    struct Request;
    struct Reply;
    static Reply handle(const Request& request, char* const* argv);
    [[noreturn]] static void serve(int fd, char* const* argv);
    Result<Reply> ask(const Request& request);

    UniqueFd fd_;
    pid_t pid_ = 0;
};

}  // namespace ravelin::control
