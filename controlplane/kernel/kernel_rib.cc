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
    if (wanted) return add(route);
    const auto at = paths_.find(route.prefix);
    if (at == paths_.end()) return;
    // Replaced by one of another protocol, or its next hops are dead.
    Paths& paths = at->second;
    short_ |= cut_ && paths.size() >= kMaxKernelPaths;
    std::erase_if(paths, [&](const Path& path) { return path.metric == route.metric; });
    if (paths.empty()) paths_.erase(at);
    note(route.prefix);
}

void KernelRib::add(const KernelRoute& route) {
    auto at = paths_.find(route.prefix);
    if (at == paths_.end()) {
        if (paths_.size() >= limit_) {
            refused_ = true;
            ++beyond_;
            return;
        }
        at = paths_.try_emplace(route.prefix).first;
    }
    Paths& paths = at->second;
    const auto same = std::ranges::find(paths, route.metric, &Path::metric);
    if (same == paths.end()) {
        if (insert(paths, path_of(route, nullptr))) note(route.prefix);
        return;
    }
    Path path = path_of(route, &*same);
    const bool equal =
        same->protocol == path.protocol && same->kind == path.kind && same->hops == path.hops;
    *same = std::move(path);
    if (!equal) note(route.prefix);
}

/// The path that `route` makes of the one `before` it with its metric, if there is one.
KernelRib::Path KernelRib::path_of(const KernelRoute& route, const Path* before) {
    Path path{route.metric, route.protocol, route.kind, route.hops, round_};
    if (route.appended && before != nullptr)
        for (const KernelHop& hop : before->hops)
            if (std::ranges::find(path.hops, hop) == path.hops.end()) path.hops.push_back(hop);
    if (path.hops.size() > kMaxKernelHops) {
        path.hops.resize(kMaxKernelHops);
        path.hops.shrink_to_fit();
        cut_ = true;
        ++beyond_;
    }
    return path;
}

/// False: it would be the worst of too many.
bool KernelRib::insert(Paths& paths, Path path) {
    const auto place = std::ranges::upper_bound(paths, path.metric, {}, &Path::metric);
    if (paths.size() < kMaxKernelPaths) {
        paths.insert(place, std::move(path));
        return true;
    }
    cut_ = true;
    ++beyond_;
    if (place == paths.end()) return false;
    const auto at = place - paths.begin();
    paths.pop_back();
    paths.insert(paths.begin() + at, std::move(path));
    return true;
}

void KernelRib::remove(const KernelRoute& route) {
    const auto at = paths_.find(route.prefix);
    if (at == paths_.end()) return;
    const auto path = std::ranges::find(at->second, route.metric, &Path::metric);
    if (path == at->second.end() || path->protocol != route.protocol) return;
    short_ |= cut_ && (at->second.size() >= kMaxKernelPaths || path->hops.size() >= kMaxKernelHops);
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
    note(route.prefix);
}

/// What nobody takes does not grow for ever: prefixes may come and go while no data plane is there.
void KernelRib::note(const Prefix& prefix) {
    if (lost_track_) return;
    const bool gone = !paths_.contains(prefix);
    (gone ? changed_ : gone_).erase(prefix);
    (gone ? gone_ : changed_).insert(prefix);
    if (gone_.size() + changed_.size() <= 2 * limit_) return;
    lost_track_ = true;
    gone_.clear();
    changed_.clear();
}

void KernelRib::set_limit(size_t limit) {
    limit_ = limit;
    while (paths_.size() > limit_) {
        const Prefix last = std::prev(paths_.end())->first;
        paths_.erase(last);
        note(last);
        refused_ = true;
        ++beyond_;
    }
}

void KernelRib::begin_dump() {
    ++round_;
    beyond_ = 0;
    refused_ = cut_ = short_ = false;
}

void KernelRib::end_dump() {
    for (auto at = paths_.begin(); at != paths_.end();) {
        const auto old = [&](const Path& path) { return path.round != round_; };
        const bool changed = std::erase_if(at->second, old) != 0;
        const Prefix prefix = at->first;
        at = at->second.empty() ? paths_.erase(at) : std::next(at);
        if (!changed) continue;
        note(prefix);
        short_ |= cut_;  // it may have taken the place of one that was named
    }
}

const KernelRib::Path* KernelRib::best(const Prefix& prefix) const {
    const auto at = paths_.find(prefix);
    return at == paths_.end() ? nullptr : &at->second.front();
}

std::vector<Prefix> KernelRib::take_changed(size_t most) {
    std::vector<Prefix> out;
    for (std::set<Prefix>* from : {&gone_, &changed_})
        while (out.size() < most && !from->empty())
            out.push_back(from->extract(from->begin()).value());
    return out;
}

void KernelRib::mark_all() {
    gone_.clear();
    changed_.clear();
    lost_track_ = false;
    for (const auto& [prefix, paths] : paths_) changed_.insert(changed_.end(), prefix);
}

}  // namespace ravelin::control
