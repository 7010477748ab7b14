// SPDX-License-Identifier: Apache-2.0
// What one worker's invocations are made of, and the room that is set aside for who has reserved
// cycles.
#pragma once
#include "dataplane/functions.h"
#include "dataplane/invocations.h"

namespace ravelin {

/// Of the time-stamp counter in so many ns.
uint64_t cycles_in(uint64_t ns);

/// Instances, limits and promises of `functions`, which `config` declares, on `worker`. Errors:
/// what a function type says of its own part, or more promised than may wait.
Result<InvocationPlan> plan_of(const config::Node& config, const Functions& functions,
                               WorkerId worker, const PolicySnapshot& snapshot);

}  // namespace ravelin
