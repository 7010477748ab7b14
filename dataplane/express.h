// SPDX-License-Identifier: Apache-2.0
// Express: plain packets (dataplane/arrivals.h) whose fate follows from their own headers, routes
// and stateless rules. Each stage decides a column at a time (Stage::express), and nothing is
// written into a frame before all have agreed. Whatever a stage is not sure of, and every packet
// behind such a one between the same addresses, goes through the pipeline, which stays the truth:
// frames and counters are those it would make. Tested by doing both (tests/unit/express_test.cc).
// For flows there is the shortcut (dataplane/shortcut.h).
#pragma once
#include <array>
#include <cstdint>

#include "dataplane/arrivals.h"
#include "dataplane/leaving.h"
#include "dataplane/stage.h"

namespace ravelin {

/// What stages decide of arrivals.
struct ExpressBurst : Arrivals {
    /// Packets that leave alike: by one port, with the same MACs.
    struct Way {
        std::array<uint8_t, 12> macs;  ///< as they stand in a frame
        PortId out_port;
        uint64_t packets;
    };

    uint64_t going = 0;    ///< plain, and no stage so far wants the pipeline to see it
    uint64_t dropped = 0;  ///< of those that were going: for `reason`
    uint64_t counted = 0;  ///< `rule` says whose hit it is
    uint64_t routed = 0;   ///< next_hop and out_port say where it goes
    // Decided by stages.
    Column<uint32_t> next_hop;  ///< where routed
    Column<PortId> out_port;    ///< where routed
    Column<uint32_t> rule;      ///< where counted
    Column<DropCode> reason;
    Column<uint32_t> principal;  ///< index() of who pays, where one asks; of kNoPrincipal: nobody
    unsigned way_count = 0;
    Column<Way> ways;  ///< the first way_count; what is in none of them is not sent

    /// To the pipeline.
    void leave(unsigned i) noexcept { going &= ~(uint64_t{1} << i); }
    void drop(unsigned i, DropCode why) noexcept {
        leave(i);
        dropped |= uint64_t{1} << i;
        reason[i] = why;
    }
};

class Pipeline;

/// One worker's.
class Express {
  public:
    /// For who takes something of them before.
    [[nodiscard]] Arrivals& arrivals() noexcept { return burst_; }
    /// Sends or drops those of arrivals() that need no pipeline.
    void take(Pipeline& pipeline, WorkerContext& context) noexcept;

  private:
    [[nodiscard]] bool opens(const WorkerContext& context, unsigned n) noexcept;
    void keep_order() noexcept;
    void charge_all(Account& account) noexcept;
    void charge(uint64_t packets, unsigned first) noexcept;
    [[nodiscard]] uint64_t leaving() const noexcept;
    void send(WorkerContext& context) noexcept;
    void tally(uint64_t which, const WorkerCounters& counters) const noexcept;
    void drop(WorkerContext& context) noexcept;

    ExpressBurst burst_;
    Leaving leaving_;  // frames to send or to free together
    // Of the last call. Live rules that are merged into the tables change but the snapshot.
    const PolicySnapshot* policy_ = nullptr;
    uint64_t generation_ = 0;
    uint32_t epoch_ = 0;
    unsigned pause_ = 0;  // long calls to let pass, as the last try took little
    bool fits_ = false;
};

}  // namespace ravelin
