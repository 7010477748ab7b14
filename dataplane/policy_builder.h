// SPDX-License-Identifier: Apache-2.0
// Builds a PolicySnapshot from the typed configuration tree: ports first, then each stage's
// compile().
#pragma once
#include <memory>

#include "dataplane/config/node.h"
#include "dataplane/port_policies.h"
#include "dataplane/snapshot.h"

namespace ravelin {

/// Control thread. `previous` lends the tables of stages whose configuration did not change. The
/// snapshot keeps parts of `config` and with them all of it, without a copy. The error names stage
/// and member; nothing is published.
Result<std::unique_ptr<PolicySnapshot>> build_policy(uint64_t generation,
                                                     std::shared_ptr<const config::Node> config,
                                                     const PortFacts& facts,
                                                     const PolicySnapshot* previous);

}  // namespace ravelin
