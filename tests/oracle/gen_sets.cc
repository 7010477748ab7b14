// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/oracle/generate.h"
#include "tests/oracle/rule_files.h"
#include "tests/oracle/topology.h"
#include "tests/support/classbench.h"

namespace ravelin::oracle {
namespace {

constexpr unsigned kPackets = 600;

// ClassBench gives ports to protocols that have none; the loader refuses such rules.
bool expressible(const SetRule& rule) {
    const auto& m = rule.match;
    const bool ports = !m.source_ports.empty() || !m.destination_ports.empty();
    return !ports || m.protocols.empty() || std::ranges::any_of(m.protocols, [](uint8_t p) {
        return p == 6 || p == 17 || p == 132;
    });
}

// Addresses that routers refuse whatever the rules say; `oddities` is about those.
bool special(const IpAddress& a) {
    if (own_network(a)) return true;
    if (!a.is_v4()) return a.is_multicast() || a.is_link_local() || a.high() >> 32 == 0;
    const uint32_t host = a.v4_host(), net = host >> 24;
    return net == 0 || net == 127 || net >= 224 || host >> 16 == 0xa9fe;
}

std::string packet_of(const ClassifierKey& key, Random& rng) {
    if (special(key.source) || special(key.destination) || key.source == key.destination) return {};
    const std::string from = key.source.to_string(), to = key.destination.to_string();
    const std::string in = fmt::format("in={}", kPorts[side_of(key.source)].name);
    const bool v4 = key.source.is_v4();
    switch (key.protocol) {
        case 6:
            return fmt::format("{} tcp {} > {} {} seq={}", in, with_port(from, key.source_port),
                               with_port(to, key.destination_port), one_in(20, rng) ? "ack" : "syn",
                               rng() % 1000);
        case 17:
            return fmt::format("{} udp {} > {} len=8", in, with_port(from, key.source_port),
                               with_port(to, key.destination_port));
        case 1:
        case 58:
            return fmt::format("{} {} {} > {} type={} code=0 id={} len=8", in,
                               v4 ? "icmp" : "icmp6", from, to,
                               v4 ? one_in(3, rng) ? key.icmp_type : 8 : 128, rng() % 100);
        case 2:
        case 132:  // connection tracking of its own: `oddities`
            return {};
        default:
            return fmt::format("{} ip proto={} {} > {} {}", in, key.protocol, from, to,
                               payload_of(key.protocol));
    }
}

// Families of the set's rules agree with each other by construction; loops until enough fit.
void add_packets(Case& c, const std::vector<SetRule>& rules, Random& rng) {
    for (unsigned tries = 0; c.packets.size() < kPackets && tries < 8 * kPackets; ++tries) {
        ClassifierKey key = test::key_near(any_of(rules, rng).match, rng);
        if (one_in(4, rng)) {
            const auto other = test::key_near(any_of(rules, rng).match, rng);
            if (other.destination.is_v4() == key.source.is_v4())
                key.destination = other.destination;
        }
        if (key.source.is_v4() != key.destination.is_v4()) continue;
        if (std::string text = packet_of(key, rng); !text.empty())
            c.packets.push_back(std::move(text));
    }
}

}  // namespace

Case real_sets(Random& rng) {
    if (all_sets().empty()) return random_rules(rng);
    const RuleSet& set = any_of(all_sets(), rng);
    Case c{.kind = "sets",
           .rules = {},
           .otherwise = set.otherwise,
           .packets = {},
           .refused = set.refused};
    constexpr std::array<size_t, 4> kParts{40, 300, 1000, 20000};
    const size_t most = std::min(set.rules.size(), one_in(20, rng) ? kParts[3] : kParts[rng() % 3]);
    const size_t first = rng() % (set.rules.size() - most + 1);
    std::vector<SetRule> rules(set.rules.begin() + static_cast<long>(first),
                               set.rules.begin() + static_cast<long>(first + most));
    c.refused += static_cast<unsigned>(
        std::erase_if(rules, [](const SetRule& r) { return !expressible(r); }));
    if (rules.empty()) return random_rules(rng);
    static const std::vector<std::string> kActions{"accept", "accept", "drop", "reject"};
    for (size_t i = 0; i < rules.size(); ++i) {
        if (rules[i].action.empty()) rules[i].action = any_of(kActions, rng);
        c.rules.push_back(to_yaml(rules[i], i));
    }
    add_packets(c, rules, rng);
    return c;
}

}  // namespace ravelin::oracle
