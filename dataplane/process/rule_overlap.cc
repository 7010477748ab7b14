// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/rule_overlap.h"

#include <algorithm>

namespace ravelin {

std::optional<Prefix> common(const Prefix& a, const Prefix& b) {
    if (a.is_v4() != b.is_v4()) return std::nullopt;
    if (a.length <= b.length && a.contains(b.address)) return b;
    if (b.length <= a.length && b.contains(a.address)) return a;
    return std::nullopt;
}
std::optional<config::PortRange> common(const config::PortRange& a, const config::PortRange& b) {
    const config::PortRange both{std::max(a.low, b.low), std::min(a.high, b.high)};
    return both.low <= both.high ? std::optional(both) : std::nullopt;
}

namespace {

/// Nothing is in both; an empty list is everything.
template <typename Item>
bool apart(const std::vector<Item>& a, const std::vector<Item>& b) {
    return !a.empty() && !b.empty() && std::ranges::none_of(a, [&](const Item& one) {
        return std::ranges::any_of(
            b, [&](const Item& other) { return common(one, other).has_value(); });
    });
}

/// The usual answer for one rule of thousands, without a copy of it.
bool apart(const ClassifierRule& a, const ClassifierRule& b) {
    return apart(a.destination_ports, b.destination_ports) || apart(a.protocols, b.protocols) ||
           apart(a.sources, b.sources) || apart(a.destinations, b.destinations);
}

/// Makes `list` what it has in common with `other`; an empty list is everything. False: nothing.
template <typename Item>
bool meet(std::vector<Item>& list, const std::vector<Item>& other) {
    if (other.empty()) return true;
    if (list.empty()) {
        list = other;
        return true;
    }
    std::vector<Item> both;
    for (const Item& a : list)
        for (const Item& b : other)
            if (const auto c = common(a, b)) both.push_back(*c);
    list = std::move(both);
    return !list.empty();
}

}  // namespace

std::optional<firewall::NamedRule> overlap(const firewall::NamedRule& path,
                                           const firewall::NamedRule& rule) {
    if (apart(path.rule, rule.rule)) return std::nullopt;
    firewall::NamedRule out = rule;
    ClassifierRule& r = out.rule;
    const ClassifierRule& p = path.rule;
    const bool some = meet(r.sources, p.sources) && meet(r.destinations, p.destinations) &&
                      meet(r.protocols, p.protocols) && meet(r.source_ports, p.source_ports) &&
                      meet(r.destination_ports, p.destination_ports) &&
                      meet(r.in_ports, p.in_ports) && meet(r.out_ports, p.out_ports) &&
                      meet(r.icmp_types, p.icmp_types);
    // A path is made of packets that open flows.
    const bool fresh = r.states == 0 || (r.states & firewall::kStateNew) != 0;
    if (!some || !fresh || effective_protocols(r).none()) return std::nullopt;
    r.states = firewall::kStateNew;
    if (p.family != 0) {
        if (r.family != 0 && r.family != p.family) return std::nullopt;
        r.family = p.family;
    }
    return out;
}

}  // namespace ravelin
