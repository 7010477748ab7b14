// SPDX-License-Identifier: Apache-2.0
// A policy as packets of some paths will meet it once the timeouts of its sets' elements are over.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "control.pb.h"
#include "dataplane/process/live_sets.h"
#include "dataplane/process/path_check.h"
#include "dataplane/snapshot.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin {

/// Paths as the rules they are written as. Error: which of them is none.
Result<std::vector<firewall::NamedRule>> rules_of_paths(const Paths& paths,
                                                        const std::vector<std::string>& ports);

/// Whether a packet of one of `paths` can have the element where some rule looks for it.
bool concerns(std::span<const firewall::NamedRule> paths, SetType type, const SetElement& element);

/// A set of its own with these elements and their times of expiry (0: never), for trials.
using TimedElement = std::pair<SetElement, uint64_t>;
Result<std::shared_ptr<LiveSet>> set_of(const SetDecl& decl,
                                        const std::vector<TimedElement>& elements);

/// `policy` with `sets`, one for each of its own and in their order. Takes as long as a
/// compilation of the firewall.
Result<std::unique_ptr<PolicySnapshot>> with_sets(const PolicySnapshot& policy, LiveSets sets);

/// `policy` without the elements that have a timeout and concern `paths`; null: there are none. Its
/// sets are for packets of the paths alone.
Result<std::unique_ptr<PolicySnapshot>> when_timeouts_are_over(
    const PolicySnapshot& policy, std::span<const firewall::NamedRule> paths);

}  // namespace ravelin
