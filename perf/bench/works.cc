// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/works.h"

#include <fmt/format.h>

#include "perf/bench/playlists.h"
#include "tests/support/data.h"

namespace ravelin::perf {
namespace {

constexpr const char* kNetwork = "198.18.0.0/16";
constexpr const char* kFullTable = "routes/bgp-full-v4-901899-v6-160147.txt.gz";
constexpr uint64_t kHeaders = 1 << 24;

std::string replayed(RouterOptions options) {
    options.wires = Box::Wires::kReplay;
    return router(options);
}

std::string routed(const std::string& to) {
    return replayed({.filters = false, .routes = ", {to: " + to + ", via: 192.0.2.2}"});
}

Playlist to_network(uint64_t headers, uint32_t sources = 0) {
    return {.flows = headers, .write = [sources](auto flows) {
                write_to_prefixes(flows, {*Prefix::parse(kNetwork)}, sources);
            }};
}

}  // namespace

Work l3_one_route() {
    return {.playlist = to_network(1 << 16),
            .yaml = routed(kNetwork),
            .routes = {*Prefix::parse(kNetwork)}};
}

Work l3_routes(const std::vector<Prefix>& prefixes) {
    return {.playlist = {.flows = 1 << 20,
                         .write = [prefixes](auto flows) { write_to_prefixes(flows, prefixes); }},
            .yaml = routed("{file: " + prefix_file(prefixes) + "}"),
            .routes = prefixes};
}

Work acl(const std::vector<ClassifierRule>& rules, uint64_t headers) {
    return {.playlist = {.flows = headers,
                         .write = [rules](auto flows) { write_to_rules(flows, rules); }},
            .yaml = replayed({.rules = rule_text(rules, ", stateful: false")}),
            .plain = replayed({.filters = false}),
            .rules = rules};
}

Work established(uint32_t flows) {
    const uint32_t room = flows + flows / 16 + 1024;
    return {.playlist = {.flows = flows,
                         .write = [](auto to) { write_conversations(to); },
                         .program = Program::kBothWays,
                         .open = true},
            .yaml = replayed(
                {.flows = room,
                 .rules = rule_text(mixed_rules(999)) + ", {name: out, action: accept, in: lan}"}),
            .plain = replayed({.flows = room, .filters = false})};
}

Work connections(uint64_t tuples, uint32_t room) {
    return {.playlist = {.flows = tuples,
                         .write = [](auto flows) { write_conversations(flows); },
                         .program = Program::kSteps},
            .yaml = replayed({.flows = room, .firewall = "timeouts: {tcp-time-wait: 1s}, "})};
}

Work police(uint32_t sources) {
    const auto with = [](const char* limit) {
        return replayed({.rules = fmt::format(
                             "{{name: all, action: accept, in: lan, stateful: false{}}}", limit)});
    };
    return {.playlist = to_network(1 << 20, sources),
            .yaml = with(", limit: {rate: 900Mpps, burst: 65535, per: source}"),
            .plain = with("")};
}

Work denied(uint64_t headers) {
    return {.playlist = to_network(headers),
            .yaml = replayed(
                {.rules = "{name: web, action: accept, in: lan, protocol: tcp, to-ports: 443}"}),
            .drops = true};
}

std::vector<Prefix> full_table() {
    const auto path = test::data_path(kFullTable);
    return path ? prefixes_of(*path) : std::vector<Prefix>{};
}

std::optional<Work> work_named(std::string_view name) {
    if (name == "l3-1") return l3_one_route();
    if (name == "l3-128k") return l3_routes(mixed_prefixes(131'072));
    if (name == "acl-10") return acl(mixed_rules(10), kHeaders);
    if (name == "acl-1k") return acl(mixed_rules(1000), kHeaders);
    if (name == "acl-10k") return acl(mixed_rules(10'000), kHeaders);
    const auto prefixes = name == "l3-full" ? full_table() : std::vector<Prefix>{};
    if (prefixes.empty()) return std::nullopt;
    return l3_routes(prefixes);
}

}  // namespace ravelin::perf
