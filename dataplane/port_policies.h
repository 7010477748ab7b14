// SPDX-License-Identifier: Apache-2.0
// The ports of a configuration: devices, sub-interfaces on them, ends of tunnels. Index = PortId.
#pragma once
#include <string>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/snapshot.h"

namespace ravelin {

class PrincipalFlows;
class InvocationKeeper;
class LinkKeeper;

/// What a policy cannot know by itself: the MAC each running port really has (index = PortId), and
/// what outlives policies.
struct PortFacts {
    std::vector<MacAddress> macs;
    /// Where the box counts flows by principal; null: a policy that is built for trial.
    PrincipalFlows* principal_flows = nullptr;
    /// Who keeps what sends at the rate of a port; null as above.
    LinkKeeper* links = nullptr;
    /// Who keeps what waits for functions; null as above.
    InvocationKeeper* invocations = nullptr;
};

/// Whether this entry of `ports` is a device, not something that stands on another port.
bool has_device(const config::Node& port);
/// The port that carries port `i` of the list: its parent, the one with the local address of its
/// tunnels, or itself.
PortId carrier_of(const config::Node& ports, size_t i);
/// Bytes of L3 that port `i` of the list carries: its own word, else its carrier's (less what a
/// tunnel adds), else 1500.
uint32_t mtu_of(const config::Node& ports, size_t i);

/// All of them, or "ports[1]: vlan: found ..., expected ...".
Result<std::vector<PortPolicy>> read_ports(const config::Node& ports, PolicySnapshot::Mode mode,
                                           const PortFacts& facts);
/// Their names, in their order: what rules are read with.
std::vector<std::string> names_of(const std::vector<PortPolicy>& ports);
/// Where received frames belong that have tags.
VlanMap vlans_of(const std::vector<PortPolicy>& ports);

}  // namespace ravelin
