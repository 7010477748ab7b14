// SPDX-License-Identifier: Apache-2.0
// The replay port: a DPDK port that plays a tape. Two of them, lan and wan, stand around whatever
// is measured; generator, system and sink are one core's, so nothing crosses between cores and a
// figure repeats to one per cent. A few thousand buffers go round, as those of a NIC's rings do.
//
// A port is DPDK's net_null with other burst functions, since Debian's packages lack the headers a
// driver of one's own is made with. Ours is within these functions: header, lengths and flags of
// each buffer written from its flow, the clock read once a window, one frame in kCheckEvery
// compared byte by byte as it leaves.
#pragma once
#include <cstdint>

#include "perf/replay/tape.h"

namespace ravelin::perf {

inline constexpr unsigned kCheckEvery = 1024;

/// Names of the ports for DPDK; lan, wan.
inline constexpr const char* kReplayNames[2] = {"net_null_lan", "net_null_wan"};

/// Makes both ports. EAL must run, and the tape outlive the ports.
void make_replay_ports(const Tape& tape);
/// DPDK's number of a port.
uint16_t replay_device(unsigned port);
/// Once they are closed, so that others can be made.
void remove_replay_ports();

/// Another tape with as many queues, from its beginning.
void load_replay(const Tape& tape);
/// From the beginning of the tape, as its head now says. What was seen is forgotten.
void rewind_replay();
/// The clock again from here; what was seen is forgotten, the tape goes on where it is.
void forget_replay();
/// Where the tape stands, to come back to.
struct ReplayPosition {
    uint32_t cursor[2] = {}, turn[2] = {};
    uint32_t block = 0, step = 0, lap = 0;
};
ReplayPosition replay_position(unsigned queue = 0);
void return_to(const ReplayPosition& position, unsigned queue = 0);

}  // namespace ravelin::perf
