// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/filter_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "controlplane/import/chain_rules.h"

namespace ravelin::import {
namespace {

/// What packets of `box` are behind nat.
Box translated(Box box, const Destination& to) {
    box.in[kDestination] = to.addresses;
    if (!to.ports.empty()) box.in[kDestinationPort] = to.ports;
    return box;
}

// raw and mangle judge before nat translates, Ravelin's firewall behind it: a denial is said once
// more for what a translated packet has become.
void add_translated(const std::vector<Destination>& destinations, std::vector<Decision>& denials,
                    Remarks& remarks) {
    for (size_t i = 0, n = denials.size(); i < n; ++i)
        for (const Destination& to : destinations) {
            Decision d = denials[i];
            Box taken = to.box;
            taken.in[kState] = d.box.in[kState];
            const Box both = d.box.common(taken);
            if (!both.empty()) {
                d.box = translated(both, to);
                d.name += "-translated";
                denials.push_back(std::move(d));
            } else if (d.line != nullptr && !d.box.common(translated(taken, to)).empty()) {
                remarks.on(*d.line, "denies also what nat sends there");
            }
        }
}

/// What is denied before the way out is known.
std::vector<Decision> prerouting(const File& file, const Interfaces& interfaces,
                                 const NatRules& nat, Remarks& remarks) {
    std::vector<Decision> out;
    for (const char* table : {"raw", "mangle"})
        std::ranges::move(Flattener(file, table, Flattener::Use::kDenials, remarks)
                              .run("PREROUTING", universe(interfaces, file.v6)),
                          std::back_inserter(out));
    add_translated(nat.destinations, out, remarks);
    std::ranges::copy(nat.denials, std::back_inserter(out));
    return out;
}

/// Ravelin does not judge what the box itself sends.
void remark_output(const std::string& table, const std::map<std::string, Chain>& chains,
                   Remarks& remarks) {
    const auto output = chains.find("OUTPUT");
    if (table == "nat" || output == chains.end()) return;
    if (output->second.policy == "DROP")
        remarks.on(table + " OUTPUT policy DROP", "what the box itself sends is not judged");
    for (const Line& line : output->second.lines)
        remarks.on(line, "what the box itself sends is not judged",
                   line.target != "ACCEPT" || output->second.policy == "DROP");
}

void remark_tables(const File& file, Remarks& remarks) {
    static const std::set<std::string> kKnown{"raw", "mangle", "nat", "filter", "security"};
    for (const auto& [table, chains] : file.tables) {
        if (kKnown.contains(table)) {
            remark_output(table, chains, remarks);
            continue;
        }
        remarks.on("*" + table, "the kernel has no such table");
        for (const auto& [name, chain] : chains)
            for (const Line& line : chain.lines)
                remarks.on(line, "left out: the kernel has no table " + table);
    }
}

}  // namespace

std::vector<std::string> filter_rules(const File& file, const Interfaces& interfaces,
                                      const NatRules& nat, Names& names, Remarks& remarks) {
    const std::vector<Decision> before = prerouting(file, interfaces, nat, remarks);
    RuleWriter writer(file, interfaces, names, remarks);
    ChainRules forward(file, interfaces, "FORWARD", before, writer, remarks);
    ChainRules input(file, interfaces, "INPUT", before, writer, remarks);
    for (const Decision& d : before) writer.count(d);
    for (const ChainRules* chain : {&forward, &input}) chain->count();
    for (const Decision& d : before) writer.deny(d, true);
    forward.write();
    input.write();
    if (!file.tables.contains("filter"))
        remarks.on("*filter", "is not in the file: what no other table denies is accepted");
    remark_tables(file, remarks);
    return writer.take();
}

}  // namespace ravelin::import
