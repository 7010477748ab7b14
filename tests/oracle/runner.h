// SPDX-License-Identifier: Apache-2.0
// Runner: one case through Ravelin in this process and through the kernel, packet by packet.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "dataplane/flow.h"
#include "tests/oracle/case.h"
#include "tests/oracle/kernel_side.h"
#include "tests/oracle/outcome.h"

namespace ravelin::oracle {

/// What both sides did with one packet, or with one datagram that came in fragments.
struct Observation {
    size_t index = 0;  ///< of the packet in the case; of a datagram's last fragment
    FrameFacts facts;  ///< of that packet
    Outcome kernel, ravelin;
    std::string drop;                    ///< Ravelin's reasons, joined by '+'
    FlowState before = FlowState::none;  ///< of the packet's flow in Ravelin's table
    bool mangled = false;                ///< both forwarded, but not the same bytes
    bool whole = true;  ///< fragments: all came, none overlapped another but its copy
    [[nodiscard]] bool agree() const { return kernel.same(ravelin) && !mangled; }
};

struct Run {
    std::vector<Observation> observations;
    std::string nft;                  ///< the ruleset
    std::vector<std::string> errors;  ///< of the oracle itself: late packets, strays
};

/// The error says why the case cannot be run at all.
Result<Run> run_case(const Case& c, KernelSide& kernel);

}  // namespace ravelin::oracle
