// SPDX-License-Identifier: Apache-2.0
// What a translation rule may say, by its kind.
#pragma once
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/result.h"
#include "dataplane/snapshot.h"
#include "pipelines/stages/nat_schema.h"

namespace ravelin::nat {

/// Of a rule that conforms to kRuleSchema.
Kind kind_of(const config::Node& rule);
/// Members that its kind needs or must not have, and addresses that are not IPv4.
Status check_rule(const config::Node& rule);
/// What traces and tests call the hit counters that the rules of `config` have.
void name_counters(const config::Node& config, std::vector<RuleInfo>& out);

}  // namespace ravelin::nat
