// SPDX-License-Identifier: Apache-2.0
// The packets that two rules have in common, as a rule.
#pragma once
#include <concepts>
#include <optional>

#include "pipelines/stages/firewall_rules.h"

namespace ravelin {

/// What both hold.
std::optional<Prefix> common(const Prefix& a, const Prefix& b);
std::optional<config::PortRange> common(const config::PortRange& a, const config::PortRange& b);
template <std::integral Number>
std::optional<Number> common(Number a, Number b) {
    return a == b ? std::optional(a) : std::nullopt;
}

/// What `path` and `rule` both take, with all that `rule` asks beyond the classifier; nothing where
/// that is empty.
std::optional<firewall::NamedRule> overlap(const firewall::NamedRule& path,
                                           const firewall::NamedRule& rule);

}  // namespace ravelin
