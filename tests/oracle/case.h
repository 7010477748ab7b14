// SPDX-License-Identifier: Apache-2.0
// Case: rules and packets in the words of Ravelin's configuration and packet language, so that a
// difference found in one can be printed as it is.
#pragma once
#include <string>
#include <vector>

namespace ravelin::oracle {

struct Case {
    std::string kind;
    std::vector<std::string> rules;  ///< one YAML flow mapping each: "{name: a, action: drop}"
    std::string otherwise = "drop";  ///< the firewall's `default`
    bool loose = false;              ///< `pickup: validated`; nf_conntrack_tcp_loose
    bool reassemble = false;         ///< `fragments` of steer
    std::vector<std::string> packets;
    unsigned refused = 0;  ///< lines of a real rule set that the rules above leave out
};

/// The firewall stage of the case, as part of a pipeline.
std::string firewall_yaml(const Case& c);

}  // namespace ravelin::oracle
