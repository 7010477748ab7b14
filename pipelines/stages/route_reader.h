// SPDX-License-Identifier: Apache-2.0
// Reads the way that a route's configuration names. Used by route_policy.cc alone.
#pragma once
#include <string>
#include <vector>

#include "dataplane/config/node.h"
#include "pipelines/stages/route_next_hops.h"

namespace ravelin {

/// The next hops of a map with via, port, next-hops, kind and mtu: one, several of kind forward, or
/// one of another kind. Errors name the member, what was found and what is expected.
Result<std::vector<WeightedHop>> read_next_hops(const config::Node& node,
                                                const PolicySnapshot& snapshot);

}  // namespace ravelin
