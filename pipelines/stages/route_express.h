// SPDX-License-Identifier: Apache-2.0
// Where plain packets go: what `route` decides of them, a column at a time.
#pragma once
#include "dataplane/express.h"
#include "pipelines/stages/route.h"

namespace ravelin {

/// Fills next_hop and out_port of those that one next hop forwards; what is to be dropped, for the
/// box itself, chosen from a group or without a route goes to the pipeline.
void decide_express(ExpressBurst& burst, const RoutePolicy& routes,
                    const WorkerContext& context) noexcept;

/// Bits of the packets between two different addresses that routers forward; sixteen at once where
/// the CPU can, and the same without vectors.
uint64_t between_ordinary(const ExpressBurst& burst) noexcept;
uint64_t between_ordinary_one_by_one(const ExpressBurst& burst) noexcept;

}  // namespace ravelin
