// SPDX-License-Identifier: Apache-2.0
// Simulation: a worker under a load that does not wait for it. Frames arrive by a clock that moves
// by the TSC cycles that the worker's turns really take, and by nothing else: what making the
// frames costs does not count, and neither does what the machine does meanwhile to others. A port
// has as many slots as a NIC has descriptors; what finds none is lost, as there.
#pragma once
#include <optional>

#include "perf/bench/flood.h"
#include "perf/bench/histogram.h"

namespace ravelin::perf {

/// What arrives, in packets a second of simulated time.
struct Load {
    double established = 0, flood = 0;
};

/// What became of it. Established packets by the port they came in by.
struct Tally {
    uint64_t offered[2] = {}, delivered[2] = {};
    uint64_t flood_offered = 0, flood_taken = 0, flood_delivered = 0;
    uint64_t lost_at_port[2] = {};  ///< of all frames
    uint64_t busy = 0, cycles = 0;  ///< TSC
    uint64_t interrupted = 0;       ///< turns cut to kLongestTurn: the CPU was taken away
    Histogram latency_ns;           ///< of every 16th established packet, from wire to wire
    [[nodiscard]] double delivered_share() const;
    [[nodiscard]] double delivered_share(PortId port) const;
};

class Simulation {
  public:
    /// Turns that take longer than this have been interrupted; TSC cycles.
    static constexpr uint64_t kLongestTurn = 150'000;

    Simulation(Box& box, Replay& established, Flood& flood);
    /// Goes on for `seconds` of simulated time from where it stands.
    Tally run(const Load& load, double seconds);
    /// The same until a millisecond long every established packet got through; the time it took,
    /// or nothing if it is longer than `patience` seconds.
    std::optional<double> recover(const Load& load, double patience);
    /// TSC cycles a flood packet costs when there is nothing else and no end of it: the median of
    /// seven windows of `seconds`, once the box has come to what such a flood leaves of it.
    double cost_of_flood(double seconds);

    /// For Box: the simulated time.
    static Now clock();

  private:
    struct Source {
        double interval = 0, due = 0;  // TSC cycles; interval 0: never
    };
    void arrive(Tally& tally, bool is_flood);
    void deliver(Tally& tally);
    void start(Source& source, double rate);
    uint64_t turn(Tally& tally);
    double window_of_flood(double seconds);

    Box& box_;
    Replay& established_;
    Flood& flood_;
    Source sources_[2];  // established, flood
    rte_mbuf* spare_ = nullptr;
    uint64_t seen_ = 0;
};

}  // namespace ravelin::perf
