// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/rule_files.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <optional>
#include <sstream>

#include "tests/oracle/topology.h"
#include "tests/support/classbench.h"
#include "tests/support/data.h"

namespace ravelin::oracle {
namespace {

using Words = std::vector<std::string>;

std::optional<uint16_t> cisco_port(const std::string& text) {
    static const std::map<std::string, uint16_t> names{
        {"ftp-data", 20},    {"ftp", 21},          {"telnet", 23},      {"smtp", 25},
        {"domain", 53},      {"bootps", 67},       {"bootpc", 68},      {"tftp", 69},
        {"www", 80},         {"pop3", 110},        {"sunrpc", 111},     {"ntp", 123},
        {"snmp", 161},       {"snmptrap", 162},    {"bgp", 179},        {"login", 513},
        {"exec", 512},       {"cmd", 514},         {"syslog", 514},     {"lpd", 515},
        {"netbios-ns", 137}, {"netbios-dgm", 138}, {"netbios-ss", 139}, {"rip", 520}};
    if (const auto found = names.find(text); found != names.end()) return found->second;
    if (text.empty() || text.find_first_not_of("0123456789") != std::string::npos) return {};
    const unsigned long value = std::stoul(text);
    return value > 65535 ? std::nullopt : std::optional(static_cast<uint16_t>(value));
}

/// Reads `permit tcp A WILDCARD eq PORT B WILDCARD`; nothing where a word has no translation.
class CiscoLine {
  public:
    explicit CiscoLine(const std::string& line) : in_(line) {}

    std::optional<std::pair<std::string, SetRule>> read() {
        std::string list, action;
        in_ >> list >> list >> action;
        if (action != "permit" && action != "deny") return std::nullopt;
        SetRule rule{.match = {}, .action = action == "permit" ? "accept" : "drop", .states = {}};
        const bool extended = list.size() == 3 && list[0] == '1';
        bool good = true;
        if (extended) good = protocol(rule) && end(rule.match.sources);
        if (extended)
            good = good && ports(rule.match.source_ports) && end(rule.match.destinations) &&
                   ports(rule.match.destination_ports);
        if (!extended) good = end(rule.match.sources);
        std::string rest;
        while (in_ >> rest) good = good && rest == "log";
        if (!good) rule.action.clear();
        return std::pair{list, rule};
    }

  private:
    std::string peek() {
        const auto at = in_.tellg();
        std::string word;
        in_ >> word;
        in_.clear();
        in_.seekg(at);
        return word;
    }
    std::string next() {
        std::string word;
        in_ >> word;
        return word;
    }
    bool protocol(SetRule& rule) {
        static const std::map<std::string, uint8_t> known{{"icmp", 1}, {"igmp", 2}, {"tcp", 6},
                                                          {"udp", 17}, {"gre", 47}, {"esp", 50},
                                                          {"ospf", 89}};
        const std::string name = next();
        if (const auto found = known.find(name); found != known.end())
            rule.match.protocols = {found->second};
        else if (name.find_first_not_of("0123456789") == std::string::npos && !name.empty())
            rule.match.protocols = {static_cast<uint8_t>(std::stoi(name))};
        else
            return name == "ip";
        return true;
    }
    // "any", "host A", or "A WILDCARD" with ones at the end; other wildcards are no prefix.
    bool end(std::vector<Prefix>& to) {
        std::string word = next();
        if (word == "any") return true;
        if (word == "host") word = next();
        const auto address = IpAddress::parse(word);
        if (!address) return false;
        uint32_t wildcard = 0;
        if (const auto mask = IpAddress::parse(peek())) wildcard = mask->v4_host(), next();
        if ((wildcard & (wildcard + 1)) != 0) return false;
        const auto length = static_cast<uint8_t>(wildcard == ~0u ? 0 : __builtin_clz(wildcard));
        const Prefix p{*address, wildcard == 0 ? uint8_t{32} : length};
        to.push_back({p.first(), p.length});
        return true;
    }
    bool ports(std::vector<config::PortRange>& to) {
        const std::string how = peek();
        if (how != "eq" && how != "range" && how != "gt" && how != "lt") return true;
        next();
        const auto first = cisco_port(next());
        const auto second = how == "range" ? cisco_port(next()) : first;
        if (!first || !second) return false;
        uint16_t low = *first, high = *second;
        if (how == "gt") low = static_cast<uint16_t>(low + 1), high = 65535;
        if (how == "lt") high = static_cast<uint16_t>(high - 1), low = 0;
        to.push_back({low, high});
        return true;
    }

