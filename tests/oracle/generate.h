// SPDX-License-Identifier: Apache-2.0
// Generators: each makes one case of its kind from random numbers, the same for the same seed.
#pragma once
#include <array>
#include <random>
#include <string>
#include <string_view>

#include "tests/oracle/case.h"

namespace ravelin::oracle {

using Random = std::mt19937_64;

/// Any item of a container.
template <typename List>
const auto& any_of(const List& list, Random& rng) {
    return list[rng() % list.size()];
}
inline bool one_in(unsigned n, Random& rng) { return rng() % n == 0; }

/// Random small rules, packets around their edges.
Case random_rules(Random& rng);
/// A ClassBench, iptables or Stanford set, whole or in part, packets around its edges.
/// Without the data sets: a random case.
Case real_sets(Random& rng);
/// Connections from handshake to end, by script: the odd cases RFC 9293 and RFC 5961 know.
Case tcp_scripts(Random& rng);
/// Valid connections with segments changed, lost, repeated, moved and made up.
Case tcp_mutations(Random& rng);
/// ICMP errors about known and unknown flows, with right and wrong quotes; echo.
Case icmp_errors(Random& rng);
/// Datagrams in fragments: in order, reversed, overlapping, repeated, tiny, with one missing.
Case fragments(Random& rng);
/// IPv6 extension headers, IPv4 options.
Case extensions(Random& rng);
/// Odd addresses, hop limits, checksums, lengths and flags.
Case oddities(Random& rng);

struct Generator {
    std::string_view name;
    Case (*make)(Random&);
};
inline constexpr std::array<Generator, 8> kGenerators{{{"rules", random_rules},
                                                       {"sets", real_sets},
                                                       {"tcp", tcp_scripts},
                                                       {"mutation", tcp_mutations},
                                                       {"icmp", icmp_errors},
                                                       {"fragments", fragments},
                                                       {"extensions", extensions},
                                                       {"oddities", oddities}}};

/// A host behind lan or wan that no other packet of the run has. "10.7.3.9", "2001:db8:1::1:2".
std::string fresh_host(bool lan, bool v4, Random& rng);
/// "10.0.0.1:80" or "[2001:db8::1]:80".
std::string with_port(const std::string& host, unsigned port);
/// A payload that such a protocol could have: "len=16".
std::string payload_of(int protocol);

}  // namespace ravelin::oracle
