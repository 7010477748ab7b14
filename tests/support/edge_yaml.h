// SPDX-License-Identifier: Apache-2.0
// A small router configuration, for tests of the control plane.
#pragma once
#include <string>

namespace ravelin::test {

/// `rules`: lines of the firewall's rules, eight spaces in.
inline std::string edge_yaml(
    const std::string& rules =
        "        - {name: web, action: accept, in: lan, protocol: tcp, to-ports: 80}\n") {
    return "ports:\n"
           "  - {name: lan, device: \"null\", addresses: 10.0.0.1/24}\n"
           "  - {name: wan, device: \"null\", addresses: 192.0.2.1/24}\n"
           "pipeline:\n"
           "  - parse: {}\n"
           "  - route: {routes: [{to: 0.0.0.0/0, via: 192.0.2.254}]}\n"
           "  - firewall:\n"
           "      rules:\n" +
           rules + "control: {metrics: \"off\"}\n";
}

}  // namespace ravelin::test
