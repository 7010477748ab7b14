// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/topology.h"

#include <fmt/format.h>

#include <stdexcept>

#include "dataplane/net/packet_text.h"
#include "tests/oracle/frame_facts.h"
#include "tests/oracle/nft.h"

namespace ravelin::oracle {

unsigned side_of(const IpAddress& address) {
    static const Prefix lan6 = *Prefix::parse("2001:db8:1::/48");
    if (address.is_v4()) return address.v4_host() >> 31;
    return lan6.contains(address) ? 0 : 1;
}

bool own_network(const IpAddress& address) {
    static const Prefix own4 = *Prefix::parse("198.18.0.0/29");
    static const Prefix own6 = *Prefix::parse("2001:db8:ffff::/64");
    return own4.contains(address) || own6.contains(address);
}

namespace {

std::string port_line(const TopologyPort& p) {
    return fmt::format("  - {{name: {}, device: \"null\", mac: \"{}\", addresses: [{}, \"{}\"]}}\n",
                       p.name, p.mac, p.v4, p.v6);
}

std::string route_stage() {
    std::string out = "  - route:\n      routes:\n";
    for (const TopologyRoute& r : kRoutes)
        out += fmt::format("        - {{to: \"{}\", via: \"{}\"}}\n", r.to, r.via);
    return out;
}

std::string neighbour_stage() {
    std::string out = "  - neighbour:\n      static:\n";
    for (const TopologyPort& p : kPorts)
        for (const char* gateway : {p.gateway_v4, p.gateway_v6})
            out += fmt::format("        - {{port: {}, address: \"{}\", mac: \"{}\"}}\n", p.name,
                               gateway, p.gateway_mac);
    return out;
}

void replace(std::string& text, const std::string& what, const std::string& by) {
    const size_t at = text.find(what);
    if (at == text.npos) throw std::runtime_error("no '" + what + "' in\n" + text);
    text.replace(at, what.size(), by);
}

}  // namespace

std::string router_yaml(const std::string& firewall, bool reassemble) {
    std::string out = "ports:\n";
    for (const TopologyPort& p : kPorts) out += port_line(p);
    out += fmt::format(
        "pipeline:\n  - parse: {{verify-checksums: true}}\n  - steer: {{fragments: {}}}\n",
        reassemble ? "reassemble" : "track");
    return out + route_stage() + firewall + neighbour_stage() +
           "  - local\n  - rewrite: {icmp-rate: 1000000pps}\n";
}

std::string imported_yaml(std::string imported) {
    for (const TopologyPort& p : kPorts)
        replace(imported, fmt::format("  - {{name: {0}, device: 'af_packet:{0}'}}\n", p.name),
                port_line(p));
    replace(imported, "  - route\n", route_stage());
    replace(imported, "  - neighbour\n", neighbour_stage());
    return imported;
}

Arrival arrival(const std::string& packet_text) {
    static const PacketTextDefaults defaults = [] {
        PacketTextDefaults d;
        d.port = kPorts[0].name;
        for (const TopologyPort& p : kPorts)
            d.port_macs.push_back({p.name, *MacAddress::parse(p.mac)});
        return d;
    }();
    auto parsed = parse_packet_text(packet_text, defaults);
    if (!parsed) throw std::runtime_error(packet_text + ": " + parsed.error().message);
    return {parsed->port == kPorts[1].name ? 1u : 0u, std::move(parsed->frame)};
}

test::Bytes marker_frame() {
    static const test::Bytes frame =
        arrival(fmt::format("in=lan ip proto={} {} > {} data=marker", kMarkerProtocol,
                            kMarkerSource, kMarkerDestination))
            .frame;
    return frame;
}

bool is_marker(const test::Bytes& frame) {
    const auto facts = read_frame(frame);
    return facts && facts->protocol == kMarkerProtocol &&
           facts->source.to_string() == kMarkerSource &&
           facts->destination.to_string() == kMarkerDestination;
}

}  // namespace ravelin::oracle
