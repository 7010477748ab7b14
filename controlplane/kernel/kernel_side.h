// SPDX-License-Identifier: Apache-2.0
// KernelSide: the appliance as the kernel sees it. Mirrors ports into their TAPs and carries the
// routes that the kernel learned (`kernel-routes`) to the data plane.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/kernel/route_feed.h"
#include "controlplane/kernel/route_source.h"
#include "controlplane/kernel/tap_helper.h"

namespace ravelin::control {

class KernelSide {
  public:
    /// Takes what needs privileges: a process beside this one, a socket. Before any thread.
    /// `confined`: that process gives up what it does not need.
    KernelSide(EventLoop& loop, DataplaneLink& link, bool confined);
    ~KernelSide();
    KernelSide(const KernelSide&) = delete;
    KernelSide& operator=(const KernelSide&) = delete;

    /// Another policy is in force, in the data plane too.
    void policy_changed(const config::Node& tree);
    /// The data plane answered hello: it may be a new one.
    void connected();
    void lost() { feed_.restart(); }
    /// The appliance ends for good.
    void release() { helper_.release(); }

    struct State {
        bool learning = false;
        uint64_t in_kernel = 0;     ///< prefixes that are wanted
        uint64_t beyond_limit = 0;  ///< prefixes, paths and next hops left out
        uint64_t resyncs = 0;
        RouteFeed::State feed;
        std::string problem;  ///< empty: none
        std::string sandbox;  ///< of the process that mirrors TAPs: on, partial (why), off (why)
    };
    [[nodiscard]] State state() const;

  private:
    void mirror();
    void mirrored(const TapHelper::Outcome& outcome);
    void learn(const config::Node& tree);
    void push();
    void push_later();

    EventLoop& loop_;
    TapHelper helper_;
    RouteFeed feed_;
    UniqueFd socket_;  // outlives the source
    std::unique_ptr<RouteSource> source_;
    std::vector<TapPort> taps_;
    std::vector<std::string> port_names_;
    RouteFeed::Settings settings_;
    bool mirrored_any_ = false;
    std::string problem_;
    EventLoop::TimerId retry_ = EventLoop::kNoTimer, again_ = EventLoop::kNoTimer;
};

}  // namespace ravelin::control
