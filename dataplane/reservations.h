// SPDX-License-Identifier: Apache-2.0
// The reservations of a configuration, and those made while it runs: which principal's packets have
// had what cycles, and leave which port, by when. Whether all can be kept is decided by
// controlplane/compile/promises.h; a PacedLink and each worker's Invocations keep them.
#pragma once
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/result.h"
#include "dataplane/sched/deadline_servers.h"
#include "dataplane/verdict.h"

namespace ravelin {

struct Reservation {
    std::string name, principal;
    PortId port = kNoPort;  ///< with the rate: the one named, or what it stands on; kNoPort: none
    sched::Contract contract;  ///< wire bytes a packet; no work without a port
    sched::Contract cycles;    ///< of each worker, its flows may be anybody's; no work: none
    uint64_t deadline_ns = 0;  ///< of both together
    uint64_t bytes = 0;        ///< of a packet's IP
    uint64_t frame_bytes = 0;  ///< of a packet, as queues count them
    std::string place;         ///< as errors call it: "reservations[2]", "live reservation calls"
};

/// What each run costs a worker beside the function's own cycles: its turn, two readings of the
/// clock, and the way of a packet through the rest of the pipeline. An estimate, not measured.
inline constexpr uint64_t kAroundRun = 3'000;

/// Cycles a packet of `cpu: 600cyc/pkt`. Error: "cpu: found ..., expected ...".
Result<uint64_t> cycles_of(const std::string& text);

/// How errors call one that was made while it runs: "live reservation NAME".
std::string place_of_live(const config::Node& node);

/// Reads them one by one. No two may have the same name, nor the same principal at a port or of
/// cycles.
class ReservationReader {
  public:
    /// `config` outlives it.
    explicit ReservationReader(const config::Node& config) : config_(&config) {}
    /// `place`: as errors call it.
    Result<Reservation> read(const config::Node& node, const std::string& place);
    /// It may be read again.
    void forget(const Reservation& reservation);

  private:
    static std::vector<PortId> places_of(const Reservation& one);
    Status take(const Reservation& one);
    const config::Node* config_;
    std::set<std::string> names_;
    std::map<std::pair<std::string, PortId>, std::string> taken_;  // the reservation's name
};

/// Those of a configuration in their order, then those of `live`, a list of the same form or
/// nothing. Errors: "reservations[2]: out: found ..., expected ...".
Result<std::vector<Reservation>> read_reservations(const config::Node& config,
                                                   const config::Node& live = {});

}  // namespace ravelin
