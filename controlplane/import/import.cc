// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/import.h"

#include <fmt/format.h>

#include <algorithm>

#include "controlplane/import/filter_rules.h"
#include "dataplane/limits.h"
#include "pipelines/stages/firewall_rules.h"

namespace ravelin::import {
namespace {

std::string list_of(const std::vector<std::string>& lines, const std::string& indent) {
    std::string out;
    for (const std::string& line : lines) out += fmt::format("{}- {}\n", indent, line);
    return out;
}

std::string document(const std::string& from, const Interfaces& interfaces,
                     const std::vector<std::string>& rules, const std::vector<std::string>& nat) {
    std::string out = fmt::format(
        "# Made by `ravelin import` from {}.\n"
        "# Devices, the ports' addresses and the routes are yours to fill in.\n"
        "mode: router\nports:\n",
        from);
    for (const std::string& name : interfaces.names())
        out += fmt::format("  - {{name: {0}, device: 'af_packet:{0}'}}\n", name);
    out += "pipeline:\n  - parse\n  - steer\n";
    if (!nat.empty()) out += "  - nat:\n      rules:\n" + list_of(nat, "        ");
    out += "  - route\n  - firewall:\n      rules:\n";
    // ARP is no matter of iptables; all else that Ravelin accepts by itself would be more.
    for (const firewall::BuiltinRule& builtin : firewall::builtin_rules())
        if (builtin.name != firewall::kArpRule)
            out += fmt::format("        - {{name: {}, action: accept, disabled: true}}\n",
                               builtin.name);
    out += list_of(rules, "        ");
    return out + "  - neighbour\n  - local\n  - clamp\n  - rewrite\n";
}

}  // namespace

size_t Imported::lost() const {
    return static_cast<size_t>(std::ranges::count_if(remarks, &Remark::lost));
}

Result<Imported> import_iptables(const std::vector<Source>& sources) {
    Interfaces interfaces;
    for (const Source& source : sources) collect_interfaces(source.text, interfaces);
    Imported out;
    if (std::string note = assume_interfaces(interfaces); !note.empty())
        out.remarks.push_back({sources.front().name, 0, "", std::move(note), false});
    for (std::string& note : interfaces.notes())
        out.remarks.push_back({sources.front().name, 0, "", std::move(note), true});
    if (interfaces.names().size() > limits::kMaxPorts)
        return Error{fmt::format("{}:1:1: found {} interfaces, expected at most {}",
                                 sources.front().name, interfaces.names().size(),
                                 limits::kMaxPorts)};
    Names names, nat_names;
    std::vector<std::string> rules, nat;
    std::string from;
    for (const Source& source : sources) {
        auto file = parse(source.text, source.name, source.v6, interfaces);
        if (!file) return std::move(file.error());
        Remarks remarks(source.name);
        const NatRules translated = nat_rules(*file, interfaces, nat_names, remarks);
        std::ranges::copy(translated.lines, std::back_inserter(nat));
        std::ranges::move(filter_rules(*file, interfaces, translated, names, remarks),
                          std::back_inserter(rules));
        std::ranges::copy(remarks.all(), std::back_inserter(out.remarks));
        from += (from.empty() ? "" : " and ") + source.name.substr(source.name.rfind('/') + 1);
    }
    out.rules = rules.size() + nat.size();
    out.yaml = document(from, interfaces, rules, nat);
    std::ranges::stable_sort(out.remarks, [](const Remark& a, const Remark& b) {
        return std::tie(a.file, a.line) < std::tie(b.file, b.line);
    });
    return out;
}

}  // namespace ravelin::import
