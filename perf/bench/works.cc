// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/works.h"

#include <fmt/format.h>

#include "perf/bench/playlists.h"
#include "perf/replay/frame.h"
#include "tests/support/data.h"

namespace ravelin::perf {
namespace {

constexpr const char* kNetwork = "198.18.0.0/16";
constexpr const char* kFullTable = "routes/bgp-full-v4-901899-v6-160147.txt.gz";
constexpr uint64_t kHeaders = 1 << 24;

std::string replayed(RouterOptions options, Layout layout = {}) {
    options.wires = Box::Wires::kReplay;
    options.tagged = layout.tagged;
    return router(options);
}

std::string routed(const std::string& to, Layout layout) {
    const char* via = layout.v6 ? "\"fd00:2::2\"" : "192.0.2.2";
    return replayed({.filters = false, .routes = fmt::format(", {{to: {}, via: {}}}", to, via)},
                    layout);
}

Playlist to_network(uint64_t headers, uint32_t sources = 0, Layout layout = {}) {
    return {
        .flows = headers,
        .write = [sources](
                     auto flows) { write_to_prefixes(flows, {*Prefix::parse(kNetwork)}, sources); },
        .layout = layout};
}

Prefix as_v6(const Prefix& prefix, bool wan) {
    const unsigned length = 16u + prefix.length;
    auto bytes = v6_of(be32(prefix.address.v4_host()), wan);
    bytes[15] = 0;
    return {IpAddress::v6(bytes.data()), static_cast<uint8_t>(length)};
}

std::vector<Prefix> in_layout(std::vector<Prefix> prefixes, bool wan, Layout layout) {
    if (layout.v6)
        for (Prefix& p : prefixes) p = as_v6(p, wan);
    return prefixes;
}

std::vector<ClassifierRule> in_layout(std::vector<ClassifierRule> rules, Layout layout) {
    for (ClassifierRule& r : rules) {
        r.sources = in_layout(std::move(r.sources), false, layout);
        r.destinations = in_layout(std::move(r.destinations), true, layout);
    }
    return rules;
}

}  // namespace

Work l3_one_route(Layout layout) {
    const std::vector<Prefix> route = in_layout({*Prefix::parse(kNetwork)}, true, layout);
    return {.playlist = to_network(1 << 16, 0, layout),
            .yaml = routed(fmt::format("\"{}\"", route.front().to_string()), layout),
            .routes = route};
}

Work l3_routes(const std::vector<Prefix>& prefixes, Layout layout, Popularity popularity) {
    const std::vector<Prefix> routes = in_layout(prefixes, true, layout);
    return {.playlist = {.flows = 1 << 20,
                         .write =
                             [prefixes, popularity](auto flows) {
                                 write_to_prefixes(flows, prefixes, 0, popularity);
                             },
                         .layout = layout},
            .yaml = routed("{file: " + prefix_file(routes) + "}", layout),
            .routes = routes};
}

Work acl(const std::vector<ClassifierRule>& rules, uint64_t headers, Layout layout) {
    const std::vector<ClassifierRule> own = in_layout(rules, layout);
    return {.playlist = {.flows = headers,
                         .write = [rules](auto flows) { write_to_rules(flows, rules); },
                         .layout = layout},
            .yaml = replayed({.rules = rule_text(own, ", stateful: false")}, layout),
            .plain = replayed({.filters = false}, layout),
            .rules = own};
}

Work established(uint32_t flows, Layout layout) {
    const uint32_t room = flows + flows / 16 + 1024;
    return {.playlist = {.flows = flows,
                         .write = [](auto to) { write_conversations(to); },
                         .program = Program::kBothWays,
                         .open = true,
                         .layout = layout},
            .yaml = replayed({.flows = room,
                              .rules = rule_text(in_layout(mixed_rules(999), layout)) +
                                       ", {name: out, action: accept, in: lan}"},
                             layout),
            .plain = replayed({.flows = room, .filters = false}, layout)};
}

std::string with_principals(std::string yaml, const std::string& principals) {
    yaml.insert(yaml.find("  - neighbour:"), "  - classify\n");
    return yaml + "principals:\n" + principals;
}

Work charged(Work work, uint32_t principals, bool caps) {
    std::string list;
    for (uint32_t p = 0; p < principals; ++p) {
        const auto client = IpAddress::v4(kClients + p).to_string() + "/32";
        list += fmt::format("  - {{name: p{}, prefixes: {}{}}}\n", p,
                            principals == 1 ? "10.0.0.0/8" : client,
                            caps ? ", caps: {bandwidth: 900Gbit}" : "");
    }
    work.plain = work.yaml;
    work.yaml = with_principals(work.yaml, list);
    return work;
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

Work from_sources(uint32_t sources) {
    return {.playlist = to_network(1 << 20, sources),
            .yaml = replayed({.rules = "{name: all, action: accept, in: lan, stateful: false}"})};
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

std::optional<Work> work_named(std::string_view name, Layout layout) {
    if (name == "l3-1") return l3_one_route(layout);
    if (name == "l3-128k") return l3_routes(mixed_prefixes(131'072), layout);
    if (name == "acl-10") return acl(mixed_rules(10), kHeaders, layout);
    if (name == "acl-1k") return acl(mixed_rules(1000), kHeaders, layout);
    if (name == "acl-10k") return acl(mixed_rules(10'000), kHeaders, layout);
    const auto prefixes = name == "l3-full" ? full_table() : std::vector<Prefix>{};
    if (prefixes.empty()) return std::nullopt;
    return l3_routes(prefixes, layout);
}

}  // namespace ravelin::perf
