// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/kernel_rib.h"

#include <algorithm>

namespace ravelin::control {

void KernelRib::take(const KernelRoute& route) {
    // A route by type of service is a policy of its own; the table has one answer for all.
    if (route.table != filter_.table || route.cloned || route.tos != 0) return;
    if (route.gone) return remove(route);
    const bool wanted = filter_.protocols.contains(route.protocol) &&
                        route.kind != KernelRouteKind::kOther &&
                        (route.kind != KernelRouteKind::kForward || !route.hops.empty());
    const auto at = paths_.find(route.prefix);
    if (!wanted && at == paths_.end()) return;
    Paths& paths = wanted ? paths_[route.prefix] : at->second;
    auto same = std::ranges::find(paths, route.metric, &Path::metric);
    if (!wanted) {  // replaced by one of another protocol, or its next hops are dead
        if (same != paths.end()) paths.erase(same);
        if (paths.empty()) paths_.erase(at);
        changed_.insert(route.prefix);
        return;
    }
    Path path{route.metric, route.protocol, route.kind, route.hops, round_};
    if (same == paths.end()) {
        paths.insert(std::ranges::upper_bound(paths, route.metric, {}, &Path::metric), path);
    } else {
        if (route.appended)
            for (const KernelHop& hop : same->hops)
                if (std::ranges::find(path.hops, hop) == path.hops.end()) path.hops.push_back(hop);
        const bool equal =
            same->protocol == path.protocol && same->kind == path.kind && same->hops == path.hops;
        *same = std::move(path);
        if (equal) return;
    }
    changed_.insert(route.prefix);
}

void KernelRib::remove(const KernelRoute& route) {
    const auto at = paths_.find(route.prefix);
    if (at == paths_.end()) return;
    const auto path = std::ranges::find(at->second, route.metric, &Path::metric);
    if (path == at->second.end() || path->protocol != route.protocol) return;
    // IPv6: a message may take one next hop of several (net/ipv6/route.c).
    if (!route.prefix.is_v4() && !route.hops.empty() && route.hops.size() < path->hops.size())
        std::erase_if(path->hops, [&](const KernelHop& hop) {
            return std::ranges::any_of(route.hops, [&](const KernelHop& gone) {
                return gone.ifindex == hop.ifindex && gone.gateway == hop.gateway;
            });
        });
    else
        path->hops.clear();
    if (path->hops.empty()) at->second.erase(path);
    if (at->second.empty()) paths_.erase(at);
    changed_.insert(route.prefix);
}

void KernelRib::end_dump() {
    for (auto at = paths_.begin(); at != paths_.end();) {
        const auto old = [&](const Path& path) { return path.round != round_; };
        if (std::erase_if(at->second, old) != 0) changed_.insert(at->first);
        at = at->second.empty() ? paths_.erase(at) : std::next(at);
    }
}

const KernelRib::Path* KernelRib::best(const Prefix& prefix) const {
    const auto at = paths_.find(prefix);
    return at == paths_.end() ? nullptr : &at->second.front();
}

std::vector<Prefix> KernelRib::take_changed(size_t most) {
    std::vector<Prefix> out;
    while (out.size() < most && !changed_.empty())
        out.push_back(changed_.extract(changed_.begin()).value());
    return out;
}

void KernelRib::mark_all() {
    changed_.clear();
    for (const auto& [prefix, paths] : paths_) changed_.insert(changed_.end(), prefix);
}

}  // namespace ravelin::control
