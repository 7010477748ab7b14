// SPDX-License-Identifier: Apache-2.0
// Whether elements that come into live sets, or go, would cut paths somebody depends on.
#pragma once
#include "dataplane/process/live_sets.h"
#include "dataplane/process/path_check.h"

namespace ravelin {

/// Control thread. `change` was checked by check_sets() and is not carried out yet. As
/// paths_pass_edit(): tried are packets of a path, a rule that asks for a changed set, and an
/// element that came or went. Where no element meets a path nothing is compiled, so a block list
/// costs a comparison an element, unless a path comes from anywhere: that meets all of it.
Status paths_pass_sets(const Appliance& box, const PolicySnapshot& now,
                       const model::LiveChange& change, const Paths& paths, const Now& time,
                       Clock clock = &Now::read);

}  // namespace ravelin
