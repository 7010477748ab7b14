// SPDX-License-Identifier: Apache-2.0
// Which worker something is for, where it need not be a certain one.
#pragma once
#include "dataplane/config/node.h"
#include "dataplane/verdict.h"

namespace ravelin {

inline constexpr WorkerId kAnyWorker = UINT16_MAX;

/// The `worker` that an entry of `functions` names.
inline WorkerId worker_of(const config::Node& function) {
    return function.has("worker") ? static_cast<WorkerId>(function["worker"].as_integer())
                                  : kAnyWorker;
}

}  // namespace ravelin
