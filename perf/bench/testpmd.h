// SPDX-License-Identifier: Apache-2.0
// DPDK's own testpmd over the same tape: the price of the ports where nothing is done to packets.
#pragma once
#include <string>

#include "perf/replay/tape.h"

namespace ravelin::perf {

/// Forwards (io) for `seconds` on the measuring CPU; what it saw stands in the tape. False: there
/// is no testpmd here. Ends the process with its words where it does not run.
bool run_testpmd(Tape& tape, double seconds);

}  // namespace ravelin::perf
