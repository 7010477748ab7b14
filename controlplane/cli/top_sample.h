// SPDX-License-Identifier: Apache-2.0
// What `ravelin top` shows: two samples of the counters and the rates between them.
#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "controlplane/cli/client.h"

namespace ravelin::cli {

struct PortCounts {
    double rx_packets = 0, rx_bytes = 0, tx_packets = 0, tx_bytes = 0, rx_missed = 0;
};

struct WorkerCounts {
    double busy_ns = 0, idle_ns = 0;
};

struct PrincipalCounts {
    double packets = 0, bytes = 0, cycles = 0, drops = 0, flows = 0;
    double cap = 0;  ///< on the workers' time, 0 to 1 of all of them; 0: none
};

struct Sample {
    double seconds = 0;  ///< monotonic time it was taken
    uint64_t generation = 0, confirm_remaining_ms = 0, uptime_ms = 0;
    uint64_t flows = 0, unproven = 0;
    std::map<std::string, PortCounts> ports;
    std::vector<WorkerCounts> workers;
    std::map<std::string, double> drops;                ///< packets by reason
    std::map<std::string, double> rules;                ///< packets by rule
    std::map<std::string, PrincipalCounts> principals;  ///< empty: not asked for
    double cycles_hz = 1;                               ///< of all workers together
};

/// Asks the control plane.
Sample take_sample(Client& client, bool by_principal = false);

/// A second of one principal; `cycles` is its share of the workers' time, 0 to 1; `flows` those
/// there are.
using PrincipalRates = std::pair<std::string, PrincipalCounts>;

struct Named {
    std::string name;
    double per_second;
};

/// What happened between two samples, a second. Counters that went back (a restart) count from 0.
struct Rates {
    uint64_t generation = 0, confirm_remaining_ms = 0, uptime_ms = 0;
    uint64_t flows = 0, unproven = 0;
    std::map<std::string, PortCounts> ports;
    std::vector<double> busy;  ///< share of each worker's time, 0 to 1
    std::vector<Named> drops;  ///< largest first, zeros left out
    std::vector<Named> rules;
    std::vector<PrincipalRates> principals;  ///< most cycles first
};

Rates rates(const Sample& before, const Sample& now);
Json to_json(const Rates& rates);

}  // namespace ravelin::cli
