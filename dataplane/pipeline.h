// SPDX-License-Identifier: Apache-2.0
// Pipeline: one worker's stage instances, run over a burst in the order the policy says. After each
// stage the burst is settled: who was dropped is counted and freed, the rest moves up.
#pragma once
#include <memory>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/stage.h"

namespace ravelin {

class Pipeline {
  public:
    explicit Pipeline(std::vector<std::unique_ptr<Stage>> stages) : stages_(std::move(stages)) {}

    /// Runs the steps from `first` on and gives what is left to the transmitter. The burst is
    /// empty afterwards. In a dry run frames are neither sent nor freed; they stay in the burst.
    void run(Burst& burst, WorkerContext& context, size_t first = 0) noexcept;
    /// What the steps decide of plain packets, until none is going any more.
    void express(ExpressBurst& burst, WorkerContext& context) noexcept;
    /// Continues frames another worker handed over, each after its PacketMeta::resume stage.
    /// Empties it.
    void resume(rte_mbuf** frames, unsigned n, WorkerContext& context) noexcept;
    /// Housekeeping of every stage in the policy.
    void tick(WorkerContext& context) noexcept;

  private:
    /// `place`: as far as those that left have come (Account).
    void settle(Burst& burst, unsigned place, WorkerContext& context) noexcept;
    void transmit(Burst& burst, WorkerContext& context) noexcept;
    std::vector<std::unique_ptr<Stage>> stages_;
    Burst resumed_;
};

}  // namespace ravelin
