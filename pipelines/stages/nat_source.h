// SPDX-License-Identifier: Apache-2.0
// Choosing what a new flow is translated to, and whether the choice still stands under another
// policy. On the flow's worker, at its opening: not per packet.
#pragma once
#include "dataplane/flow_table.h"
#include "dataplane/stage.h"
#include "pipelines/stages/nat_policy.h"

namespace ravelin::nat {

enum class Choice : uint8_t {
    kNone,         ///< no rule for it
    kTranslated,   ///< without a choice of port
    kKeptPort,     ///< with the inner port outside
    kChangedPort,  ///< with another one
    kNoPort,       ///< all tried ports of the worker's share have such a flow
    kUnsupported,  ///< its protocol has no ports to tell flows apart by
    kDoubtful,     ///< its destination was translated for a flow that is gone
};

/// Ports looked at, of each address and in all, before an address counts as used up.
inline constexpr unsigned kPortTries = 64, kAddressTries = 4;

/// For the packet that opens a flow, its destination translated already. Fills `out` for the first
/// three after kNone; changes nothing.
Choice choose(const NatPolicy& policy, const PacketMeta& meta, const WorkerContext& context,
              FlowTranslation& out) noexcept;

/// For an accepted packet without a flow: what of its source needs none. kTranslated (one to one),
/// kNone, or kUnsupported.
Choice choose_stateless(const NatPolicy& policy, const PacketMeta& meta,
                        FlowTranslation& out) noexcept;

/// Whether rules would translate the flow so today; `policy` may be null. `translation` is told
/// which.
bool still_holds(const NatPolicy* policy, const Flow& flow, FlowTranslation& translation,
                 const PolicySnapshot& snapshot) noexcept;

}  // namespace ravelin::nat
