// SPDX-License-Identifier: Apache-2.0
// The shortest live changes that make one list of rules of another.
#pragma once
#include <vector>

#include "control.pb.h"
#include "dataplane/config/node.h"

namespace ravelin::control {

/// Changes that make `now`'s firewall rules of `given`'s, both whole configurations: first what is
/// gone, then what came, each behind the rule before it. Rules that changed places go and come.
std::vector<model::RuleChange> rule_script(const config::Node& given, const config::Node& now);

/// The firewall's configured rules; none where the pipeline has no firewall.
const std::vector<config::Node>& rule_nodes(const config::Node& tree);

}  // namespace ravelin::control
