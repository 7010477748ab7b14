// SPDX-License-Identifier: Apache-2.0
// What a worker has to give to reservations of cycles: as the configuration says, as calibrated, or
// as the time-stamp counter counts.
#pragma once
#include <cstdint>

#include "controlplane/admission/quantities.h"
#include "dataplane/config/node.h"

namespace ravelin::control {

/// Cycles/s. Of a machine that was not calibrated nine tenths of its counter's rate, measured once.
uint64_t worker_cycles(const config::Node& tree);
/// Any worker: flows of a principal may all be of one, so each keeps all. Forwarding goes first; a
/// run in progress is not interrupted.
admission::Resource workers_of(const config::Node& tree);

/// What each worker has promised of its cycles a second, runs' surroundings included.
struct CycleUse {
    uint64_t capacity = 0, reserved = 0;
    uint64_t core = 0;  ///< beside `reserved`: what forwarding and control keep
};
CycleUse cycle_use(const config::Node& tree, const config::Node& live = {});

/// What `ravelin calibrate` found of the slowest worker; 0: nothing. Of the process; any thread.
void set_calibrated_cycles(uint64_t cycles_per_second);

}  // namespace ravelin::control
