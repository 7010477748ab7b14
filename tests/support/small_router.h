// SPDX-License-Identifier: Apache-2.0
// The smallest router that forwards: a LAN whose host may open what it likes, a way out, and both
// neighbours known.
#pragma once
#include <string>

namespace ravelin::test {

/// YAML from `ports:` on. The devices of lan and wan are `device` and what tells the two apart,
/// which 'null' does without; `more_rules` follow the one of the LAN, each behind a comma.
inline std::string small_router(const std::string& lan_device = "'null'",
                                const std::string& wan_device = "'null'",
                                const std::string& more_rules = "") {
    return "ports:\n  - {name: lan, device: " + lan_device +
           ", addresses: [10.0.0.1/24, 'fd00:1::1/64'], mac: '02:00:00:00:aa:01'}\n"
           "  - {name: wan, device: " +
           wan_device + R"(, addresses: 192.0.2.1/24, mac: '02:00:00:00:aa:02'}
pipeline:
  - parse
  - steer
  - route: {routes: [{to: 0.0.0.0/0, via: 192.0.2.9}]}
  - firewall: {rules: [{name: out, action: accept, in: lan})" +
           more_rules + R"(]}
  - neighbour:
      static:
        - {port: wan, address: 192.0.2.9, mac: '02:00:00:00:01:09'}
        - {port: lan, address: 10.0.0.20, mac: '02:00:00:00:00:20'}
  - local
  - rewrite
)";
}

}  // namespace ravelin::test
