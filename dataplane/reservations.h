// SPDX-License-Identifier: Apache-2.0
// The reservations of a configuration: which principal's packets leave which port by when. Whether
// all can be kept is decided by controlplane/compile/promises.h; a PacedLink keeps them.
#pragma once
#include <string>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/result.h"
#include "dataplane/sched/deadline_servers.h"
#include "dataplane/verdict.h"

namespace ravelin {

struct Reservation {
    std::string name, principal;
    PortId port = kNoPort;     ///< with the rate: the one named, or what it stands on
    sched::Contract contract;  ///< wire bytes a packet
    uint64_t frame_bytes = 0;  ///< of a packet, as queues count them
};

/// In their order. Errors: "reservations[2]: out: found ..., expected ...".
Result<std::vector<Reservation>> read_reservations(const config::Node& config);

}  // namespace ravelin
