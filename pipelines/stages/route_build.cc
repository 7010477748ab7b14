// SPDX-License-Identifier: Apache-2.0
// Compiles the stage's configuration and the ports' addresses into a RoutePolicy. Control thread
// only.
#include <fmt/format.h>

#include <algorithm>

#include "pipelines/stages/route.h"
#include "pipelines/stages/route_reader.h"

namespace ravelin {
namespace {

constexpr int64_t kLeastMtuV6 = 1280;  // RFC 8200 section 5
constexpr uint8_t kHostV4 = 32, kHostV6 = 128;
constexpr size_t kMostTables = 256;

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

/// Whether the prefixes can be reached so.
Status fits(const std::vector<Prefix>& to, const std::vector<WeightedHop>& hops, int64_t mtu) {
    for (const Prefix& prefix : to) {
        if (const IpAddress* gateway = misfit(hops, prefix))
            return Error{fmt::format("{} via {}: {} is of the other family", title(to),
                                     gateway->to_string(), prefix.to_string())};
        if (!prefix.is_v4() && mtu != 0 && mtu < kLeastMtuV6)
            return Error{fmt::format("{}: mtu: found {}B for {}, expected at least {}B", title(to),
                                     mtu, prefix.to_string(), kLeastMtuV6)};
    }
    return ok_status();
}

bool says(const config::Node& node, std::string_view member, std::string_view word) {
    return node[member].as_text() == word;
}

}  // namespace

struct RoutePolicy::Builder {
    RoutePolicy& policy;
    const PolicySnapshot& snapshot;
    NextHopsBuilder hops{snapshot.ports.size()};

    static void add(RouteTable& table, const IpAddress& address, uint8_t length, uint32_t value) {
        table.entries.push_back({Prefix{Prefix{address, length}.first(), length}, value});
    }
    Status configured(const config::Node& routes, RouteTable& table) {
        for (const config::Node& route : routes.items()) {
            const std::vector<Prefix> to = route["to"].as_prefixes();
            auto next = read_next_hops(route, snapshot);
            if (!next) return std::move(next.error()).within(title(to));
            if (auto s = fits(to, *next, route["mtu"].as_integer()); !s) return s;
            auto value = hops.add_group(std::move(*next));
            if (!value) return std::move(value.error()).within(title(to) + ": next-hops");
            table.entries.reserve(table.entries.size() + to.size());
            for (const Prefix& prefix : to) add(table, prefix.address, prefix.length, *value);
        }
        return ok_status();
    }
    // Added after the configured routes, so that these win over equal ones: connected networks
    // first, then broadcasts, then the box's own addresses.
    void connected() {
        RouteTable& main = policy.main_;
        const uint32_t local =
            hops.add(NextHop{.kind = RouteKind::kLocal, .port = kLocalPort, .gateway = {}});
        const uint32_t group =
            hops.add(NextHop{.kind = RouteKind::kGroup, .port = kLocalPort, .gateway = {}});
        add(main, IpAddress::v4(0xffffffff), kHostV4, group);
        for (int pass = 0; pass < 3; ++pass)
            for (size_t i = 0; i < snapshot.ports.size(); ++i)
                for (const Prefix& own : snapshot.ports[i].addresses) {
                    const auto port = static_cast<PortId>(i);
                    if (!own.is_v4() && own.address.is_link_local()) continue;  // per port: Route
                    if (pass == 0) add(main, own.address, own.length, port);
                    if (pass == 1 && own.is_v4() && own.length < 31)  // RFC 3021: /31 has none
                        add(main, own.last(), kHostV4,
                            hops.add(NextHop{
                                .kind = RouteKind::kBroadcast, .port = port, .gateway = {}}));
                    if (pass == 2) add(main, own.address, own.is_v4() ? kHostV4 : kHostV6, local);
                }
    }
    static Status finish(RouteTable& table) {
        auto& entries = table.entries;
        std::ranges::stable_sort(entries, {}, &LpmEntry::prefix);
        size_t kept = 0;
        for (size_t i = 0; i < entries.size(); ++i)
            if (i + 1 == entries.size() || entries[i + 1].prefix != entries[i].prefix)
                entries[kept++] = entries[i];
        entries.resize(kept);
        entries.shrink_to_fit();
        std::vector<LpmEntry> with_lengths = entries;
        for (LpmEntry& entry : with_lengths)
            entry.value |= uint32_t{entry.prefix.length} << kLengthShift;
        auto lpm = Lpm::build(with_lengths);
        if (!lpm) return std::move(lpm.error()).within("routes");
        table.lpm = std::move(*lpm);
        return ok_status();
    }
    Status main_table(const config::Node& node) {
        if (auto s = configured(node["routes"], policy.main_); !s) return s;
        connected();
        return finish(policy.main_);
    }
    Status named_tables(const config::Node& node) {
        const auto& tables = node["tables"].items();
        if (tables.size() > kMostTables)
            return Error{
                fmt::format("tables: found {}, expected at most {}", tables.size(), kMostTables)};
        for (size_t i = 0; i < tables.size(); ++i) {
            RouteTable table;
            table.name = tables[i]["name"].as_text();
            const std::string where = fmt::format("tables[{}]", i);
            if (std::ranges::find(policy.tables_, table.name, &RouteTable::name) !=
                policy.tables_.end())
                return Error{fmt::format("{}: two are named '{}'", where, table.name)};
            if (auto s = configured(tables[i]["routes"], table); !s)
                return std::move(s.error()).within(where);
            if (auto s = finish(table); !s) return std::move(s.error()).within(where);
            policy.tables_.push_back(std::move(table));
        }
        return ok_status();
    }
    Status rules(const config::Node& node) {
        std::vector<std::string> names;
        for (const RouteTable& table : policy.tables_) names.push_back(table.name);
        auto rules = RouteRules::build(node["rules"], snapshot, names, hops);
        if (!rules) return std::move(rules.error());
        policy.rules_ = std::move(*rules);
        return ok_status();
    }
    Status rest(const config::Node& node) {
        policy.drops_martians_ = says(node, "martians", "drop");
        policy.drops_special_ = says(node, "special-sources", "drop");
        policy.directs_broadcasts_ = says(node, "directed-broadcast", "accept");
        policy.checks_sources_ = std::ranges::any_of(
            snapshot.ports, [](const PortPolicy& p) { return p.rpf != ReversePath::kOff; });
        policy.own_ = OwnAddresses(snapshot.ports);
        policy.hops_ = std::move(hops).take();
        // Beyond that a length would fall on an index (finish).
        if (constexpr size_t kMost = 1u << kLengthShift; policy.hops_.size() > kMost)
            return Error{fmt::format("routes: found {} next hops, expected at most {}",
                                     policy.hops_.size(), kMost)};
        return ok_status();
    }
};

Result<std::shared_ptr<const RoutePolicy>> RoutePolicy::build(const config::Node& node,
                                                              const PolicySnapshot& snapshot) {
    auto policy = std::make_shared<RoutePolicy>();
    Builder builder{*policy, snapshot};
    for (const auto part :
         {&Builder::main_table, &Builder::named_tables, &Builder::rules, &Builder::rest})
        if (auto s = (builder.*part)(node); !s) return std::move(s.error());
    return std::shared_ptr<const RoutePolicy>(std::move(policy));
}

}  // namespace ravelin
