// SPDX-License-Identifier: Apache-2.0
// The packets that two rules have in common, as a rule.
#pragma once
#include <optional>

#include "pipelines/stages/firewall_rules.h"

namespace ravelin {

/// What `path` and `rule` both take, with all that `rule` asks beyond the classifier; nothing where
/// that is empty.
std::optional<firewall::NamedRule> overlap(const firewall::NamedRule& path,
                                           const firewall::NamedRule& rule);

}  // namespace ravelin
