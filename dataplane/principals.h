// SPDX-License-Identifier: Apache-2.0
// Principals: whom packets are charged to under one policy, as declared in the configuration, and
// what binds packets to them beside rules. Immutable but for the counts of flows.
#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dataplane/config/node.h"
#include "dataplane/principal_flows.h"
#include "dataplane/sched/principal.h"
#include "dataplane/sched/usage.h"

namespace ravelin {

/// What a cap on memory counts for each flow: its entry and what lies beside it (flow_table.h).
inline constexpr uint64_t kFlowBytes = 200;

struct Principals {
    uint64_t serial = next_serial();  ///< no two that were made have the same; never 0
    sched::PrincipalTable table;
    std::vector<sched::PrincipalId> ports;  ///< by PortId; kNoPrincipal: binds nothing
    struct Bound {
        Prefix prefix;
        sched::PrincipalId principal;
    };
    std::vector<Bound> prefixes;
    std::vector<sched::Rate> rates;  ///< by id; empty: nobody has such a cap
    /// A worker's share of a cap on cpu, told in either unit: an even one.
    struct CpuShare {
        /// Of its time, 2^-24, at most all of it; 0: no cap of its own.
        uint32_t part = 0;
        uint64_t burst = 0;                              ///< cycles that may be owed
        sched::PrincipalId above = sched::kNoPrincipal;  ///< the next one up with a cap
    };
    std::vector<CpuShare> cpu;                    ///< by id; empty: nobody has such a cap
    std::vector<sched::PrincipalId> cpu_counted;  ///< who has one, and all below
    /// By id: its cap on memory is what bounds its flows. Empty: nobody's is.
    std::vector<bool> by_memory;
    PrincipalFlows* flows = nullptr;  ///< the box's; null in a policy that is built for trial
    std::shared_ptr<const config::Node> declared;  ///< `principals` of the configuration

    static uint64_t next_serial() noexcept;
    /// Empty where nobody has the id any more.
    [[nodiscard]] const std::string& name(uint32_t id) const;
};

/// Why a `principal` that nobody has declared, nor one below it, is wrong; null: it may stand.
std::optional<Error> undeclared(const std::string& name, const config::Node& principals);

/// Those that `config` declares; null: none. Names of `previous`, which may be null, keep their
/// ids; where nothing has changed it is returned itself. Errors: "principals[1]: prefixes: ...",
/// "ports[0]: principal: ...".
Result<std::shared_ptr<const Principals>> read_principals(
    const std::shared_ptr<const config::Node>& config,
    const std::shared_ptr<const Principals>& previous, PrincipalFlows* flows);

}  // namespace ravelin
