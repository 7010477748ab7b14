// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/route_feed.h"

#include <chrono>
#include <utility>

#include "controlplane/loop/log.h"

namespace ravelin::control {
namespace {

constexpr std::chrono::milliseconds kTimeout{30'000};

// RouteKind of pipelines/stages/route_next_hops.h.
constexpr uint32_t kForward = 1, kUnreachable = 4, kProhibit = 5, kBlackhole = 6;

uint32_t wire_kind(KernelRouteKind kind) {
    switch (kind) {
        case KernelRouteKind::kBlackhole:
            return kBlackhole;
        case KernelRouteKind::kUnreachable:
            return kUnreachable;
        case KernelRouteKind::kProhibit:
            return kProhibit;
        default:
            return kForward;
    }
}

std::string bytes_of(const IpAddress& a) {
    return {reinterpret_cast<const char*>(a.bytes.data()), a.bytes.size()};
}

}  // namespace

void RouteFeed::configure(Settings settings) {
    if (settings == settings_) return;
    settings_ = std::move(settings);
    restart();
}

void RouteFeed::restart() {
    ++attempt_;
    busy_ = begun_ = false;
    fresh_ = true;
    state_ = {};
    unusable_.clear();
}

void RouteFeed::add(const Prefix& prefix, const KernelRib::Path* path, model::RouteDelta& delta) {
    model::LearnedRoute& out = *delta.add_routes();
    out.set_address(bytes_of(prefix.address));
    out.set_length(prefix.length);
    unusable_.erase(prefix);
    state_.unusable = unusable_.size();
    if (path == nullptr) return;
    out.set_protocol(path->protocol);
    if (path->kind != KernelRouteKind::kForward) {
        out.add_hops()->set_kind(wire_kind(path->kind));
        return;
    }
    for (const KernelHop& hop : path->hops) {
        const auto port = settings_.ports.find(hop.ifindex);
        if (port == settings_.ports.end()) continue;
        model::LearnedHop& to = *out.add_hops();
        to.set_kind(kForward);
        to.set_port(port->second);
        to.set_weight(hop.weight);
        if (hop.gateway) to.set_gateway(bytes_of(*hop.gateway));
    }
    if (!out.hops().empty()) return;  // else gone, as far as the data plane goes
    unusable_.insert(prefix);
    state_.unusable = unusable_.size();
}

void RouteFeed::push(KernelRib* rib, bool complete) {
    rib_ = rib;
    complete_ = complete;
    if (busy_ || !link_.connected() || link_.last_status().generation() == 0) return;
    if (rib != nullptr && rib->lost_track()) restart();
    if (std::exchange(fresh_, false)) {
        if (rib != nullptr) rib->mark_all();
        begun_ = false;
    }
    if (begun_ && state_.synced && (rib == nullptr || !rib->changed())) return;
    if (begun_ && !state_.synced && !complete && (rib == nullptr || !rib->changed())) return;
    model::ToDataplane request;
    model::RouteDelta& delta = *request.mutable_routes();
    delta.set_begin(!std::exchange(begun_, true));
    delta.set_limit(settings_.limit);
    delta.set_stale_ns(settings_.stale_ns);
    if (rib != nullptr)
        for (const Prefix& prefix : rib->take_changed(kBatch))
            add(prefix, rib->best(prefix), delta);
    const bool last = !state_.synced && complete && (rib == nullptr || !rib->changed());
    delta.set_end(last);
    busy_ = true;
    link_.send(std::move(request), kTimeout, [this, attempt = attempt_, last](const auto& reply) {
        answered(attempt, last, reply);
    });
}

void RouteFeed::answered(uint64_t attempt, bool last, const Result<model::Reply>& reply) {
    if (attempt != attempt_) return;
    busy_ = false;
    if (!reply || !reply->error().empty()) {  // no answer, or no connection: all again
        if (reply) log_error(reply->error());
        restart();
        return again_();
    }
    state_.in_dataplane = reply->total();
    state_.refused += reply->refused();
    state_.synced |= last;
    if (last) offer_again();
    push(rib_, complete_);
}

// While all was told, what was about to go still took room. Once: the rest is beyond the limit.
void RouteFeed::offer_again() {
    second_ = !second_ && state_.refused != 0 && state_.in_dataplane < settings_.limit;
    if (second_) restart();
}

}  // namespace ravelin::control
