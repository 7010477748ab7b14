// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/targets.h"

#include <algorithm>
#include <array>
#include <set>
#include <string_view>
#include <utility>

namespace ravelin::import {

bool translates(const std::string& target) {
    static const std::set<std::string> kTargets{"DNAT", "SNAT", "MASQUERADE", "REDIRECT", "NETMAP"};
    return kTargets.contains(target);
}

bool logs(const std::string& target) {
    return target == "LOG" || target == "NFLOG" || target == "ULOG";
}

bool goes_on(const std::string& target) {
    static const std::set<std::string> kTargets{
        "MARK",    "CONNMARK", "TCPMSS",    "TRACE",   "NOTRACK", "CT",       "CLASSIFY",
        "DSCP",    "TOS",      "TTL",       "HL",      "SET",     "CHECKSUM", "AUDIT",
        "SECMARK", "TEE",      "IDLETIMER", "RATEEST", "LED",     "ECN",      "CONNSECMARK"};
    return kTargets.contains(target);
}

bool takes_option(const std::string& target, const std::string& word) {
    if (!word.starts_with("--")) return false;
    if (translates(target)) {
        static const std::set<std::string> kOptions{
            "--to",     "--to-destination", "--to-source", "--to-ports",
            "--random", "--random-fully",   "--persistent"};
        return kOptions.contains(word);
    }
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 6> kBegin{
        {{"REJECT", "--reject-with"},
         {"LOG", "--log-"},
         {"NFLOG", "--nflog-"},
         {"ULOG", "--ulog-"},
         {"TPROXY", "--on-"},
         {"TPROXY", "--tproxy-mark"}}};
    return goes_on(target) || std::ranges::any_of(kBegin, [&](const auto& begin) {
               return begin.first == target && word.starts_with(begin.second);
           });
}

}  // namespace ravelin::import
