// SPDX-License-Identifier: Apache-2.0
// What a worker has to give to reservations of cycles: as the configuration says, as calibrated, or
// as the time-stamp counter counts.
#pragma once
#include <cstdint>
#include <vector>

#include "controlplane/admission/quantities.h"
#include "dataplane/any_worker.h"
#include "dataplane/config/node.h"

namespace ravelin::control {

/// Cycles/s. Of a machine that was not calibrated nine tenths of its counter's rate, measured once.
uint64_t worker_cycles(const config::Node& tree);
/// Workers that keep unlike promises: each that functions name, and kAnyWorker for all others,
/// which are alike. Where no function names one there is that alone.
std::vector<WorkerId> kinds_of_workers(const config::Node& tree);
/// One of these: flows of a principal may all be of one worker, so each keeps all that names none.
/// Forwarding goes first; a run in progress is not interrupted; who waits for packets of another
/// may be asleep.
admission::Resource worker_resource(const config::Node& tree, WorkerId worker);

/// What a worker has promised of its cycles a second, runs' surroundings included.
struct CycleUse {
    uint64_t capacity = 0, reserved = 0;
    uint64_t core = 0;  ///< beside `reserved`: what forwarding and control keep
    WorkerId worker = kAnyWorker;
};
/// Of each kind of workers; and of the one that has promised most.
std::vector<CycleUse> cycle_uses(const config::Node& tree, const config::Node& live = {});
CycleUse cycle_use(const config::Node& tree, const config::Node& live = {});

/// What `ravelin calibrate` found of the slowest worker; 0: nothing. Of the process; any thread.
void set_calibrated_cycles(uint64_t cycles_per_second);

}  // namespace ravelin::control
