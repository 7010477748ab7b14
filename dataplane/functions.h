// SPDX-License-Identifier: Apache-2.0
// The functions that a policy declares, whose packets they are given, and what waits for them on
// each worker. Policies that say the same share them.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/invocations.h"
#include "dataplane/packet_function.h"
#include "dataplane/port_policies.h"

namespace ravelin {

struct Functions {
    uint64_t serial = 0;                           ///< no two have the same; never 0
    std::shared_ptr<const config::Node> config;    ///< what of it they are made of
    std::shared_ptr<const config::Node> live;      ///< reservations made since; null: none
    std::vector<CyclePromise> promises;            ///< all of them, by principal
    std::shared_ptr<const Principals> principals;  ///< whom they are called by
    std::vector<FunctionSpec> list;                ///< as declared
    std::vector<uint16_t> by_principal;            ///< index into `list`; kNone: no function
    /// By principal whose cycles it uses: its own id, or who has reserved those that it shares.
    std::vector<sched::PrincipalId> payers;
    std::vector<std::shared_ptr<Invocations>> workers;  ///< empty: a policy that is built for trial

    static constexpr uint16_t kNone = UINT16_MAX;
    /// What the principal's packets are given to; null: nothing.
    [[nodiscard]] const FunctionSpec* of(sched::PrincipalId id) const noexcept {
        const uint16_t at = index(id) < by_principal.size() ? by_principal[index(id)] : kNone;
        return at == kNone ? nullptr : &list[at];
    }
    /// What gets the packets that it passes; null: nothing. Control thread.
    [[nodiscard]] const FunctionSpec* behind(const FunctionSpec& function) const {
        const auto next = std::ranges::find(list, function.next, &FunctionSpec::ref);
        return next == list.end() ? nullptr : &*next;
    }
};

/// Keeps invocations until their worker has let them go, whatever became of the policies that made
/// them; and gives references. Control thread.
class InvocationKeeper {
  public:
    [[nodiscard]] uint64_t next_serial() { return ++serial_; }
    std::shared_ptr<Invocations> make(InvocationPlan plan);
    /// The workers are gone: frees all frames, before their pools go.
    void release_all();
    /// References for `list`: of a function that `previous` (null: nothing) declares alike, the
    /// same; else one that nothing ever had.
    void name(std::vector<FunctionSpec>& list, const Functions* previous);

  private:
    uint64_t serial_ = 0;
    uint32_t generation_ = 0;
    std::vector<std::shared_ptr<Invocations>> kept_;
};

/// What `config` declares; null: none. Where nothing has changed that of `previous`, which may be
/// null, is returned itself. Errors: "functions[1]: next: found ..., expected ...".
Result<std::shared_ptr<const Functions>> read_functions(
    const config::Node& config, const PortFacts& facts, const PolicySnapshot& snapshot,
    const std::shared_ptr<const Functions>& previous);

/// As `policy` has it, but for its live reservations, which are those of `live`, a list.
Result<std::shared_ptr<const Functions>> functions_with_live(const PolicySnapshot& policy,
                                                             const PortFacts& facts,
                                                             const config::Node& live);

/// The worker's invocations are those of context.policy from here on, what waits goes over to them.
/// Their serial; 0: none.
uint64_t follow_functions(WorkerContext& context) noexcept;

}  // namespace ravelin
