// SPDX-License-Identifier: Apache-2.0
// What the API's methods work with, and where each group of them is registered.
#pragma once
#include "controlplane/api/counter_view.h"
#include "controlplane/api/server.h"
#include "controlplane/api/watch_hub.h"
#include "controlplane/change/change_flow.h"
#include "controlplane/change/policy_store.h"
#include "controlplane/compile/compiler.h"
#include "controlplane/kernel/kernel_side.h"
#include "controlplane/link/dataplane_link.h"
#include "controlplane/live/live_flow.h"
#include "controlplane/log/rule_log.h"
#include "controlplane/loop/event_loop.h"
#include "controlplane/reservations/calibration.h"

namespace ravelin::control {

/// All belong to the daemon and outlive the server.
struct Services {
    EventLoop& loop;
    DataplaneLink& link;
    PolicyStore& store;
    Compiler& compiler;
    ChangeFlow& flow;
    CounterView& counters;
    RuleLog& rule_log;
    WatchHub& watches;
    LiveFlow& live;
    Calibration& calibration;
    uint64_t started_unix_ms = 0;
    std::function<unsigned()> dataplane_restarts;
    const std::string& sandbox;  ///< of this process: on, partial (why), off (why)
    const KernelSide& kernel;
};

/// From params force and session; answers the call itself where they are wrong.
std::optional<Guard> guard_of(Call& call);

/// Fresh status of the data plane, or what hindered it.
void ask_status(Services& services, std::function<void(Result<model::DataplaneStatus>)> then);

/// Why rules and reservations may not change now: a generation awaits `confirm`.
std::optional<Failure> pending(const Services& services);
/// Answers a live change: `said`, an object, with what every live change tells.
LiveFlow::Done answer_live(const CallPtr& call, std::function<Json()> said);

/// A rule with what it has counted since it has its name.
Json counted(const Services& services, const CompiledRule& rule);
Json counted(const Services& services, const CompiledNatRule& rule);

void add_change_methods(Server& server,
                        Services& services);  ///< check diff apply confirm rollback history show
void add_state_methods(
    Server& server, Services& services);  ///< status ports workers counters drops rules wait-ready
void add_lookup_methods(
    Server& server,
    Services& services);  ///< flows delete-flows neighbours routes explain selftest
void add_live_methods(Server& server, Services& services);  ///< set-add set-del set-flush set-list
void add_rule_methods(Server& server, Services& services);  ///< rule-add rule-del rule-list
void add_calibration_methods(Server& server, Services& services);  ///< calibrated calibration
void add_reservation_methods(Server& server, Services& services);  ///< reservations reserve release
void add_watch_methods(Server& server, Services& services);        ///< trace capture

}  // namespace ravelin::control
