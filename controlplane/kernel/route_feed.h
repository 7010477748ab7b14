// SPDX-License-Identifier: Apache-2.0
// RouteFeed: carries what changed in a KernelRib to the data plane, some thousands of prefixes a
// message, the next when the last is acknowledged. A prefix that changes again while it waits goes
// once. After either side was gone all is sent again, and what was not named goes.
#pragma once
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>

#include "controlplane/kernel/kernel_rib.h"
#include "controlplane/link/dataplane_link.h"

namespace ravelin::control {

class RouteFeed {
  public:
    static constexpr size_t kBatch = 4096;
    struct State {
        uint64_t in_dataplane = 0;  ///< learned routes it has, as it last said
        uint64_t refused = 0;       ///< those it had no room for, told since the last sync
        uint64_t unusable = 0;      ///< prefixes by an interface that is no TAP of a port
        bool synced = false;
    };

    /// `again`: what was refused or not answered is to be pushed anew, a little later.
    RouteFeed(DataplaneLink& link, std::function<void()> again)
        : link_(link), again_(std::move(again)) {}

    struct Settings {
        std::map<int, uint32_t> ports;  ///< PortId of each TAP by its interface index
        uint64_t limit = 0;             ///< most prefixes
        uint64_t stale_ns = 0;          ///< how long they outlive us; 0: for good
        bool operator==(const Settings&) const = default;
    };
    /// From the policy in force. Where they differ from before, all is sent again.
    void configure(Settings settings);
    /// The data plane knows nothing, or what it knows is doubtful.
    void restart();
    /// Sends what there is, if nothing is under way. `complete`: the RIB is whole. A null RIB is an
    /// empty one: nothing is to be learned.
    void push(KernelRib* rib, bool complete);
    [[nodiscard]] const State& state() const { return state_; }

  private:
    void add(const Prefix& prefix, const KernelRib::Path* path, model::RouteDelta& delta);
    void offer_again();
    void answered(uint64_t attempt, bool last, const Result<model::Reply>& reply);

    DataplaneLink& link_;
    std::function<void()> again_;
    Settings settings_;
    uint64_t attempt_ = 0;
    KernelRib* rib_ = nullptr;
    bool complete_ = false, fresh_ = true, begun_ = false, busy_ = false;
    std::set<Prefix> unusable_;
    bool second_ = false;  // the last sync was begun for those that the one before had no room for
    State state_;
};

}  // namespace ravelin::control
