// SPDX-License-Identifier: Apache-2.0
// Real rule sets as the oracle takes them: ClassBench, iptables-save, Cisco access lists. What the
// firewall cannot express is counted, not guessed.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/tables/classifier.h"

namespace ravelin::oracle {

struct SetRule {
    ClassifierRule match;  ///< in_ports, out_ports: index into the topology's ports
    std::string action;    ///< empty: ClassBench says none
    std::string states;    ///< "[new, related]"; empty: the usual ones
};
struct RuleSet {
    std::string name;
    std::vector<SetRule> rules;
    std::string otherwise = "drop";
    unsigned refused = 0;  ///< lines left out
};

/// One set of each chain of the table `filter`.
std::vector<RuleSet> read_iptables(const std::string& name, const std::vector<std::string>& lines);
/// One set of each numbered access list.
std::vector<RuleSet> read_cisco(const std::string& name, const std::vector<std::string>& lines);
/// All sets of the data folder; empty where there is none.
const std::vector<RuleSet>& all_sets();

/// As the configuration has it.
std::string to_yaml(const SetRule& rule, size_t index);

}  // namespace ravelin::oracle
