// SPDX-License-Identifier: Apache-2.0
// Works: a tape and the policy it is played through, for all figures that want the same. Prefixes
// and rules are IPv4; those with a layout of IPv6 play the same through what v6_of() makes of them,
// a prefix of n bits being one of 16 + n.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "perf/bench/playlists.h"
#include "perf/bench/rig.h"
#include "pipelines/tables/classifier.h"

namespace ravelin::perf {

struct Work {
    Playlist playlist;
    std::string yaml;            ///< what is measured
    std::string plain = "";      ///< the same without it, where that can be played too
    bool plain_follows = false;  ///< connections, as what is measured does
    bool drops = false;          ///< what is played does not leave
    /// What the policy has of these, for programs that are not ours.
    std::vector<Prefix> routes = {};
    std::vector<ClassifierRule> rules = {};
};

/// Forwarding without a firewall to random hosts: of one network, or of prefixes that have a route
/// each.
Work l3_one_route(Layout layout = {});
Work l3_routes(const std::vector<Prefix>& prefixes, Layout layout = {},
               Popularity popularity = Popularity::kUniform);
/// Rules that judge each packet by itself; `headers` that all differ, hits spread over all rules.
Work acl(const std::vector<ClassifierRule>& rules, uint64_t headers, Layout layout = {});
/// Packets of open TCP connections, both ways in turns, behind 1,000 rules.
Work established(uint32_t flows, Layout layout = {});
/// A router's configuration with the stage classify and these principals, a list of YAML.
std::string with_principals(std::string yaml, const std::string& principals);
/// The same where clients, 10.1.0.0 and on, are so many principals, who are charged; with `caps`,
/// that everything keeps, each packet is policed as well. 1: it is all of 10.0.0.0/8.
Work charged(Work work, uint32_t principals = 1, bool caps = false);
/// Handshake, a segment of data each way, close from both sides; `room` flows fit.
Work connections(uint64_t tuples, uint32_t room);
/// A limit that everything keeps, for each of so many sources.
Work police(uint32_t sources);
/// Packets of so many sources at random, each judged by itself; what `charged` adds to.
Work from_sources(uint32_t sources);
/// Packets that the policy denies.
Work denied(uint64_t headers);

/// The Internet's table; empty where ../shared/data has none.
std::vector<Prefix> full_table();
/// As the bench of this name plays it: l3-1, l3-128k, l3-full, acl-10, acl-1k, acl-10k (the mix).
/// None: no such work, or its data are not here.
std::optional<Work> work_named(std::string_view name, Layout layout = {});

}  // namespace ravelin::perf
