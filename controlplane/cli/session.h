// SPDX-License-Identifier: Apache-2.0
// The SSH session by which the command is given.
#pragma once
#include <string>

namespace ravelin::cli {

/// SSH_CONNECTION of this process or of the nearest process above it that has one (sudo takes it
/// away); empty: none.
std::string ssh_session();

}  // namespace ravelin::cli
