// SPDX-License-Identifier: Apache-2.0
// Whether a policy that is about to come into force would cut paths somebody depends on: the
// management path, the session that asks. Made packets of each path run through it beforehand.
#pragma once
#include <google/protobuf/repeated_ptr_field.h>

#include <span>

#include "control.pb.h"
#include "dataplane/process/appliance.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin {

using Paths = google::protobuf::RepeatedPtrField<model::Path>;

/// Control thread. `next` may not be published yet; `now` is in force, or null. Tried are packets
/// of each path, and where a rule that denies meets a path, packets of both. The error names the
/// path, the packet and the rule or drop. A path of a session counts only if it passes `now`; what
/// is dropped for a reason not the firewall's, and now as well, is not cut by the change. What
/// cannot be tried is an error too: no packet fits the path, or two seconds by `clock` are over.
/// Where elements of live sets that concern a path have timeouts, it is asked once more, of both
/// policies without them and of what passes `now` then: what a timeout takes away was given for a
/// time, but nothing lasting may be made to hang by one. `time`: of the packets.
Status paths_pass(const Appliance& box, const PolicySnapshot& next, const PolicySnapshot* now,
                  const Paths& paths, const Now& time, Clock clock = &Now::read);

/// The same where `next` is `now` but for rules that came or went: `edited`. Tried are packets of a
/// path and of one of those; what did not pass before counts for no path.
Status paths_pass_edit(const Appliance& box, const PolicySnapshot& next, const PolicySnapshot& now,
                       std::span<const firewall::NamedRule> edited, const Paths& paths,
                       const Now& time, Clock clock = &Now::read);

}  // namespace ravelin
