// SPDX-License-Identifier: Apache-2.0
// The ports of a configuration: devices, and sub-interfaces on them. Index = PortId.
#pragma once
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/snapshot.h"

namespace ravelin {

/// What a policy cannot know by itself: the MAC each running port really has (index = PortId).
struct PortFacts {
    std::vector<MacAddress> macs;
};

/// Whether this entry of `ports` is a device, not something that stands on another port.
bool has_device(const config::Node& port);
/// The port whose device carries port `i` of the list: itself, or its parent.
PortId carrier_of(const config::Node& ports, size_t i);
/// Bytes of L3 that port `i` of the list carries: its own word, else its parent's, else 1500.
uint32_t mtu_of(const config::Node& ports, size_t i);

/// All of them, or "ports[1]: vlan: found ..., expected ...".
Result<std::vector<PortPolicy>> read_ports(const config::Node& ports, PolicySnapshot::Mode mode,
                                           const PortFacts& facts);
/// Where received frames belong that have tags.
VlanMap vlans_of(const std::vector<PortPolicy>& ports);

}  // namespace ravelin
