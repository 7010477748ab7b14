// SPDX-License-Identifier: Apache-2.0
// Tries something in a child process that has entered a sandbox, and tells what became of it.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <ostream>

#include "dataplane/sandbox/sandbox.h"

namespace ravelin::test {

/// How it ended: killed by `signal`, or the errno the attempt returned (0: it succeeded).
struct Fate {
    int signal = 0;
    int error = 0;
    bool operator==(const Fate&) const = default;
};
inline constexpr Fate kKilled{SIGSYS, 0}, kAllowed{0, 0}, kNotPermitted{0, EPERM},
    kOutside{0, EACCES};

inline void PrintTo(const Fate& fate, std::ostream* out) {
    *out << (fate.signal != 0 ? "signal " : "errno ")
         << (fate.signal != 0 ? fate.signal : fate.error);
}

constexpr int kNotWhole = 250;  // of a child whose sandbox lacks a wall

/// `plan` is made in the child, whose pid stands in it. `attempt` returns 0 or errno.
inline Fate confined(const std::function<sandbox::Plan()>& plan,
                     const std::function<int()>& attempt) {
    const pid_t child = ::fork();
    if (child == 0) {
        if (!sandbox::enter(plan()).reasons.empty()) ::_exit(kNotWhole);
        ::_exit(attempt());
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return {WIFSIGNALED(status) ? WTERMSIG(status) : 0,
            WIFEXITED(status) ? WEXITSTATUS(status) : 0};
}

/// Why nothing of it can be tried here, or an empty string.
inline std::string no_sandbox() {
    const Fate fate = confined(
        [] {
            sandbox::Plan plan;
            sandbox::add_everyday_calls(plan.calls);
            return plan;
        },
        [] { return 0; });
    return fate == kAllowed ? "" : "an instrumented build, or a kernel without Landlock or seccomp";
}

/// 0, or errno of a system call that failed.
inline int outcome(long returned) { return returned < 0 ? errno : 0; }

}  // namespace ravelin::test
