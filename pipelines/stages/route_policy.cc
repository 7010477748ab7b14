// SPDX-License-Identifier: Apache-2.0
// Compiles `routes:` and the ports' addresses into a RoutePolicy. Control thread only.
#include <fmt/format.h>

#include <algorithm>

#include "pipelines/stages/route.h"

namespace ravelin {
namespace {

constexpr uint8_t kHostV4 = 32, kHostV6 = 128;

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

std::string title(const std::vector<Prefix>& to) {
    if (to.empty()) return "routes: a route to nothing";
    const std::string more = to.size() > 1 ? fmt::format(" and {} more", to.size() - 1) : "";
    return fmt::format("routes: to {}{}", to.front().to_string(), more);
}

Result<NextHop> gateway_hop(const config::Node& route, const PolicySnapshot& snapshot,
                            NextHop hop) {
    const IpAddress via = hop.gateway = route["via"].as_address();
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

Result<NextHop> hop_of(const config::Node& route, const PolicySnapshot& snapshot) {
    NextHop hop;
    hop.kind = kind_of(route["kind"].as_text());
    const bool has_via = route.has("via"), has_port = !route["port"].as_text().empty();
    if (hop.kind != RouteKind::kForward) {
        if (has_via || has_port)
            return Error{
                fmt::format("kind {} takes neither `via` nor `port`", route["kind"].as_text())};
        return hop;
    }
    if (has_port) {
        hop.port = port_named(snapshot, route["port"].as_text());
        if (hop.port == kNoPort) return Error{fmt::format("no port '{}'", route["port"].as_text())};
    }
    if (has_via) return gateway_hop(route, snapshot, hop);
    if (!has_port) return Error{"expected `via`, `port`, or another kind than forward"};
    return hop;
}

}  // namespace

std::string_view name_of(RouteKind kind) {
    constexpr std::array<std::string_view, 7> kNames{"none",        "forward",  "local",    "group",
                                                     "unreachable", "prohibit", "blackhole"};
    return kNames[static_cast<size_t>(kind)];
}

struct RoutePolicy::Builder {
    RoutePolicy& policy;
    const PolicySnapshot& snapshot;

    uint32_t add(const NextHop& hop) {
        policy.hops_.push_back(hop);
        return static_cast<uint32_t>(policy.hops_.size() - 1);
    }
    void route(const IpAddress& address, uint8_t length, uint32_t hop) {
        policy.entries_.push_back({Prefix{Prefix{address, length}.first(), length}, hop});
    }
    Status configured(const config::Node& route_node) {
        const std::vector<Prefix> to = route_node["to"].as_prefixes();
        auto hop = hop_of(route_node, snapshot);
        if (!hop) return std::move(hop.error()).within(title(to));
        const uint32_t index = add(*hop);
        policy.entries_.reserve(policy.entries_.size() + to.size());
        for (const Prefix& prefix : to) {
            if (!hop->on_link && prefix.is_v4() != hop->gateway.is_v4())
                return Error{fmt::format("{} via {}: {} is of the other family", title(to),
                                         hop->gateway.to_string(), prefix.to_string())};
            route(prefix.address, prefix.length, index);
        }
        return ok_status();
    }
    // Added after the configured routes, so that these win over equal ones: connected networks
    // first, then broadcasts, then the box's own addresses.
    void connected() {
        const uint32_t local = add({RouteKind::kLocal, kLocalPort, true, {}});
        const uint32_t group = add({RouteKind::kGroup, kLocalPort, true, {}});
        route(IpAddress::v4(0xffffffff), kHostV4, group);
        for (int pass = 0; pass < 3; ++pass)
            for (size_t port = 0; port < snapshot.ports.size(); ++port)
                for (const Prefix& own : snapshot.ports[port].addresses) {
                    if (!own.is_v4() && own.address.is_link_local()) continue;  // per port: Route
                    if (pass == 0) route(own.address, own.length, static_cast<uint32_t>(port));
                    if (pass == 1 && own.is_v4() && own.length < 31)  // RFC 3021: /31 has none
                        route(own.last(), kHostV4, group);
                    if (pass == 2) route(own.address, own.is_v4() ? kHostV4 : kHostV6, local);
                }
    }
    Status finish() {
        auto& entries = policy.entries_;
        std::ranges::stable_sort(entries, {}, &LpmEntry::prefix);
        size_t kept = 0;
        for (size_t i = 0; i < entries.size(); ++i)
            if (i + 1 == entries.size() || entries[i + 1].prefix != entries[i].prefix)
                entries[kept++] = entries[i];
        entries.resize(kept);
        entries.shrink_to_fit();
        auto table = Lpm::build(entries);
        if (!table) return std::move(table.error()).within("routes");
        policy.table_ = std::move(*table);
        return ok_status();
    }
};

Result<std::shared_ptr<const RoutePolicy>> RoutePolicy::build(const config::Node& node,
                                                              const PolicySnapshot& snapshot) {
    auto policy = std::make_shared<RoutePolicy>();
    Builder builder{*policy, snapshot};
    for (size_t port = 0; port < snapshot.ports.size(); ++port)
        builder.add({RouteKind::kForward, static_cast<PortId>(port), true, {}});
    for (const config::Node& route : node["routes"].items())
        if (auto s = builder.configured(route); !s) return std::move(s.error());
    builder.connected();
    if (auto s = builder.finish(); !s) return std::move(s.error());
    return std::shared_ptr<const RoutePolicy>(std::move(policy));
}

RouteView RoutePolicy::lookup(const IpAddress& address) const {
    for (int length = address.is_v4() ? kHostV4 : kHostV6; length >= 0; --length) {
        const auto bits = static_cast<uint8_t>(length);
        const Prefix wanted{Prefix{address, bits}.first(), bits};
        const auto found = std::ranges::lower_bound(entries_, wanted, {}, &LpmEntry::prefix);
        if (found != entries_.end() && found->prefix == wanted)
            return {wanted, hops_[found->value]};
    }
    return {{address, 0}, {RouteKind::kNone, kNoPort, true, {}}};
}

std::vector<RouteView> RoutePolicy::list(size_t limit) const {
    std::vector<RouteView> out;
    for (size_t i = 0; i < std::min(limit, entries_.size()); ++i)
        out.push_back({entries_[i].prefix, hops_[entries_[i].value]});
    return out;
}

size_t RoutePolicy::memory_bytes() const {
    return sizeof *this + table_.memory_bytes() + entries_.capacity() * sizeof(LpmEntry) +
           hops_.capacity() * sizeof(NextHop);
}

}  // namespace ravelin
