// SPDX-License-Identifier: Apache-2.0
// Rules that can never match, told to the operator with both positions.
#pragma once
#include <string>
#include <vector>

#include "controlplane/config/positions.h"
#include "dataplane/config/node.h"

namespace ravelin::control {

/// One line for each configured firewall rule that one earlier rule covers wholly. `tree` compiles.
std::vector<std::string> shadow_warnings(const config::Node& tree,
                                         const config::Positions& positions);

}  // namespace ravelin::control
