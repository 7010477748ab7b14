// SPDX-License-Identifier: Apache-2.0
// Earliest deadline first in virtual time: what becomes of packets whose reservations were
// admitted. Shares no code with admission, so that neither can hide a fault of the other.
#pragma once
#include <cstdint>
#include <vector>

namespace ravelin::test {

struct VirtualResource {
    bool preemptive = true;
    int64_t wake = 0;  ///< ns from an arrival at the idle resource to its first work
};

/// One stop of a packet.
struct Visit {
    uint32_t resource = 0;
    int64_t service = 0;  ///< ns alone on it
    int64_t due = 0;      ///< ns after the packet's arrival at the first
    int after = -2;       ///< visit that must be over: -1 none, -2 the one before in the list
};

struct VirtualFlow {
    std::vector<Visit> visits;
    std::vector<int64_t> arrivals = {};  ///< ns, ascending
    bool core = false;                   ///< before everybody else; nothing is due
};

struct Fate {
    uint64_t packets = 0;
    uint64_t missed = 0;  ///< packets with a visit over after its time
    int64_t worst = 0;    ///< ns from arrival to the end of the last visit
};

/// To the end of all packets. One fate a flow.
std::vector<Fate> execute(const std::vector<VirtualResource>& resources,
                          const std::vector<VirtualFlow>& flows);

}  // namespace ravelin::test
