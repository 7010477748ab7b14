// SPDX-License-Identifier: Apache-2.0
// Deltas of learned routes: what the control plane read from the kernel, into the live table.
#pragma once
#include "control.pb.h"
#include "dataplane/process/policy_store.h"

namespace ravelin {

/// RouteLearner: takes deltas, and takes all routes away when the control plane that told them has
/// been gone for the policy's stale-time. Control thread.
class RouteLearner {
  public:
    /// All or nothing as to form: a malformed message changes nothing and is an error. Routes that
    /// do not fit are refused one by one and counted. When it returns, no worker uses what went.
    /// `reply.total`: routes in the table; `reply.refused`: of this message.
    void learn(Appliance& box, const model::RouteDelta& delta, model::Reply& reply);
    /// The connection to the control plane ended; the next delta that begins a sync ends the wait.
    void lost(const Now& now);
    /// Removes all routes once their time is over; returns how many.
    size_t expire(Appliance& box, const Now& now);

  private:
    uint64_t keep_ns_ = 0;      // 0: for good
    uint64_t deadline_ns_ = 0;  // CLOCK_MONOTONIC; 0: none
};

}  // namespace ravelin
