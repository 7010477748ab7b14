// SPDX-License-Identifier: Apache-2.0
// own: what a policy of the operator's will carry. Its first port and its last become replay ports;
// TCP connections from behind the first to behind the last are tried, and those that the policy
// accepts are measured: established, new, and what is denied. Packets of 64 bytes and IMIX.
#include <fmt/format.h>
#include <rte_cycles.h>
#include <rte_eth_ring.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <sstream>

#include "controlplane/config/yaml_loader.h"
#include "perf/bench/forwarding.h"
#include "perf/bench/playlists.h"
#include "pipelines/model/schema.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kTried = 20'000;
constexpr uint32_t kHosts = 64;  // of a connected network, that are there

struct Side {
    std::string name;
    std::vector<Prefix> networks;  // IPv4, behind the port
    std::vector<IpAddress> next;   // whom the box sends frames to
};

config::Node load_file(const std::string& path) {
    std::ifstream file(path);
    if (!file) give_up("--config " + path + ": cannot be read");
    std::stringstream text;
    text << file.rdbuf();
    std::vector<std::string_view> names;
    for (const StageDecl* stage : StageRegistry::get().stages()) names.push_back(stage->name);
    auto loaded =
        config::load_text(text.str(), path, model::kConfigSchema, StageRegistry::schema_of, names);
    if (!loaded) give_up(loaded.error().message);
    return std::move(loaded->tree);
}

config::Node* stage_of(config::Node& tree, std::string_view name) {
    for (auto& [key, value] : tree.members())
        if (key == "pipeline")
            for (config::Node& entry : value.items())
                if (entry.members().front().first == name) return &entry.members().front().second;
    return nullptr;
}

config::Node& member(config::Node& node, std::string_view name) {
    for (auto& [key, value] : node.members())
        if (key == name) return value;
    give_up(fmt::format("the policy has no `{}`", name));
}

void add_connected(Side& side, const config::Node& port) {
    for (const Prefix& own : port["addresses"].as_prefixes()) {
        if (!own.is_v4() || own.length > 30) continue;
        const uint32_t first = own.first().v4_host();
        side.networks.push_back({IpAddress::v4(first), own.length});
        const uint32_t room = own.last().v4_host() - first;
        for (uint32_t host = 2; host < std::min(room, kHosts); ++host)
            if (IpAddress::v4(first + host) != own.address)
                side.next.push_back(IpAddress::v4(first + host));
    }
}

// Networks that lie behind a gateway of the port's.
void add_routed(Side& side, const config::Node* route) {
    if (route == nullptr) return;
    const std::vector<Prefix> connected = side.networks;
    for (const config::Node& one : (*route)["routes"].items()) {
        if (!one.has("via") || !one["via"].as_address().is_v4()) continue;
        const IpAddress via = one["via"].as_address();
        if (std::ranges::none_of(connected, [&](const Prefix& p) { return p.contains(via); }))
            continue;
        side.next.push_back(via);
        for (const Prefix& p : one["to"].as_prefixes())
            if (p.is_v4()) side.networks.push_back(p);
    }
}

// Neighbours that nobody answers for here.
void add_neighbours(config::Node& tree, const std::array<Side, 2>& sides) {
    config::Node* stage = stage_of(tree, "neighbour");
    if (stage == nullptr) return;
    std::string statics;
    for (const PortId port : {kLan, kWan})
        for (const IpAddress& address : sides[port].next)
            statics += fmt::format("{{port: {}, address: {}, mac: \"{}\"}}, ", kPortNames[port],
                                   address.to_string(), kGatewayMacs[port].to_string());
    config::Node made = load(
        "ports: [{name: lan, device: 'null'}, {name: wan, device: 'null'}]\n"
        "pipeline: [parse, neighbour: {static: [" +
        statics + "]}]\n");
    for (config::Node& one : member(*stage_of(made, "neighbour"), "static").items()) {
        const size_t side = one["port"].as_text() == kPortNames[kLan] ? 0 : 1;
        one.set("port", config::Node::text(sides[side].name));
        member(*stage, "static").add(one);
    }
}

