// SPDX-License-Identifier: Apache-2.0
// Whether packets of a path can have an element of a live set.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

#include "dataplane/live_set.h"
#include "dataplane/process/rule_overlap.h"

namespace ravelin {

inline Prefix host(const IpAddress& address) {
    return {address, static_cast<uint8_t>(address.is_v4() ? 32 : 128)};
}

/// An empty list is everything.
template <typename Item>
bool meet(const std::vector<Item>& any, const Item& one) {
    return any.empty() || std::ranges::any_of(
                              any, [&](const Item& each) { return common(each, one).has_value(); });
}

inline config::PortRange ports_of(SetType type, const SetElement& e) {
    const auto low = static_cast<uint16_t>(e.low), high = static_cast<uint16_t>(e.high);
    if (type == SetType::kPorts) return {low, high};
    if (type == SetType::kEndpoints) return {low, low};
    return {0, UINT16_MAX};
}

/// Whether a packet of the path can have the element where some rule looks for it.
inline bool meets(const ClassifierRule& path, SetType type, const SetElement& e) {
    const config::PortRange ports = ports_of(type, e);
    const auto end = [&](const Prefix& at) {
        return (meet(path.sources, at) && meet(path.source_ports, ports)) ||
               (meet(path.destinations, at) && meet(path.destination_ports, ports));
    };
    switch (type) {
        case SetType::kPrefixes:
            return end(e.prefix());
        case SetType::kPorts:
            return meet(path.source_ports, ports) || meet(path.destination_ports, ports);
        case SetType::kEndpoints:
            return end(host(e.first));
        case SetType::kPairs:
            return meet(path.sources, host(e.first)) && meet(path.destinations, host(e.second));
    }
    return true;
}

}  // namespace ravelin
