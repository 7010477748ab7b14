// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/route_reader.h"

#include <fmt/format.h>

#include <algorithm>

namespace ravelin {
namespace {

PortId port_named(const PolicySnapshot& snapshot, const std::string& name) {
    const auto found = std::ranges::find(snapshot.ports, name, &PortPolicy::name);
    return found == snapshot.ports.end() ? kNoPort
                                         : static_cast<PortId>(found - snapshot.ports.begin());
}

PortId port_of_network(const PolicySnapshot& snapshot, const IpAddress& address) {
    PortId best = kNoPort;
    unsigned longest = 0;
    for (size_t i = 0; i < snapshot.ports.size(); ++i)
        for (const Prefix& own : snapshot.ports[i].addresses)
            if (own.contains(address) && own.length >= longest) {
                longest = own.length;
                best = static_cast<PortId>(i);
            }
    return best;
}

RouteKind kind_of(const std::string& word) {
    if (word == "blackhole") return RouteKind::kBlackhole;
    if (word == "unreachable") return RouteKind::kUnreachable;
    return word == "prohibit" ? RouteKind::kProhibit : RouteKind::kForward;
}

Result<NextHop> gateway_hop(const IpAddress& via, const PolicySnapshot& snapshot, NextHop hop) {
    hop.gateway = via;
    hop.on_link = false;
    const std::string text = via.to_string();
    if (via.is_multicast() || via.is_unspecified() || via.is_loopback())
        return Error{fmt::format("via {}: expected the address of one router", text)};
    if (snapshot.owner_of(via) != kNoPort)
        return Error{fmt::format("via {}: is an address of this box", text)};
    if (hop.port != kNoPort) return hop;
    if (!via.is_v4() && via.is_link_local())
        return Error{fmt::format("via {}: a link-local router needs `port`", text)};
    hop.port = port_of_network(snapshot, via);
    if (hop.port == kNoPort)
        return Error{
            fmt::format("via {}: on no connected network; correct it or give `port`", text)};
    return hop;
}

// Of a map with via and port.
Result<NextHop> forward_hop(const config::Node& node, const PolicySnapshot& snapshot,
                            uint16_t mtu) {
    NextHop hop{.mtu = mtu, .gateway = {}};
    const std::string& port = node["port"].as_text();
    if (!port.empty()) {
        hop.port = port_named(snapshot, port);
        if (hop.port == kNoPort) return Error{fmt::format("no port '{}'", port)};
    }
    if (node.has("via")) return gateway_hop(node["via"].as_address(), snapshot, hop);
    if (port.empty()) return Error{"expected `via`, `port`, or another kind than forward"};
    return hop;
}

}  // namespace

Result<std::vector<WeightedHop>> read_next_hops(const config::Node& node,
                                                const PolicySnapshot& snapshot) {
    const std::string& word = node["kind"].as_text();
    const RouteKind kind = kind_of(word);
    const auto mtu = static_cast<uint16_t>(node["mtu"].as_integer());
    const bool one = node.has("via") || !node["port"].as_text().empty();
    const auto& several = node["next-hops"].items();
    if (kind != RouteKind::kForward) {
        if (one || !several.empty())
            return Error{
                fmt::format("kind {} takes neither `via` nor `port` nor `next-hops`", word)};
        return std::vector<WeightedHop>{{{.kind = kind, .gateway = {}}, 1}};
    }
    if (several.empty()) {
        auto hop = forward_hop(node, snapshot, mtu);
        if (!hop) return std::move(hop.error());
        return std::vector<WeightedHop>{{*hop, 1}};
    }
    if (one) return Error{"next-hops: found with `via` or `port`, expected one or the other"};
    std::vector<WeightedHop> out;
    for (size_t i = 0; i < several.size(); ++i) {
        auto hop = forward_hop(several[i], snapshot, mtu);
        if (!hop) return std::move(hop.error()).within(fmt::format("next-hops[{}]", i));
        out.push_back({*hop, static_cast<uint8_t>(several[i]["weight"].as_integer())});
    }
    return out;
}

}  // namespace ravelin
