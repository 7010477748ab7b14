// SPDX-License-Identifier: Apache-2.0
// Small random rules over few values, so that every field decides often.
#pragma once
#include <string>
#include <vector>

#include "pipelines/tables/classifier.h"

namespace ravelin::test {

template <typename Random>
Prefix random_prefix(Random& rng, bool v4) {
    IpAddress a = v4 ? IpAddress::v4(0x0a000000) : *IpAddress::parse("2001:db8::");
    a.bytes[13] = static_cast<uint8_t>(rng() % 2);
    a.bytes[15] = static_cast<uint8_t>(rng() % 16);
    const auto full = static_cast<uint8_t>(v4 ? 32 : 128);
    return {a, static_cast<uint8_t>(rng() % 6 == 0 ? rng() % (full + 1u) : full - rng() % 10)};
}

template <typename Random>
ClassifierRule random_rule(Random& rng) {
    ClassifierRule rule;
    const auto maybe = [&](auto& list, unsigned one_in, auto make) {
        if (rng() % one_in != 0) return;
        for (size_t n = rng() % 3 + 1; n > 0; --n) list.push_back(make());
    };
    const auto prefix = [&] { return random_prefix(rng, rng() % 2 == 0); };
    maybe(rule.sources, 2, prefix);
    maybe(rule.destinations, 2, prefix);
    const auto range = [&] {
        if (rng() % 10 == 0) return config::PortRange{0, 0xffff};
        const auto low = static_cast<uint16_t>(rng() % 3 == 0 ? 65530 : rng() % 20);
        return config::PortRange{low, static_cast<uint16_t>(low + rng() % 6)};
    };
    maybe(rule.source_ports, 4, range);
    maybe(rule.destination_ports, 3, range);
    constexpr uint8_t kProtocols[] = {1, 6, 17, 47, 58, 132};
    maybe(rule.protocols, 2, [&] { return kProtocols[rng() % 6]; });
    maybe(rule.in_ports, 4, [&] { return static_cast<uint16_t>(rng() % 4); });
    maybe(rule.out_ports, 4, [&] { return static_cast<uint16_t>(0xffff - rng() % 3); });
    maybe(rule.icmp_types, 6, [&] { return static_cast<uint8_t>(rng() % 4); });
    if (rng() % 3 == 0) rule.states = static_cast<uint8_t>(rng() % 16);
    if (rng() % 4 == 0) rule.family = rng() % 2 ? 4 : 6;
    return rule;
}

template <typename Random>
std::vector<ClassifierRule> random_rules(Random& rng, size_t count) {
    std::vector<ClassifierRule> rules;
    while (rules.size() < count) rules.push_back(random_rule(rng));
    return rules;
}

}  // namespace ravelin::test
