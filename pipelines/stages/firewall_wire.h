// SPDX-License-Identifier: Apache-2.0
// Rule edits as control.proto has them.
#pragma once
#include "control.pb.h"
#include "pipelines/stages/firewall_live.h"

namespace ravelin::firewall {

using RuleChanges = google::protobuf::RepeatedPtrField<model::RuleChange>;

/// Checked against the rule's schema; a rule that comes in has a slot.
Result<RuleEdit> read_edit(const model::RuleChange& change);

/// `config`, a whole configuration, with `rules` as its firewall's.
config::Node with_rules(config::Node config, config::Node rules);

}  // namespace ravelin::firewall
