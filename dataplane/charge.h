// SPDX-License-Identifier: Apache-2.0
// Whom a frame that is ready to leave is charged to. It stands in the mbuf's first line, in the
// field that DPDK keeps for its own hierarchical scheduler, since PacketMeta ends with the pipeline
// and the mbuf's private area is a line that nobody has asked for. Only who leaves by a paced port
// is read again; copies of a frame keep it.
#pragma once
#include <rte_mbuf.h>

#include "dataplane/packet.h"

namespace ravelin {

/// The box's own: ARP, ICMP errors, what the kernel sends. A queue of its own at each paced port,
/// so that no bulk of nobody's keeps a neighbour or a routing daemon waiting. Nobody else queues
/// there.
inline constexpr sched::PrincipalId kBoxFrames = sched::kIdlePrincipal;

/// Whom a frame that has been through the pipeline is charged to on its way out. What is around a
/// tunnelled packet is that packet's.
inline sched::PrincipalId payer_of(const PacketMeta& meta) noexcept {
    const bool own = meta.has(PacketMeta::kLocalOrigin) && !meta.has(PacketMeta::kTunnelled);
    return own ? kBoxFrames : meta.principal;
}

inline void charge(rte_mbuf& frame, sched::PrincipalId principal) noexcept {
    frame.hash.sched.queue_id = index(principal);
}
/// Of what charge() has seen; of others anything.
inline sched::PrincipalId charged_to(const rte_mbuf& frame) noexcept {
    return sched::PrincipalId{frame.hash.sched.queue_id};
}

}  // namespace ravelin
