// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/case.h"

#include <fmt/format.h>

namespace ravelin::oracle {

std::string firewall_yaml(const Case& c) {
    // Pacing of answers is not what is compared.
    std::string out = fmt::format(
        "  - firewall:\n      default: {}\n      pickup: {}\n      reject-rate: 1000000pps\n",
        c.otherwise, c.loose ? "validated" : "deny");
    out += c.rules.empty() ? "      rules: []\n" : "      rules:\n";
    for (const std::string& rule : c.rules) out += "        - " + rule + "\n";
    return out;
}

}  // namespace ravelin::oracle
