// SPDX-License-Identifier: Apache-2.0
// Landlock: which files may be touched, whoever we are (landlock(7)). A ruleset is made first and
// put on each thread by itself, because the kernel has no way to put it on all (up to ABI 7).
#pragma once
#include <cstdint>
#include <span>
#include <string>

#include "dataplane/result.h"

namespace ravelin::sandbox {

enum class Access : uint8_t {
    kRead,    ///< read files, list folders
    kWrite,   ///< and write, make, rename and remove files, folders and sockets
    kDevice,  ///< read, write and control a device (its ioctls)
};

/// A file or a folder and what is below it; one that does not exist is left out.
struct PathRule {
    std::string path;
    Access access = Access::kRead;
};

struct Ruleset {
    int fd = -1;
    int abi = 0;
};

/// Whatever `paths` does not say is forbidden, as are outgoing TCP connections (ABI 4) and, unless
/// `signals`, signals to processes outside (ABI 6). Error: why this kernel cannot.
Result<Ruleset> make_ruleset(std::span<const PathRule> paths, bool signals);
/// Puts it on the calling thread; async-signal-safe. 0 or errno. Needs no_new_privs.
int restrict_thread(int ruleset) noexcept;

}  // namespace ravelin::sandbox
