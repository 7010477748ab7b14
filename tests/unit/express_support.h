// SPDX-License-Identifier: Apache-2.0
// Configurations of a box whose packets take the express.
#pragma once
#include <fmt/format.h>

#include <string>

namespace ravelin::test {

inline constexpr const char* kPrincipals =
    "principals: [{name: inner, prefixes: 10.0.0.0/24}, {name: inner/one, prefixes: 10.0.0.64/26}, "
    "{name: dns}, {name: tagged}]";

// One next hop, a group, networks on a link, a port with tags, a small MTU, and what is not
// forwarded.
inline std::string yaml_of(const std::string& firewall, const std::string& hops,
                           bool charged = false) {
    return fmt::format(R"({}
sets: {{bad: {{type: prefixes, size: 16}}}}
ports:
  - {{name: lan, device: 'null', addresses: [10.0.0.1/24, "fd00:1::1/64"], mac: '02:00:00:00:aa:01'}}
  - {{name: wan, device: 'null', addresses: 192.0.2.1/24, mac: '02:00:00:00:aa:02', mtu: 1300B}}
  - {{name: two, device: 'null', addresses: 198.51.100.1/24, mac: '02:00:00:00:aa:03'}}
  - {{name: lan.5, parent: lan, vlan: 5, addresses: 10.5.0.1/24{}}}
pipeline:
  - parse
  - steer
  - route:
      routes:
        - {{to: 0.0.0.0/0, next-hops: [{}]}}
        - {{to: 203.0.113.0/24, via: 192.0.2.8}}
        - {{to: 203.0.113.16/28, via: 198.51.100.9}}
        - {{to: 203.0.113.32/28, kind: blackhole}}
        - {{to: 203.0.113.48/28, kind: unreachable}}
{}  - neighbour:
      static:
        - {{port: wan, address: 192.0.2.8, mac: '02:00:00:00:01:08'}}
        - {{port: wan, address: 192.0.2.9, mac: '02:00:00:00:01:09'}}
        - {{port: two, address: 198.51.100.9, mac: '02:00:00:00:02:09'}}
        - {{port: lan.5, address: 10.5.0.20, mac: '02:00:00:00:05:0a'}}
  - local
  - clamp
  - rewrite
)",
                       charged ? kPrincipals : "", charged ? ", principal: tagged" : "", hops,
                       (firewall.empty() ? "" : "  - firewall: {" + firewall + "}\n") +
                           (charged ? "  - classify\n" : ""));
}

inline const std::string kOne = "{via: 192.0.2.9}", kBoth = "{via: 192.0.2.9}, {via: 198.51.100.9}";
inline const std::string kNoFirewall;
inline const std::string kStateless =
    "rules: [{name: bad, action: drop, from: '@bad', to-ports: 4000, protocol: udp}, {name: dns, "
    "action: accept, protocol: udp, "
    "to-ports: 53, stateful: false}, {name: web, action: accept, protocol: tcp, to-ports: 80, "
    "stateful: false}, {name: by-port, action: drop, out: two}, {name: told, action: reject, "
    "to: 203.0.113.7}, {name: back, action: accept, in: [wan, two], stateful: false}]";
inline const std::string kStateful =
    "rules: [{name: dns, action: accept, protocol: udp, to-ports: 53, in: lan}, {name: web, "
    "action: accept, protocol: tcp, to-ports: 80, in: lan}, {name: log, action: drop, log: true, "
    "protocol: tcp, to-ports: 22}, {name: some, action: accept, protocol: udp, to-ports: 4000, "
    "limit: {rate: "
    "100pps, burst: 5}, stateful: false}]";

}  // namespace ravelin::test
