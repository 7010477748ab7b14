// SPDX-License-Identifier: Apache-2.0
// The SSH session by which the command is given.
#pragma once
#include <string>

namespace ravelin::cli {

/// Of --force, wherever something may be refused for the session's sake.
inline constexpr const char* kForceHelp =
    "Even if it cuts a management path or the session that asks";

/// SSH_CONNECTION of this process or of the nearest process above it that has one (sudo takes it
/// away); empty: none.
std::string ssh_session();

}  // namespace ravelin::cli
