// SPDX-License-Identifier: Apache-2.0
// Counters of the engine itself; those of stages are declared in the stage's file.
#pragma once
#include <vector>

#include "dataplane/counters.h"
#include "dataplane/stage.h"

namespace ravelin {

/// Fixed ids, at the front of every counter segment.
enum EngineCounter : CounterId {
    kNoReason,  ///< id 0 is never a drop reason
    kDropNoOutput,
    kDropStaleHandoff,
    kDropHandoffFull,
    kDropOverload,
    kDropTxFull,
    kDropNoBuffer,
    kDropEmitFull,
    kDropLinkQueueFull,
    kDropLinkPoolFull,
    kDropLinkWithdrawn,
    kDropRxMissed,
    kDropRxNoBuffer,
    kDropRxErrors,
    kDropOverCap,
    kDropOverCpu,
    kDropInvokeQueueFull,  ///< this and the next: by sched::Refusal, in its order
    kDropInvokePoolFull,
    kDropInvokeStaleReference,
    kDropInvokeSuspended,
    kDropInvokeLate,
    kDropInvokeRefused,
    kDropInvokeThinned,
    kDropInvokeWithdrawn,
    kConsumed,
    kEmitted,
    kKernelSent,
    kKernelReceived,
    kKernelRefused,
    kKernelLost,
    kHandedOver,
    kTakenOver,
    kLinkMarked,
    kInvoked,
    kInvokeRuns,
    kInvokeCopies,
    kInvokeLostUs,
    kLoops,
    kBusyNs,
    kIdleNs,
    kSleeps,
    kEventsLost,
    kFlows,
    kFlowsUnproven,
    kFlowsCreated,
    kFlowsExpired,
    kFlowsShed,
    kFlowsRefused,
    kFlowsAdopted,
    kEngineCounters,
};

/// Per port, after the engine's: port.<name>.<what>.
enum PortCounter : CounterId {
    kRxPackets,
    kRxBytes,
    kTxPackets,
    kTxBytes,
    kRxMissed,  ///< this and the next two: by the control thread (port_loss.h)
    kRxNoBuffer,
    kRxErrors,
    kPortCounters,
};

inline CounterId port_counter(PortId port, PortCounter which) {
    return static_cast<CounterId>(kEngineCounters + port * kPortCounters + which);
}

/// Specs of the whole segment: engine, ports by name, then every registered stage.
std::vector<CounterSpec> counter_specs(const std::vector<std::string>& port_names);

}  // namespace ravelin
