// SPDX-License-Identifier: Apache-2.0
// `ravelin routes` and the route in `ravelin explain`: configured and learned ones together.
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "dataplane/process/answers.h"
#include "dataplane/process/describe.h"
#include "pipelines/model/route_protocol.h"
#include "pipelines/stages/route.h"
#include "pipelines/stages/route_learned.h"

namespace ravelin::answers {
namespace {

/// A prefix for people, whoever told it.
struct Shown {
    Prefix prefix;
    std::string origin;
    std::string_view table, rule;  ///< empty: main, none
    std::vector<WeightedHop> hops;
};

std::string origin_of(const RouteView& view, size_t ports) {
    const RouteKind kind = view.hop.kind;
    if (kind == RouteKind::kLocal || kind == RouteKind::kGroup || kind == RouteKind::kBroadcast)
        return "local";
    return view.value < ports ? "connected" : "configured";
}

Shown shown(const RouteView& view, const RoutePolicy& policy, size_t ports) {
    return {view.prefix, origin_of(view, ports), view.table, view.rule,
            policy.next_hops().members(view.value)};
}

Shown shown(const LearnedRoutes::View& view) {
    const std::string_view name = model::route_protocol(view.protocol);
    return {view.prefix, name.empty() ? std::to_string(view.protocol) : std::string(name), "", "",
            view.hops};
}

/// "0.0.0.0/0", "0.0.0.0/0 of table isp2 by rule voip", "by rule voip".
std::string text_of(const Shown& route) {
    if (route.rule.empty()) return route.prefix.to_string();
    if (route.table.empty()) return fmt::format("by rule {}", route.rule);
    return fmt::format("{} of table {} by rule {}", route.prefix.to_string(), route.table,
                       route.rule);
}

// One line for each next hop.
void add(const Shown& route, const NeighbourTable& neighbours, const Describer& describer,
         model::Reply& reply) {
    for (const auto& [hop, weight] : route.hops) {
        model::RouteRecord& out = *reply.add_routes();
        out.set_prefix(route.prefix.to_string());
        out.set_origin(route.origin);
        out.set_via(Describer::via(hop));
        out.set_port(describer.port(hop.port));
        out.set_kind(std::string(name_of(hop.kind)));
        out.set_table(std::string(route.table));
        out.set_mtu(hop.mtu);
        if (route.hops.size() == 1) continue;
        out.set_weight(weight);
        out.set_state(NextHops::reachable(hop, neighbours) ? "up" : "down");
    }
}

/// A rule's route, else the longer prefix; of equal ones the configured. No hops: there is none.
Shown chosen(const PolicyStore& store, const RoutePolicy& policy, const IpAddress& address,
             const RouteView& configured) {
    const LearnedRoutes::View learned = store.appliance()->learned().view(address);
    const bool none = configured.hop.kind == RouteKind::kNone;
    if (configured.rule.empty() && !learned.hops.empty() &&
        (none || learned.prefix.length > configured.prefix.length))
        return shown(learned);
    return none ? Shown{} : shown(configured, policy, store.current()->ports.size());
}

}  // namespace

void routes(const PolicyStore& store, const model::RouteLookup& request, model::Reply& reply) {
    const auto* policy = policy_of<RoutePolicy>(*store.current(), "route");
    if (policy == nullptr) return reply.set_error("this policy has no route stage");
    const Appliance& box = *store.appliance();
    const Describer describer(*store.current(), box.specs());
    reply.set_total(policy->size() + box.learned().size());
    if (request.address().size() == 16) {
        const IpAddress address =
            IpAddress::v6(reinterpret_cast<const uint8_t*>(request.address().data()));
        return add(chosen(store, *policy, address, policy->lookup(address)), box.neighbours(),
                   describer, reply);
    }
    const size_t limit = request.list_limit(), ports = store.current()->ports.size();
    const auto configured = policy->list(limit);
    for (const RouteView& view : configured)
        add(shown(view, *policy, ports), box.neighbours(), describer, reply);
    for (const auto& view : box.learned().list(limit - configured.size()))
        add(shown(view), box.neighbours(), describer, reply);
}

void explain_route(const PolicyStore& store, const Describer& describer, const PacketMeta& meta,
                   model::Explanation& out) {
    const auto* policy = policy_of<RoutePolicy>(*store.current(), "route");
    if (policy == nullptr) return;
    const Shown route = chosen(store, *policy, meta.destination, policy->lookup(meta));
    if (route.hops.empty()) return;
    out.set_route(text_of(route));
    const std::string via = describer.via(meta);
    out.set_next_hop(via.empty() ? Describer::via(route.hops.front().hop) : via);
}

}  // namespace ravelin::answers
