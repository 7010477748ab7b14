// SPDX-License-Identifier: Apache-2.0
// One configured rule as the classifier needs it. Without EAL; used by rules_of alone.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/stages/firewall_rules.h"

namespace ravelin::firewall {

/// A protocol by name or number; nothing for what is neither.
std::optional<uint8_t> protocol_of(std::string_view text);

/// All but slot and place, which depend on the other rules. Port i is port_names[i].
Result<NamedRule> read_rule(const config::Node& node, const std::vector<std::string>& port_names);

}  // namespace ravelin::firewall
