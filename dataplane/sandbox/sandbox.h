// SPDX-License-Identifier: Apache-2.0
// Sandbox: what a process gives up once it has all it needs. Capabilities, no_new_privs and
// Landlock on each thread, then one seccomp filter on all. For good: nothing brings any of it back.
#pragma once
#include <string>
#include <vector>

#include "dataplane/sandbox/filter.h"
#include "dataplane/sandbox/landlock.h"

namespace ravelin::sandbox {

struct Plan {
    std::vector<Call> calls;
    std::vector<long> fatal;  ///< calls that kill instead of failing
    std::vector<PathRule> paths;
    std::vector<int> capabilities;  ///< CAP_..., kept as far as they are there
    bool signals = false;           ///< may signal other processes
};

/// What is in force, for `ravelin status`.
struct Report {
    std::string state = "on";          ///< on, partial, off
    std::vector<std::string> reasons;  ///< why not wholly on
    [[nodiscard]] std::string text() const;
};

/// Reports that nothing was given up, and why.
Report off(std::string why);
/// Confines the whole process, other threads included. What this kernel or build cannot do is left
/// out and told: a router that starts is worth more than one more wall.
Report enter(const Plan& plan);

}  // namespace ravelin::sandbox
