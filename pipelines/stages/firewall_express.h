// SPDX-License-Identifier: Apache-2.0
// Plain packets without a flow that rules judge by themselves: what `firewall` decides of them.
#pragma once
#include "dataplane/express.h"
#include "pipelines/stages/firewall_policy.h"

namespace ravelin::firewall {

/// Whether decide_express() can tell under such a policy.
bool decides_express(const FirewallPolicy& policy) noexcept;

/// Fills `rule` of those that stateless rules accept and drops those that rules, the default or
/// the want of a connection drop; what belongs to a flow, opens one, is logged, limited or answered
/// goes to the pipeline. `first_drop`: the stage's drop code of Outcome 0.
void decide_express(ExpressBurst& burst, const FirewallPolicy& policy, DropCode first_drop,
                    const WorkerContext& context) noexcept;

}  // namespace ravelin::firewall
