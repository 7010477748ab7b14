// SPDX-License-Identifier: Apache-2.0
// Plays a tape into an interface of the kernel, for what cannot take a port of ours.
#pragma once
#include <string>

#include "perf/replay/tape.h"

namespace ravelin::perf {

struct Sent {
    uint64_t packets = 0, refused = 0;  ///< refused: by a full queue, not sent again
    double seconds = 0;
};

/// What lan sends, to `mac`, as fast as it goes, past the queueing discipline. The tape is kOneWay.
/// Ends the process with the reason if it cannot.
Sent send_to_wire(const Tape& tape, const std::string& interface, const MacAddress& mac,
                  double seconds);

}  // namespace ravelin::perf