    std::istringstream in_;
};

void add_classbench(std::vector<RuleSet>& out, const std::string& folder) {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        RuleSet set{.name = entry.path().filename().string(), .rules = {}};
        for (auto& rule : test::read_classbench(entry.path().string()))
            set.rules.push_back({.match = std::move(rule), .action = {}, .states = {}});
        if (!set.rules.empty()) out.push_back(std::move(set));
    }
}

std::vector<RuleSet> read_all() {
    std::vector<RuleSet> out;
    const auto add = [&](const std::string& folder, const std::string& word, auto read) {
        const auto path = test::data_path(folder);
        if (!path) return;
        for (const auto& entry : std::filesystem::directory_iterator(*path)) {
            const std::string name = entry.path().filename().string();
            if (name.find(word) == std::string::npos) continue;
            for (auto& set : read(name, test::read_lines(entry.path().string())))
                out.push_back(std::move(set));
        }
    };
    if (const auto path = test::data_path("rules/classbench")) add_classbench(out, *path);
    add("rules/iptables", "", read_iptables);
    add("rules/stanford", "config", read_cisco);
    std::ranges::sort(out, {}, &RuleSet::name);
    return out;
}

}  // namespace

std::vector<RuleSet> read_cisco(const std::string& name, const std::vector<std::string>& lines) {
    std::map<std::string, RuleSet> lists;
    for (const std::string& line : lines) {
        if (!line.starts_with("access-list ")) continue;
        auto rule = CiscoLine(line).read();
        if (!rule) continue;
        RuleSet& set = lists[rule->first];
        if (rule->second.action.empty())
            ++set.refused;
        else
            set.rules.push_back(std::move(rule->second));
    }
    std::vector<RuleSet> out;
    for (auto& [list, set] : lists) {
        set.name = name + " " + list;
        if (!set.rules.empty()) out.push_back(std::move(set));
    }
    return out;
}

const std::vector<RuleSet>& all_sets() {
    static const std::vector<RuleSet> sets = read_all();
    return sets;
}

std::string to_yaml(const SetRule& rule, size_t index) {
    Words words{fmt::format("name: r{}", index), "action: " + rule.action};
    const ClassifierRule& m = rule.match;
    const auto prefixes = [&](const char* key, const std::vector<Prefix>& set) {
        Words texts;
        for (const Prefix& p : set) texts.push_back(p.to_string());
        if (!texts.empty())
            words.push_back(fmt::format("{}: [\"{}\"]", key, fmt::join(texts, "\", \"")));
    };
    const auto ranges = [&](const char* key, const std::vector<config::PortRange>& set) {
        Words texts;
        for (const auto& r : set) texts.push_back(fmt::format("{}-{}", r.low, r.high));
        if (!texts.empty()) words.push_back(fmt::format("{}: [{}]", key, fmt::join(texts, ", ")));
    };
    prefixes("from", m.sources);
    prefixes("to", m.destinations);
    ranges("from-ports", m.source_ports);
    ranges("to-ports", m.destination_ports);
    if (!m.protocols.empty())
        words.push_back(fmt::format("protocol: [{}]", fmt::join(m.protocols, ", ")));
    if (!m.icmp_types.empty())
        words.push_back(fmt::format("icmp-type-numbers: [{}]", fmt::join(m.icmp_types, ", ")));
    for (const uint16_t p : m.in_ports) words.push_back(fmt::format("in: {}", kPorts[p].name));
    for (const uint16_t p : m.out_ports) words.push_back(fmt::format("out: {}", kPorts[p].name));
    if (!rule.states.empty()) words.push_back("state: " + rule.states);
    return fmt::format("{{{}}}", fmt::join(words, ", "));
}

}  // namespace ravelin::oracle
