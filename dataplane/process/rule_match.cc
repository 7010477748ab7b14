// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/rule_match.h"

#include <algorithm>

#include "dataplane/net/headers.h"
#include "pipelines/stages/firewall_packet.h"

namespace ravelin {
namespace {

template <typename List, typename Holds>
bool any_or_one(const List& list, Holds holds) {
    return list.empty() || std::ranges::any_of(list, holds);
}

template <typename Value>
bool lists(const std::vector<Value>& list, Value value) {
    return any_or_one(list, [value](Value v) { return v == value; });
}

bool has_ports(uint8_t protocol) {
    return protocol == net::kTcp || protocol == net::kUdp || protocol == net::kSctp;
}

bool holds(const std::vector<config::PortRange>& ranges, uint16_t port, uint8_t protocol) {
    if (ranges.empty()) return true;
    return has_ports(protocol) && std::ranges::any_of(ranges, [port](const config::PortRange& r) {
               return r.low <= port && port <= r.high;
           });
}

/// What the classifier must say of one rule, by comparing: nothing of its tables is used.
bool takes(const ClassifierRule& rule, const ClassifierKey& key) {
    const auto within = [](const std::vector<Prefix>& set, const IpAddress& address) {
        return any_or_one(set, [&](const Prefix& p) { return p.contains(address); });
    };
    const bool icmp = key.protocol == net::kIcmp || key.protocol == net::kIcmpv6;
    const int family = key.source.is_v4() ? 4 : 6;
    return (rule.family == 0 || rule.family == family) && within(rule.sources, key.source) &&
           within(rule.destinations, key.destination) && lists(rule.protocols, key.protocol) &&
           holds(rule.source_ports, key.source_port, key.protocol) &&
           holds(rule.destination_ports, key.destination_port, key.protocol) &&
           lists(rule.in_ports, key.in_port) && lists(rule.out_ports, key.out_port) &&
           (rule.icmp_types.empty() || (icmp && lists(rule.icmp_types, key.icmp_type))) &&
           (rule.states == 0 || (rule.states & key.state) != 0);
}

}  // namespace

bool takes(const firewall::NamedRule& rule, const PacketMeta& meta) {
    if (meta.flow_state == 0) return false;  // the firewall did not get to see it
    const ClassifierKey key = firewall::classifier_key(meta, meta.flow_state);
    if (takes(rule.rule, key)) return true;
    if (rule.icmp6_types.empty()) return false;
    ClassifierRule second = rule.rule;
    second.protocols = {net::kIcmpv6};
    second.icmp_types = rule.icmp6_types;
    return takes(second, key);
}

}  // namespace ravelin
