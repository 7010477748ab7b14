// SPDX-License-Identifier: Apache-2.0
// Compiles `routes:` and the ports' addresses into a RoutePolicy. Control thread only.
#include <fmt/format.h>

#include <algorithm>

#include "pipelines/stages/route.h"
#include "pipelines/stages/route_reader.h"

namespace ravelin {
namespace {

constexpr uint8_t kHostV4 = 32, kHostV6 = 128;

std::string title(const std::vector<Prefix>& to) {
    if (to.empty()) return "routes: a route to nothing";
    const std::string more = to.size() > 1 ? fmt::format(" and {} more", to.size() - 1) : "";
    return fmt::format("routes: to {}{}", to.front().to_string(), more);
}

/// A gateway of the other family than the destinations, if there is one.
const IpAddress* misfit(const std::vector<WeightedHop>& hops, const Prefix& to) {
    for (const WeightedHop& h : hops)
        if (!h.hop.on_link && h.hop.gateway.is_v4() != to.is_v4()) return &h.hop.gateway;
    return nullptr;
}

}  // namespace

struct RoutePolicy::Builder {
    RoutePolicy& policy;
    const PolicySnapshot& snapshot;

    NextHopsBuilder hops{snapshot.ports.size()};

    void route(const IpAddress& address, uint8_t length, uint32_t hop) {
        policy.entries_.push_back({Prefix{Prefix{address, length}.first(), length}, hop});
    }
    Status configured(const config::Node& route_node) {
        const std::vector<Prefix> to = route_node["to"].as_prefixes();
        auto next = read_next_hops(route_node, snapshot);
        if (!next) return std::move(next.error()).within(title(to));
        for (const Prefix& prefix : to)
            if (const IpAddress* gateway = misfit(*next, prefix))
                return Error{fmt::format("{} via {}: {} is of the other family", title(to),
                                         gateway->to_string(), prefix.to_string())};
        const auto value = hops.add_group(std::move(*next));
        if (!value) return Error{value.error()}.within(title(to) + ": next-hops");
        policy.entries_.reserve(policy.entries_.size() + to.size());
        for (const Prefix& prefix : to) route(prefix.address, prefix.length, *value);
        return ok_status();
    }
    // Added after the configured routes, so that these win over equal ones: connected networks
    // first, then broadcasts, then the box's own addresses.
    void connected() {
        const uint32_t local =
            hops.add(NextHop{.kind = RouteKind::kLocal, .port = kLocalPort, .gateway = {}});
        const uint32_t group =
            hops.add(NextHop{.kind = RouteKind::kGroup, .port = kLocalPort, .gateway = {}});
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
        policy.hops_ = std::move(hops).take();
        return ok_status();
    }
};

Result<std::shared_ptr<const RoutePolicy>> RoutePolicy::build(const config::Node& node,
                                                              const PolicySnapshot& snapshot) {
    auto policy = std::make_shared<RoutePolicy>();
    Builder builder{*policy, snapshot};
    for (const config::Node& route : node["routes"].items())
        if (auto s = builder.configured(route); !s) return std::move(s.error());
    builder.connected();
    if (auto s = builder.finish(); !s) return std::move(s.error());
    return std::shared_ptr<const RoutePolicy>(std::move(policy));
}

const NextHop* RoutePolicy::next_hop(const PacketMeta& meta,
                                     const WorkerContext& context) const noexcept {
    const uint32_t hop = hops_.choose(table_.lookup(meta.destination), meta.hash, context);
    return hop < hops_.size() ? &hops_[hop] : nullptr;
}

RouteView RoutePolicy::view(const LpmEntry& entry) const {
    return {entry.prefix, entry.value, hops_.members(entry.value).front().hop};
}

RouteView RoutePolicy::lookup(const IpAddress& address) const {
    for (int length = address.is_v4() ? kHostV4 : kHostV6; length >= 0; --length) {
        const auto bits = static_cast<uint8_t>(length);
        const Prefix wanted{Prefix{address, bits}.first(), bits};
        const auto found = std::ranges::lower_bound(entries_, wanted, {}, &LpmEntry::prefix);
        if (found != entries_.end() && found->prefix == wanted) return view(*found);
    }
    return {.prefix = {address, 0}};
}

std::vector<RouteView> RoutePolicy::list(size_t limit) const {
    std::vector<RouteView> out;
    for (size_t i = 0; i < std::min(limit, entries_.size()); ++i) out.push_back(view(entries_[i]));
    return out;
}

size_t RoutePolicy::memory_bytes() const {
    return sizeof *this + table_.memory_bytes() + entries_.capacity() * sizeof(LpmEntry) +
           hops_.memory_bytes();
}

}  // namespace ravelin
