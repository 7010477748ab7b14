// SPDX-License-Identifier: Apache-2.0
// Credentials and Landlock are a thread's own to Linux, though POSIX says a process's. As the C
// library does for setuid(), each thread is interrupted by a signal and does it itself.
#pragma once
#include <string>

namespace ravelin::sandbox {

/// Does `act` on every thread of the process, the calling one included. `act` must be
/// async-signal-safe and returns 0 or errno. Returns an empty string, or what went wrong.
std::string on_every_thread(int (*act)(const void*) noexcept, const void* argument);

}  // namespace ravelin::sandbox
