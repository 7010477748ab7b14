// SPDX-License-Identifier: Apache-2.0
// The YAML of the router that most figures measure.
#include <fmt/format.h>

#include "perf/bench/box.h"
#include "perf/replay/tape.h"

namespace ravelin::perf {
namespace {

std::string ports_of(const RouterOptions& options) {
    constexpr std::array kAddresses{"10.0.0.1/24, \"fd00:1::1/64\"",
                                    "192.0.2.1/24, \"fd00:2::1/64\""};
    const bool replay = options.wires == Box::Wires::kReplay;
    std::string carriers, ports;
    for (const PortId port : {kLan, kWan}) {
        const std::string device =
            fmt::format("device: {}_{}{}", replay ? "net_null" : "net_ring", kPortNames[port],
                        replay ? fmt::format(", queues: {}, mac: \"{}\"", options.workers,
                                             kReplayMacs[port].to_string())
                               : "");
        const std::string carrier = fmt::format("{}-trunk", kPortNames[port]);
        ports += fmt::format(
            "  - {{name: {}, {}, addresses: [{}]}}\n", kPortNames[port],
            options.tagged ? fmt::format("parent: {}, vlan: {}", carrier, TapeHead().vlans[port])
                           : device,
            kAddresses[port]);
        if (options.tagged) carriers += fmt::format("  - {{name: {}, {}}}\n", carrier, device);
    }
    return fmt::format("workers: {{count: {}, poll: busy, flows: {}, buffers: 8192}}\nports:\n",
                       options.workers, options.flows) +
           carriers + ports;
}

}  // namespace

std::string router(const RouterOptions& options) {
    const auto probe = [&](const char* stage) {
        return options.sections ? fmt::format("  - after_{}\n", stage) : std::string();
    };
    std::string yaml = ports_of(options) + "pipeline:\n";
    yaml += probe("receive") + "  - parse\n" + probe("parse") + "  - steer\n" + probe("steer");
    yaml +=
        "  - route: {routes: [{to: 10.0.0.0/8, via: 10.0.0.2}, {to: 0.0.0.0/0, via: 192.0.2.2},\n"
        "      {to: \"fd01::/16\", via: \"fd00:1::2\"}, {to: \"::/0\", via: \"fd00:2::2\"}" +
        options.routes + "]}\n";
    yaml += probe("route");
    if (options.filters)
        yaml += fmt::format("  - firewall: {{{}rules: [{}]}}\n", options.firewall, options.rules);
    yaml += probe("firewall");
    yaml += "  - neighbour: {static: [";
    for (const PortId port : {kLan, kWan})
        for (const char* address : {port == kLan ? "10.0.0.2" : "192.0.2.2",
                                    port == kLan ? "\"fd00:1::2\"" : "\"fd00:2::2\""})
            yaml += fmt::format("{{port: {}, address: {}, mac: \"{}\"}}, ", kPortNames[port],
                                address, kGatewayMacs[port].to_string());
    yaml += "]}\n" + probe("neighbour") + "  - local\n" + probe("local") + "  - clamp\n" +
            probe("clamp") + "  - rewrite\n" + probe("rewrite");
    return yaml;
}

}  // namespace ravelin::perf
