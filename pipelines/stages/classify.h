// SPDX-License-Identifier: Apache-2.0
// What binds packets to principals where no rule does: prefixes, then ports.
#pragma once
#include "dataplane/snapshot.h"
#include "pipelines/tables/lpm.h"

namespace ravelin::classify {

class ClassifyPolicy final : public StagePolicy {
  public:
    std::shared_ptr<const Principals> principals;  ///< null: none are declared
    Lpm prefixes;

    /// Whom a packet from `source` that came in by `port` is charged to, `core` at last.
    [[nodiscard]] sched::PrincipalId bind(const IpAddress& source, PortId port) const noexcept {
        const uint32_t by_prefix = prefixes.lookup(source);
        return by_prefix != Lpm::kNoRoute ? sched::PrincipalId{by_prefix} : bind(port);
    }
    [[nodiscard]] sched::PrincipalId bind(PortId port) const noexcept {
        const bool bound =
            port < principals->ports.size() && principals->ports[port] != sched::kNoPrincipal;
        return bound ? principals->ports[port] : sched::kCorePrincipal;
    }
    [[nodiscard]] size_t memory_bytes() const override { return prefixes.memory_bytes(); }
};

/// Null where no principals are declared or the stage does not stand in the pipeline.
const ClassifyPolicy* policy_of(const PolicySnapshot& snapshot) noexcept;

}  // namespace ravelin::classify