// A port that nothing comes by.
std::string idle_port(size_t n) {
    const std::string name = fmt::format("idle{}", n);
    rte_ring* ring =
        rte_ring_create(name.c_str(), 64, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
    rte_ring* out = rte_ring_create((name + "out").c_str(), 64, SOCKET_ID_ANY, 0);
    if (ring == nullptr || out == nullptr ||
        rte_eth_from_rings(name.c_str(), &ring, 1, &out, 1, 0) < 0)
        give_up("no memory for " + name);
    return "net_ring_" + name;
}

std::array<Side, 2> prepare(config::Node& tree) {
    std::vector<config::Node*> real;
    for (config::Node& port : member(tree, "ports").items())
        if (!port.has("parent")) real.push_back(&port);
    if (real.size() < 2) give_up("a policy with two ports is needed");
    std::array<Side, 2> sides;
    for (size_t i = 0; i < real.size(); ++i) {
        const bool first = i == 0, last = i + 1 == real.size();
        config::Node& port = *real[i];
        port.set("tap", config::Node());
        port.set("queues", config::Node::integer(1));
        port.set("device", config::Node::text(first  ? kReplayNames[kLan]
                                              : last ? kReplayNames[kWan]
                                                     : idle_port(i)));
        if (!first && !last) continue;
        const PortId side = first ? kLan : kWan;
        port.set("mac", load(fmt::format("ports: [{{name: a, device: 'null', mac: \"{}\"}}]\n"
                                         "pipeline: [parse]\n",
                                         kReplayMacs[side].to_string()))["ports"]
                            .items()
                            .front()["mac"]);
        sides[side].name = port["name"].as_text();
        add_connected(sides[side], port);
        add_routed(sides[side], stage_of(tree, "route"));
        if (sides[side].networks.empty())
            give_up(fmt::format("port {}: no IPv4 network is behind it", sides[side].name));
    }
    config::Node& workers = member(tree, "workers");
    workers.set("count", config::Node::integer(1));
    workers.set("poll", config::Node::text("busy"));
    workers.set("cpus", config::Node());
    add_neighbours(tree, sides);
    return sides;
}

// Ports that rules name, each as often; and some that every network knows.
std::vector<uint16_t> ports_of(config::Node& tree) {
    std::vector<uint16_t> ports{53, 80, 443};
    if (config::Node* firewall = stage_of(tree, "firewall"))
        for (const config::Node& rule : (*firewall)["rules"].items())
            if (!rule["to-ports"].names_live_set())
                for (const auto& range : rule["to-ports"].as_ports()) ports.push_back(range.low);
    return ports;
}

uint32_t some_host(const Side& side, std::mt19937_64& random) {
    const Prefix& p = side.networks[random() % side.networks.size()];
    const uint32_t first = p.first().v4_host(), room = p.last().v4_host() - first;
    // A connected network has the hosts that neighbours were made for, another has all.
    const bool connected =
        std::ranges::any_of(side.next, [&](const IpAddress& a) { return p.contains(a); }) &&
        p.length != 0;
    const uint32_t most = connected ? std::min(room, kHosts) : room;
    return first + 2 + static_cast<uint32_t>(random() % std::max<uint64_t>(1, uint64_t{most} - 2));
}

void write_tries(std::span<Descriptor> flows, const std::array<Side, 2>& sides,
                 const std::vector<uint16_t>& ports) {
    std::mt19937_64 random(1);
    for (Descriptor& flow : flows) {
        flow.source = be32(some_host(sides[0], random));
        do flow.destination = be32(some_host(sides[1], random));
        while (!is_forwarded(flow.destination.host()));
        flow.source_port = be16(static_cast<uint16_t>(1024 + random() % 60'000));
        flow.destination_port = be16(ports[random() % ports.size()]);
        flow.protocol = net::kTcp;
    }
}

// Handshakes one at a time: which of them came through.
void try_all(Rig& rig, std::span<Descriptor> tried, std::vector<Descriptor>& accepted,
             std::vector<Descriptor>& denied) {
    rig.head().program = Program::kSteps;
    rig.head().step_from = 0;
    rig.head().step_to = kHandshake;
    rig.head().block = 1;
    rewind_replay();
    for (const Descriptor& flow : tried)
        (rig.play(kHandshake) == kHandshake ? accepted : denied).push_back(flow);
}

double mpps(double cycles) { return static_cast<double>(rte_get_tsc_hz()) / 1e6 / cycles; }

// From other source ports than those tried, whose connections stand already.
void add_rates(Rig& rig, std::vector<Descriptor>& flows, const char* name,
               std::vector<uint16_t> sizes, const Options& options, Report& report) {
    for (Descriptor& flow : flows)
        flow.source_port = be16(static_cast<uint16_t>(flow.source_port.host() + 1));
    double bytes = 0;
    for (const uint16_t size : sizes) bytes += size;
    bytes /= static_cast<double>(sizes.size());
    rig.insert({.flows = flows.size(),
                .write = [&](auto to) { std::ranges::copy(flows, to.begin()); },
                .program = Program::kBothWays,
                .sizes = std::move(sizes)});
    rig.open_all();
    for (unsigned r = 0; r < options.runs; ++r) {
        const double cycles = rig.measure(options.quick ? 0.05 : 0.5, true);
        report.add(fmt::format("established_{}_mpps", name), "Mpps", mpps(cycles));
        // On the wire each frame takes 20 bytes more.
        report.add(fmt::format("established_{}_gbps", name), "Gbit/s",
                   mpps(cycles) * (bytes + 20) * 8 / 1e3);
    }
    rig.take_out();
}

void add_denied(Rig& rig, const std::vector<Descriptor>& flows, const Options& options,
                Report& report) {
    rig.insert(
        {.flows = flows.size(), .write = [&](auto to) { std::ranges::copy(flows, to.begin()); }});
    for (unsigned r = 0; r < options.runs; ++r)
        report.add("denied_mpps", "Mpps", mpps(rig.measure(options.quick ? 0.05 : 0.5, true)));
    rig.take_out();
}

void run(const Options& options, Report& report) {
    if (options.config.empty()) give_up("own needs --config FILE");
    start_environment();
    config::Node tree = load_file(options.config);
    const std::vector<uint16_t> ports = ports_of(tree);
    const std::array<Side, 2> sides = prepare(tree);
    Rig rig({.flows = options.quick ? 500 : kTried,
             .write = [&](auto flows) { write_tries(flows, sides, ports); }},
            std::move(tree), Check::kNone);
    std::vector<Descriptor> accepted, denied;
    try_all(rig, rig.flows(), accepted, denied);
    const auto tried = static_cast<double>(accepted.size() + denied.size());
    report.add("connections_accepted", "of those tried",
               static_cast<double>(accepted.size()) / tried);
    std::fprintf(stderr, "own: %zu of %.0f connections from %s to %s are accepted\n",
                 accepted.size(), tried, sides[0].name.c_str(), sides[1].name.c_str());
    if (accepted.size() < 64)
        report.note(
            "too few connections complete to measure them; where the policy translates "
            "source addresses none does, since answers here go to the inner ones");
    else {
        add_rates(rig, accepted, "64", {64}, options, report);
        add_rates(rig, accepted, "imix", imix(), options, report);
    }
    if (denied.size() >= 64) add_denied(rig, denied, options, report);
    report.config()["from"] = sides[0].name;
    report.config()["to"] = sides[1].name;
    report.config()["policy"] = options.config;
    report.note(
        "one worker; the cost of making and sinking packets is inside; IPv4 TCP from the "
        "first port to the last, other ports idle; drops: " +
        rig.box().drops());
}

const FigureRegistration registration{
    {"own", "what a policy of yours will carry (--config FILE)", run}};

}  // namespace
}  // namespace ravelin::perf
