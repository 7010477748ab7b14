// SPDX-License-Identifier: Apache-2.0
// From a stage's error to the place in the operator's file: stages know nothing of YAML.
#pragma once
#include "controlplane/config/positions.h"
#include "dataplane/config/node.h"
#include "dataplane/result.h"

namespace ravelin::control {

/// "firewall: rules[3] 'web': in: found 'x'" -> "edge.yaml:40:9: pipeline.firewall.rules[3].in:
/// found 'x'". Follows the message into `tree` as far as it names members; the rest is its text.
Error locate(const Error& error, const config::Node& tree, const config::Positions& positions);

}  // namespace ravelin::control
