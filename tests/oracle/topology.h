// SPDX-License-Identifier: Apache-2.0
// The network both sides of the oracle stand in: one port `lan`, one port `wan`, a gateway behind
// each. A packet enters by the port its source is routed to.
#pragma once
#include <array>
#include <string>

#include "dataplane/address.h"
#include "tests/support/frames.h"

namespace ravelin::oracle {

struct TopologyPort {
    const char *name, *mac, *v4, *v6, *gateway_v4, *gateway_v6, *gateway_mac;
};
inline constexpr std::array<TopologyPort, 2> kPorts{{
    {"lan", "02:00:00:00:01:00", "198.18.0.1/30", "2001:db8:ffff::1/126", "198.18.0.2",
     "2001:db8:ffff::2", "02:00:00:00:09:00"},
    {"wan", "02:00:00:00:01:01", "198.18.0.5/30", "2001:db8:ffff::5/126", "198.18.0.6",
     "2001:db8:ffff::6", "02:00:00:00:09:01"},
}};

struct TopologyRoute {
    const char *to, *via, *port;
};
/// The lower half of IPv4 and 2001:db8:1::/48 are behind lan, the rest behind wan.
inline constexpr std::array<TopologyRoute, 4> kRoutes{{
    {"0.0.0.0/1", "198.18.0.2", "lan"},
    {"0.0.0.0/0", "198.18.0.6", "wan"},
    {"2001:db8:1::/48", "2001:db8:ffff::2", "lan"},
    {"::/0", "2001:db8:ffff::6", "wan"},
}};

/// Index into kPorts of the port that `address` is routed to.
unsigned side_of(const IpAddress& address);
/// True for the box's own networks, which generators keep out of.
bool own_network(const IpAddress& address);

/// The whole configuration around a firewall stage, for StageFixture. `reassemble`: what steer does
/// with fragments.
std::string router_yaml(const std::string& firewall, bool reassemble = false);

/// What `ravelin import` has made, for StageFixture: the topology's addresses, routes and gateways,
/// which are left to the operator, filled in. Throws where the text is not as import writes it.
std::string imported_yaml(std::string imported);

/// The frame a packet text describes, and the port it enters by (index into kPorts).
struct Arrival {
    unsigned port = 0;
    test::Bytes frame;
};
/// Throws std::runtime_error with the language's own message.
Arrival arrival(const std::string& packet_text);

/// A packet from lan to wan that every ruleset of the oracle lets pass.
test::Bytes marker_frame();
bool is_marker(const test::Bytes& frame);

}  // namespace ravelin::oracle
