// SPDX-License-Identifier: Apache-2.0
// Whether the reservations of a configuration can all be kept: asks controlplane/admission, with
// the ports that have a rate as resources.
#pragma once
#include <string>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/result.h"

namespace ravelin::control {

/// All or nothing, in the order of the file. Error: "reservations[1]: port wan has not ...", with
/// the nearest contracts that would fit.
Status check_promises(const config::Node& tree);

/// What a port with a rate has promised, wire bytes/s.
struct LinkUse {
    std::string port;
    uint64_t capacity = 0, reserved = 0;
    uint64_t box = 0;  ///< beside `reserved`: what the box's own frames have before everybody else
};
std::vector<LinkUse> link_use(const config::Node& tree);

}  // namespace ravelin::control
