// SPDX-License-Identifier: Apache-2.0
// Explain: one made packet through the very stages of the worker that would own it, between two of
// its bursts, on copies: nothing changes, nothing is counted, nothing leaves.
#pragma once
#include <string>
#include <vector>

#include "dataplane/events.h"
#include "dataplane/worker.h"

namespace ravelin {

class ExplainCommand final : public Command {
  public:
    /// `counter_count`: size of the counter segment, for a scratch copy.
    ExplainCommand(std::string frame, PortId port, size_t counter_count);
    void run(Worker& worker) noexcept override;

    /// The worker software steering would choose, known after run().
    [[nodiscard]] WorkerId owner() const { return owner_; }
    [[nodiscard]] const PacketMeta& meta() const { return meta_; }
    [[nodiscard]] Verdict verdict() const { return verdict_; }
    [[nodiscard]] DropCode reason() const { return reason_; }
    [[nodiscard]] uint64_t generation() const { return generation_; }
    /// One record per stage, in order.
    [[nodiscard]] const std::vector<TraceRecord>& records() const { return records_; }
    /// False: there was no buffer for the frame, or it is too long.
    [[nodiscard]] bool ran() const { return ran_; }
    void collect();

  private:
    std::string frame_;
    PortId port_;
    std::vector<uint64_t> scratch_;
    std::vector<RuleCounter> scratch_rules_;
    ByteRing events_{1 << 16};
    std::unique_ptr<Burst> burst_ = std::make_unique<Burst>();
    std::vector<TraceRecord> records_;
    PacketMeta meta_;
    Verdict verdict_ = Verdict::kPass;
    DropCode reason_ = 0;
    WorkerId owner_ = 0;
    uint64_t generation_ = 0;
    bool ran_ = false;
};

}  // namespace ravelin
