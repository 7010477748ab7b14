// SPDX-License-Identifier: Apache-2.0
// What a data plane that has booted still needs. Its ports, segments and control socket are open by
// then: no capability, no file but /proc/meminfo, no new socket that could reach anybody.
#pragma once
#include <span>
#include <string>

#include "dataplane/config/node.h"
#include "dataplane/sandbox/sandbox.h"

namespace ravelin {

/// `devices`: the ports' device strings. Some drivers ask for more after they were started, and
/// get it only where they are in use: memif connects again, af_xdp takes its program off the
/// interface when it closes, drivers of real NICs read sysfs.
sandbox::Plan confinement(std::span<const std::string> devices);
/// For the configuration that was booted.
sandbox::Plan confinement_of(const config::Node& config);

}  // namespace ravelin
