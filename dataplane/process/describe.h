// SPDX-License-Identifier: Apache-2.0
// Turns what workers record into the words of the control protocol. Control thread only.
#pragma once
#include <string>
#include <vector>

#include "control.pb.h"
#include "dataplane/counters.h"
#include "dataplane/events.h"
#include "dataplane/snapshot.h"

namespace ravelin {

/// Names that the records hold as numbers. Lives for one call.
class Describer {
  public:
    Describer(const PolicySnapshot& policy, const std::vector<CounterSpec>& specs)
        : policy_(policy), specs_(specs) {}

    [[nodiscard]] std::string port(PortId id) const;       ///< name, "local", or empty
    [[nodiscard]] std::string rule(uint32_t index) const;  ///< name, or empty
    [[nodiscard]] std::string action(uint32_t index) const;
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
};

}  // namespace ravelin
