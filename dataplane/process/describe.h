// SPDX-License-Identifier: Apache-2.0
// Turns what workers record into the words of the control protocol. Control thread only.
#pragma once
#include <string>
#include <vector>

#include "control.pb.h"
#include "dataplane/counters.h"
#include "dataplane/events.h"
#include "dataplane/snapshot.h"
#include "dataplane/stage.h"
#include "pipelines/stages/route_next_hops.h"

namespace ravelin {

/// The policy of `stage` in `snapshot`, or null.
template <typename Policy>
const Policy* policy_of(const PolicySnapshot& snapshot, std::string_view stage) {
    const int index = StageRegistry::get().index(stage);
    for (const auto& step : snapshot.steps)
        if (step.stage == index) return dynamic_cast<const Policy*>(step.policy.get());
    return nullptr;
}

/// Names that the records hold as numbers. Lives for one call.
class Describer {
  public:
    Describer(const PolicySnapshot& policy, const std::vector<CounterSpec>& specs,
              const LearnedRoutes* learned = nullptr)
        : policy_(policy), specs_(specs), learned_(learned) {}

    [[nodiscard]] std::string port(PortId id) const;      ///< name, "local", or empty
    [[nodiscard]] std::string rule(uint32_t slot) const;  ///< name, or empty
    [[nodiscard]] std::string action(uint32_t slot) const;
    /// Whom the packet is charged to; empty where nobody is declared or none was found yet.
    [[nodiscard]] std::string principal(const PacketMeta& meta) const;
    /// What its principal's packets are given to; "-": nothing.
    [[nodiscard]] std::string function(const PacketMeta& meta) const;
    /// The gateway, "on link", or empty for what is not forwarded.
    [[nodiscard]] static std::string via(const NextHop& hop);
    /// The same of the next hop a packet was given; empty if it has none yet.
    [[nodiscard]] std::string via(const PacketMeta& meta) const;
    /// "parse.truncated" of the counter "drop.parse.truncated".
    [[nodiscard]] std::string reason(DropCode code) const;
    [[nodiscard]] static std::string verdict(Verdict v);
    [[nodiscard]] static std::string protocol(const PacketMeta& meta);
    /// "tcp 10.0.0.1:1234 > 192.0.2.7:80 syn".
    [[nodiscard]] static std::string summary(const PacketMeta& meta);

    [[nodiscard]] model::Step step(const TraceRecord& record) const;
    [[nodiscard]] model::TraceEvent trace(const TraceRecord& record) const;
    [[nodiscard]] model::RuleLog log(const RuleLogRecord& record) const;

  private:
    [[nodiscard]] std::string detail(const std::string& stage, const PacketMeta& meta) const;
    const PolicySnapshot& policy_;
    const std::vector<CounterSpec>& specs_;
    const LearnedRoutes* learned_;
};

}  // namespace ravelin
