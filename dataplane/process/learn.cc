// SPDX-License-Identifier: Apache-2.0
#include "dataplane/process/learn.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace ravelin {
namespace {

constexpr size_t kAddress = 16;

/// Between two bursts on a worker: it then holds nothing of before.
class Nothing final : public Command {
    void run(Worker&) noexcept override {}
};

bool all_have_turned(const Appliance& box) { return !execute_on_all<Nothing>(box.workers()); }

/// A worker that does not answer keeps what it may hold: its place stays taken.
void make_room(Appliance& box) {
    LearnedRoutes& table = box.learned();
    if (table.finish_batch() && all_have_turned(box)) table.reclaim();
}

Result<NextHop> hop_of(const model::LearnedHop& from, const Appliance& box) {
    NextHop hop{.gateway = {}};
    if (from.kind() > static_cast<uint32_t>(RouteKind::kBlackhole) ||
        from.kind() == static_cast<uint32_t>(RouteKind::kNone) ||
        from.kind() == static_cast<uint32_t>(RouteKind::kLocal) ||
        from.kind() == static_cast<uint32_t>(RouteKind::kGroup))
        return Error{fmt::format("kind {}", from.kind())};
    hop.kind = static_cast<RouteKind>(from.kind());
    if (hop.kind != RouteKind::kForward) return hop;
    if (from.port() >= box.ports().size()) return Error{fmt::format("port {}", from.port())};
    hop.port = static_cast<PortId>(from.port());
    if (from.gateway().empty()) return hop;
    if (from.gateway().size() != kAddress) return Error{"a gateway that is no address"};
    hop.on_link = false;
    hop.gateway = IpAddress::v6(reinterpret_cast<const uint8_t*>(from.gateway().data()));
    return hop;
}

Result<LearnedRoute> route_of(const model::LearnedRoute& from, const Appliance& box) {
    LearnedRoute route;
    if (from.address().size() != kAddress) return Error{"a prefix that is no address"};
    route.prefix.address = IpAddress::v6(reinterpret_cast<const uint8_t*>(from.address().data()));
    if (from.length() > (route.prefix.is_v4() ? 32u : 128u))
        return Error{fmt::format("{}/{}", route.prefix.address.to_string(), from.length())};
    route.prefix.length = static_cast<uint8_t>(from.length());
    route.protocol = static_cast<uint8_t>(from.protocol());
    for (const model::LearnedHop& each : from.hops()) {
        auto hop = hop_of(each, box);
        if (!hop) return std::move(hop.error()).within(route.prefix.to_string());
        const auto weight = std::clamp<uint32_t>(each.weight(), 1, UINT8_MAX);
        route.hops.push_back({*hop, static_cast<uint8_t>(weight)});
    }
    return route;
}

}  // namespace

void RouteLearner::learn(Appliance& box, const model::RouteDelta& delta, model::Reply& reply) {
    std::vector<LearnedRoute> routes;
    routes.reserve(static_cast<size_t>(delta.routes_size()));
    for (const model::LearnedRoute& each : delta.routes()) {
        auto route = route_of(each, box);
        if (!route) return reply.set_error("learned routes: " + route.error().message);
        routes.push_back(std::move(*route));
    }
    // What goes makes room for what comes; a delta names a prefix once.
    std::stable_partition(routes.begin(), routes.end(),
                          [](const LearnedRoute& r) { return r.hops.empty(); });
    LearnedRoutes& table = box.learned();
    if (delta.begin()) {
        table.set_limit(delta.limit());
        table.begin_sync();
        keep_ns_ = delta.stale_ns();
        deadline_ns_ = 0;
    }
    uint64_t refused = 0;
    for (const LearnedRoute& route : routes) refused += table.apply(route) ? 0 : 1;
    if (delta.end()) table.end_sync();
    make_room(box);
    reply.set_total(table.size());
    reply.set_refused(refused);
}

void RouteLearner::lost(const Now& now) {
    if (keep_ns_ != 0 && deadline_ns_ == 0) deadline_ns_ = now.ns + keep_ns_;
}

size_t RouteLearner::expire(Appliance& box, const Now& now) {
    if (deadline_ns_ == 0 || now.ns < deadline_ns_) return 0;
    deadline_ns_ = 0;
    const size_t gone = box.learned().drop_stale();
    make_room(box);
    return gone;
}

}  // namespace ravelin
