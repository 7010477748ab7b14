// SPDX-License-Identifier: Apache-2.0
// ClassBench rule files, and packets near the edges of their rules.
#pragma once
#include <cstdio>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "pipelines/tables/classifier.h"
#include "tests/support/data.h"

namespace ravelin::test {

/// One line: `@src/len dst/len lo : hi lo : hi 0xPP/0xMM flags`; the flags are not used.
inline ClassifierRule parse_classbench(const std::string& line) {
    ClassifierRule rule;
    unsigned s[5] = {}, d[5] = {}, sp[2] = {}, dp[2] = {}, protocol = 0, mask = 0;
    std::sscanf(line.c_str(), "@%u.%u.%u.%u/%u %u.%u.%u.%u/%u %u : %u %u : %u 0x%x/0x%x", &s[0],
                &s[1], &s[2], &s[3], &s[4], &d[0], &d[1], &d[2], &d[3], &d[4], &sp[0], &sp[1],
                &dp[0], &dp[1], &protocol, &mask);
    const auto add = [](std::vector<Prefix>& to, const unsigned* p) {
        if (p[4] != 0)
            to.push_back({IpAddress::v4(p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]),
                          static_cast<uint8_t>(p[4])});
    };
    add(rule.sources, s);
    add(rule.destinations, d);
    const auto ports = [](std::vector<config::PortRange>& to, const unsigned* p) {
        if (p[0] != 0 || p[1] != 0xffff)
            to.push_back({static_cast<uint16_t>(p[0]), static_cast<uint16_t>(p[1])});
    };
    ports(rule.source_ports, sp);
    ports(rule.destination_ports, dp);
    if (mask != 0) rule.protocols.push_back(static_cast<uint8_t>(protocol));
    return rule;
}

inline std::vector<ClassifierRule> read_classbench(const std::string& path) {
    std::vector<ClassifierRule> rules;
    for (const auto& line : read_lines(path))
        if (!line.empty() && line[0] == '@') rules.push_back(parse_classbench(line));
    return rules;
}

/// A packet that meets `rule`, or misses it by one step in some field.
template <typename Random>
ClassifierKey key_near(const ClassifierRule& rule, Random& rng) {
    ClassifierKey key;
    const auto near = [&](auto value) {
        const int by = rng() % 8 == 0 ? (rng() % 2 ? 1 : -1) : 0;
        return static_cast<decltype(value)>(value + by);
    };
    const auto any = [&](const auto& list) -> const auto& { return list[rng() % list.size()]; };
    const bool v4 = !rule.sources.empty()        ? any(rule.sources).is_v4()
                    : !rule.destinations.empty() ? any(rule.destinations).is_v4()
                                                 : rule.family != 6;
    const auto address = [&](const std::vector<Prefix>& prefixes) {
        IpAddress a = IpAddress::v4(static_cast<uint32_t>(rng()));
        if (!v4) a.bytes[0] = 0x20, a.bytes[15] = static_cast<uint8_t>(rng());
        if (prefixes.empty()) return a;
        const Prefix& p = any(prefixes);
        a = rng() % 2 ? p.first() : p.last();
        a.bytes[15] = near(a.bytes[15]);
        return a;
    };
    key.source = address(rule.sources);
    key.destination = address(rule.destinations);
    const auto port = [&](const std::vector<config::PortRange>& ranges) {
        if (ranges.empty()) return static_cast<uint16_t>(rng());
        const auto& range = any(ranges);
        return near(rng() % 2 ? range.low : range.high);
    };
    key.source_port = port(rule.source_ports);
    key.destination_port = port(rule.destination_ports);
    constexpr uint8_t kProtocols[] = {1, 6, 17, 47, 58, 132};
    key.protocol = rule.protocols.empty() ? kProtocols[rng() % 6] : near(any(rule.protocols));
    const auto number = [&](const auto& list, auto otherwise) {
        return list.empty() ? static_cast<decltype(otherwise)>(otherwise) : near(any(list));
    };
    key.in_port = number(rule.in_ports, static_cast<uint16_t>(rng() % 4));
    key.out_port = number(rule.out_ports, static_cast<uint16_t>(0xffff - rng() % 3));
    key.icmp_type = number(rule.icmp_types, static_cast<uint8_t>(rng() % 4));
    key.state = static_cast<uint8_t>(1u << (rng() % 4));
    return key;
}

/// A packet near one of `rules` with fields from near others: combinations that no rule wrote down.
template <typename Random>
ClassifierKey key_across(std::span<const ClassifierRule> rules, Random& rng) {
    const auto any = [&] { return key_near(rules[rng() % rules.size()], rng); };
    auto key = any();
    if (rng() % 4 == 0) key.destination = any().destination;
    if (rng() % 8 == 0) key.source = any().source;
    if (rng() % 8 == 0) key.destination_port = any().destination_port;
    if (rng() % 8 == 0) key.source_port = any().source_port;
    if (rng() % 8 == 0) key.protocol = static_cast<uint8_t>(rng());
    if (rng() % 16 == 0) key.destination = IpAddress::v4(static_cast<uint32_t>(rng()));
    return key;
}

/// Where two lookups differ.
inline std::string describe(const ClassifierKey& key) {
    return key.source.to_string() + ' ' + key.destination.to_string() + ' ' +
           std::to_string(key.source_port) + ' ' + std::to_string(key.destination_port) +
           " protocol " + std::to_string(key.protocol);
}

/// The definition of a match, field by field.
inline bool matches(const ClassifierRule& rule, const ClassifierKey& key) {
    const auto holds = [&](const std::vector<Prefix>& prefixes, const IpAddress& a) {
        if (rule.family != 0 && (rule.family == 4) != a.is_v4()) return false;
        for (const Prefix& p : prefixes)
            if (p.contains(a)) return true;
        return prefixes.empty();
    };
    const auto in = [](const auto& list, auto value) {
        for (auto item : list)
            if (item == value) return true;
        return list.empty();
    };
    const bool has_ports = key.protocol == 6 || key.protocol == 17 || key.protocol == 132;
    const bool is_icmp = key.protocol == 1 || key.protocol == 58;
    const auto port = [&](const std::vector<config::PortRange>& ranges, uint16_t value) {
        for (const auto& r : ranges)
            if (has_ports && r.low <= value && value <= r.high) return true;
        return ranges.empty();
    };
    return holds(rule.sources, key.source) && holds(rule.destinations, key.destination) &&
           in(rule.protocols, key.protocol) && port(rule.source_ports, key.source_port) &&
           port(rule.destination_ports, key.destination_port) && in(rule.in_ports, key.in_port) &&
           in(rule.out_ports, key.out_port) &&
           (rule.icmp_types.empty() || (is_icmp && in(rule.icmp_types, key.icmp_type))) &&
           (rule.states == 0 || (rule.states & key.state) != 0);
}

inline uint32_t linear_match(std::span<const ClassifierRule> rules, const ClassifierKey& key) {
    for (size_t i = 0; i < rules.size(); ++i)
        if (matches(rules[i], key)) return static_cast<uint32_t>(i);
    return Classifier::kNoMatch;
}

}  // namespace ravelin::test
