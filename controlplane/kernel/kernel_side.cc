// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/kernel_side.h"

#include <algorithm>
#include <chrono>

#include "controlplane/loop/log.h"

namespace ravelin::control {
namespace {

constexpr std::chrono::milliseconds kRetry{200}, kAgain{50};

RouteFilter filter_of(const config::Node& node) {
    RouteFilter filter;
    filter.table = static_cast<uint32_t>(node["table"].as_integer());
    for (const std::string& name : node["protocols"].as_names())
        if (const auto number = protocol_named(name))
            filter.protocols.insert(*number);
        else
            log_warning("kernel-routes: protocols: nobody knows " + name);
    return filter;
}

}  // namespace

KernelSide::KernelSide(EventLoop& loop, DataplaneLink& link, bool confined)
    : loop_(loop), helper_(loop, confined), feed_(link, [this] { push_later(); }) {
    if (confined && helper_.sandbox() != "on")
        log_warning("sandbox of the process that mirrors TAPs: " + helper_.sandbox());
    if (auto socket = RouteSource::open_socket())
        socket_ = std::move(*socket);
    else
        log_warning(socket.error().message);
}

KernelSide::~KernelSide() {
    loop_.cancel(retry_);
    loop_.cancel(again_);
}

void KernelSide::policy_changed(const config::Node& tree) {
    taps_ = taps_of(tree);
    port_names_.clear();
    for (const config::Node& port : tree["ports"].items())
        port_names_.push_back(port["name"].as_text());
    learn(tree);
    mirror();
}

void KernelSide::connected() {
    feed_.restart();
    mirror();
}

void KernelSide::learn(const config::Node& tree) {
    settings_ = {};
    if (!tree.has("kernel-routes")) {
        // A reply under way must not ask a RIB that is gone.
        if (source_ != nullptr) feed_.restart();
        source_.reset();
        return;
    }
    const config::Node& node = tree["kernel-routes"];
    settings_.limit = static_cast<uint64_t>(node["limit"].as_integer());
    if (node.has("stale-time"))
        settings_.stale_ns = static_cast<uint64_t>(node["stale-time"].as_integer());
    RouteFilter filter = filter_of(node);
    if (source_ != nullptr && source_->filter() == filter)
        return source_->set_limit(settings_.limit);
    source_.reset();
    source_ = std::make_unique<RouteSource>(loop_, socket_.get(), std::move(filter),
                                            settings_.limit, [this] { push(); });
    feed_.restart();
    if (const Status started = source_->start(); !started) {
        problem_ = started.error().message;
        log_error(problem_);
        source_.reset();
    }
}

void KernelSide::mirror() {
    loop_.cancel(retry_);
    retry_ = EventLoop::kNoTimer;
    if (!taps_.empty() || mirrored_any_) {
        helper_.sync(taps_, [this](const auto& outcome) { mirrored(outcome); });
    } else {
        feed_.configure(settings_);  // without a TAP there are still routes that lead nowhere
        push();
    }
    mirrored_any_ = !taps_.empty();
}

/// TAPs appear when the data plane boots, which may take longer than its first answer.
void KernelSide::mirrored(const TapHelper::Outcome& outcome) {
    if (outcome.problem != problem_ && !outcome.problem.empty()) log_warning(outcome.problem);
    problem_ = outcome.problem;
    if (!problem_.empty()) retry_ = loop_.after(kRetry, [this] { mirror(); });
    settings_.ports.clear();
    for (const TapPort& tap : taps_)
        if (const auto at = outcome.indexes.find(tap.tap); at != outcome.indexes.end())
            settings_.ports[at->second] = static_cast<uint32_t>(
                std::ranges::find(port_names_, tap.port) - port_names_.begin());
    feed_.configure(settings_);
    push();
}

// The data plane has no policy yet when it says hello: then a little later.
void KernelSide::push() {
    loop_.cancel(again_);
    again_ = EventLoop::kNoTimer;
    if (!feed_.state().synced) push_later();
    if (source_ != nullptr)
        feed_.push(&source_->rib(), source_->complete());
    else
        feed_.push(nullptr, true);
}

void KernelSide::push_later() {
    loop_.cancel(again_);
    again_ = loop_.after(kAgain, [this] { push(); });
}

KernelSide::State KernelSide::state() const {
    State out;
    out.learning = source_ != nullptr;
    if (out.learning) {
        out.in_kernel = source_->rib().size();
        out.beyond_limit = source_->rib().beyond_limit();
        out.resyncs = source_->resyncs();
    }
    out.feed = feed_.state();
    out.problem = problem_;
    out.sandbox = helper_.sandbox();
    return out;
}

}  // namespace ravelin::control
