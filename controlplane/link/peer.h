// SPDX-License-Identifier: Apache-2.0
// Peer: the process that listens at the other end of a Unix socket, held so that its death is seen.
#pragma once
#include <sys/types.h>

#include "controlplane/loop/unique_fd.h"

namespace ravelin::control {

struct Peer {
    pid_t pid = 0;   ///< 0: not known: dead already, or outside our pid namespace
    UniqueFd pidfd;  ///< readable once it is dead; certainly of that process, not of its number
};

/// Who listens where `socket` has just connected to. Says nothing about whether it will answer: a
/// process that is being killed keeps its sockets until its memory is gone.
Peer peer_of(int socket);

/// A pidfd; empty, with errno, where there is no such process.
UniqueFd open_pidfd(pid_t pid);

}  // namespace ravelin::control
