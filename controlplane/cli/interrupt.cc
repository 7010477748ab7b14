// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/interrupt.h"

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace ravelin::cli {
namespace {

sigset_t signals() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

}  // namespace

Interrupt::Interrupt() {
    const sigset_t set = signals();
    sigprocmask(SIG_BLOCK, &set, nullptr);
    fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

Interrupt::~Interrupt() {
    const sigset_t set = signals();
    signalfd_siginfo taken;
    while (read(fd_, &taken, sizeof taken) > 0) {
    }
    close(fd_);
    sigprocmask(SIG_UNBLOCK, &set, nullptr);
}

bool Interrupt::wait(int milliseconds) const {
    pollfd fd{fd_, POLLIN, 0};
    return ::poll(&fd, 1, milliseconds) > 0;
}

}  // namespace ravelin::cli
