// SPDX-License-Identifier: Apache-2.0
#include "controlplane/link/peer.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <utility>

namespace ravelin::control {

UniqueFd open_pidfd(pid_t pid) {
    return UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
}

Peer peer_of(int socket) {
    ucred who{};  // as it was when the process called listen()
    socklen_t length = sizeof who;
    if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &length) != 0 || who.pid <= 0)
        return {};
    UniqueFd pidfd = open_pidfd(who.pid);
    // The number may be another's by now; not while the connection stands, for then the process
    // that has its other end was there before and after we opened it.
    pollfd polled{socket, 0, 0};
    if (!pidfd || ::poll(&polled, 1, 0) != 0) return {};
    return {who.pid, std::move(pidfd)};
}

}  // namespace ravelin::control
