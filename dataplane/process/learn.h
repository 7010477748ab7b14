// SPDX-License-Identifier: Apache-2.0
// Deltas of learned routes: what the control plane read from the kernel, into the live table.
#pragma once
#include "control.pb.h"
#include "dataplane/process/policy_store.h"

namespace ravelin {

/// All or nothing as to form: a malformed message changes nothing and is an error. Routes that do
/// not fit are refused one by one and counted. When it returns, no worker uses what went.
/// `reply.total`: routes in the table; `reply.refused`: of this message.
void learn(Appliance& box, const model::RouteDelta& delta, model::Reply& reply);

}  // namespace ravelin
