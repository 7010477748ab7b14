// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "tests/oracle/generate.h"

namespace ravelin::oracle {
namespace {

using Words = std::vector<std::string>;
constexpr unsigned kPackets = 300;
constexpr std::array<unsigned, 8> kEdges{0, 1, 2, 7, 8, 9, 15, 16};  // last byte of addresses
constexpr std::array<unsigned, 9> kPorts{1, 2, 7, 8, 9, 53, 80, 81, 65535};
constexpr std::array<const char*, 6> kTypes{"echo-request", "echo-reply",    "unreachable",
                                            "redirect",     "time-exceeded", "parameter-problem"};

std::string host(bool lan, bool v4, Random& rng) {
    const unsigned last = any_of(kEdges, rng);
    if (v4) return fmt::format("{}{}", lan ? "10.0.0." : "192.0.2.", last);
    return fmt::format("2001:db8:{}::{:x}", lan ? 1 : 2, last);
}

// A prefix that holds some of the hosts above, or all, or few others.
std::string prefix(bool lan, bool v4, Random& rng) {
    constexpr std::array<unsigned, 8> kShorter{0, 1, 2, 3, 4, 8, 16, 24};
    const unsigned length = (v4 ? 32 : 128) - any_of(kShorter, rng);
    const unsigned last =
        any_of(kEdges, rng) & ~((1u << std::min(8u, (v4 ? 32 : 128) - length)) - 1);
    if (v4 && length < 24)
        return fmt::format(
            "{}/{}",
            length == 16 ? (lan ? "10.0.0.0" : "192.0.0.0") : (lan ? "10.0.0.0" : "192.0.0.0"),
            length == 16 ? 16 : 8);
    if (v4) return fmt::format("{}{}/{}", lan ? "10.0.0." : "192.0.2.", last, length);
    return fmt::format("\"2001:db8:{}::{:x}/{}\"", lan ? 1 : 2, length <= 120 ? 0 : last, length);
}

std::string list(const Words& words) { return fmt::format("[{}]", fmt::join(words, ", ")); }

template <typename Make>
std::string some(unsigned most, Random& rng, Make make) {
    Words words;
    for (size_t n = rng() % most + 1; n > 0; --n)
        if (std::string word = make(); std::ranges::find(words, word) == words.end())
            words.push_back(std::move(word));
    return list(words);
}

std::string port_range(Random& rng) {
    const unsigned low = any_of(kPorts, rng);
    return one_in(2, rng) ? std::to_string(low)
                          : fmt::format("{}-{}", low,
                                        std::min(low + static_cast<unsigned>(rng() % 9), 65535u));
}

// What the rule asks of the transport; only what can match.
void add_upper(Words& rule, unsigned families, Random& rng) {
    switch (rng() % 5) {
        case 0:
            return;
        case 1:
            rule.push_back("protocol: " + some(3, rng, [&] {
                               return any_of(
                                   Words{"tcp", "udp", "icmp", "icmp6", "gre", "47", "89", "esp"},
                                   rng);
                           }));
            return;
        case 2: {
            const bool v4 = families != 2 && (families == 1 || one_in(2, rng));
            rule.push_back(fmt::format("protocol: {}", v4 ? "icmp" : "icmp6"));
            rule.push_back("icmp-types: " +
                           some(3, rng, [&] { return std::string(any_of(kTypes, rng)); }));
            return;
        }
        default:
            rule.push_back("protocol: " + any_of(Words{"tcp", "udp", "[tcp, udp]"}, rng));
            if (!one_in(4, rng))
                rule.push_back("to-ports: " + some(3, rng, [&] { return port_range(rng); }));
            if (one_in(4, rng))
                rule.push_back("from-ports: " + some(2, rng, [&] { return port_range(rng); }));
    }
}

void add_addresses(Words& rule, unsigned families, Random& rng) {
    const auto set = [&](bool lan) {
        return some(4, rng, [&] {
            return prefix(lan, families == 1 || (families == 3 && one_in(2, rng)), rng);
        });
    };
    if (families != 3) rule.push_back(families == 1 ? "family: ip4" : "family: ip6");
    const bool outward = !one_in(3, rng);
    // Both sets of mixed families might have none in common, which the loader refuses.
    if (one_in(2, rng)) rule.push_back("from: " + set(outward));
    if (families != 3 && one_in(2, rng)) rule.push_back("to: " + set(!outward));
    if (one_in(4, rng)) rule.push_back(fmt::format("in: {}", one_in(3, rng) ? "wan" : "lan"));
    if (one_in(4, rng))
        rule.push_back(fmt::format("out: {}", one_in(3, rng) ? "lan" : "[wan, local]"));
}

// Around what packet() makes. TCP flags only where the rest of the rule allows TCP.
void add_headers(Words& rule, Random& rng) {
    if (one_in(12, rng))
        rule.push_back("ttl: " + any_of(Words{"63", "1-63", "[62, 64-65]", "64-255"}, rng));
    if (one_in(12, rng))
        rule.push_back("dscp: " + any_of(Words{"ef", "[cs1, 0]", "46", "[1, 8]"}, rng));
    if (one_in(12, rng))
        rule.push_back("length: " + any_of(Words{"0-47", "40", "28-60", "48-65535"}, rng));
    const bool tcp = std::ranges::none_of(rule, [](const std::string& word) {
        return word.starts_with("protocol") && word.find("tcp") == std::string::npos;
    });
    if (tcp && one_in(8, rng))
        rule.push_back("tcp-flags: \"" +
                       any_of(Words{"syn/syn,ack", "syn/fin,syn,rst,ack", "ack/syn,ack", "none/psh",
                                    "syn,psh/syn,psh"},
                              rng) +
                       "\"");
}

std::string rule(size_t index, Random& rng) {
    const auto action = any_of(Words{"accept", "accept", "drop", "reject"}, rng);
    Words words{fmt::format("name: r{}", index), "action: " + action};
    const unsigned families = static_cast<unsigned>(rng() % 3 + 1);  // 1: v4, 2: v6, 3: both
    add_addresses(words, families, rng);
    add_upper(words, families, rng);
    if (one_in(6, rng))
        words.push_back("state: " + some(2, rng, [&] {
                            return any_of(Words{"new", "related", "invalid", "untracked"}, rng);
                        }));
    add_headers(words, rng);
    if (one_in(12, rng)) words.push_back(fmt::format("hop-limit: {}", 63 + rng() % 3));
    return fmt::format("{{{}}}", fmt::join(words, ", "));
}

std::string packet(Random& rng) {
    const bool v4 = !one_in(3, rng), outward = !one_in(3, rng);
    const std::string from = host(outward, v4, rng), to = host(!outward, v4, rng);
    const auto port = [&](bool often) -> unsigned {
        return often || one_in(4, rng) ? any_of(kPorts, rng)
                                       : static_cast<unsigned>(1024 + rng() % 60000);
    };
    const std::string way = fmt::format("in={} ", outward ? "lan" : "wan");
    std::string hops = one_in(4, rng) ? fmt::format(" ttl={}", 62 + rng() % 5) : "";
    if (one_in(4, rng)) hops += fmt::format(" tos={}", any_of(std::array{184, 32, 187, 4}, rng));
    switch (rng() % 8) {
        case 0: {
            const int protocol = any_of(std::array{47, 50, 89, 99}, rng);
            return fmt::format("{}ip proto={} {} > {} {}{}", way, protocol, from, to,
                               payload_of(protocol), hops);
        }
        case 1:
        case 2:
            return fmt::format("{}{} {} > {} type={} code=0 id={} len=8{}", way,
                               v4 ? "icmp" : "icmp6", from, to,
                               v4 ? any_of(std::array{0, 3, 5, 8, 8, 11, 12, 13}, rng)
                                  : any_of(std::array{1, 3, 4, 128, 128, 129, 150}, rng),
                               rng() % 4, hops);
        case 3:
        case 4:
            return fmt::format("{}udp {} > {} len={}{}", way, with_port(from, port(false)),
                               with_port(to, port(true)), rng() % 40, hops);
        default:
            return fmt::format("{}tcp {} > {} {} seq={}{}", way, with_port(from, port(false)),
                               with_port(to, port(true)),
                               one_in(12, rng)  ? "ack"
                               : one_in(8, rng) ? "syn,psh"
                                                : "syn",
                               1000 + rng() % 3, hops);
    }
}

}  // namespace

// GRE without options: its first 16 bits are flags and version.
std::string payload_of(int protocol) { return protocol == 47 ? "hex=0000080045000000" : "len=16"; }

std::string with_port(const std::string& host, unsigned port) {
    return host.find(':') == std::string::npos ? fmt::format("{}:{}", host, port)
                                               : fmt::format("[{}]:{}", host, port);
}

std::string fresh_host(bool lan, bool v4, Random& rng) {
    const auto bits = static_cast<uint32_t>(rng());
    if (v4)
        return fmt::format("{}.{}.{}.{}", lan ? 10 : 185, bits & 255, bits >> 8 & 255,
                           1 + (bits >> 16) % 250);
    return fmt::format("2001:db8:{}:{:x}::{:x}", lan ? 1 : 2, bits & 0xffff,
                       1 + (bits >> 16) % 0xffff);
}

Case random_rules(Random& rng) {
    Case c{.kind = "rules", .rules = {}, .packets = {}};
    const size_t rules = 1 + rng() % (one_in(4, rng) ? 40 : 8);
    for (size_t i = 0; i < rules; ++i) c.rules.push_back(rule(i, rng));
    c.otherwise = any_of(Words{"drop", "drop", "accept", "reject"}, rng);
    c.loose = one_in(2, rng);
    for (unsigned i = 0; i < kPackets; ++i) c.packets.push_back(packet(rng));
    return c;
}

}  // namespace ravelin::oracle
