// SPDX-License-Identifier: Apache-2.0
// Whom a frame that is ready to leave is charged to. It stands in the mbuf's first line, in the
// field that DPDK keeps for its own hierarchical scheduler, since PacketMeta ends with the pipeline
// and the mbuf's private area is a line that nobody has asked for. Only who leaves by a paced port
// is read again; copies of a frame keep it.
#pragma once
#include <rte_mbuf.h>

#include "dataplane/sched/principal_id.h"

namespace ravelin {

inline void charge(rte_mbuf& frame, sched::PrincipalId principal) noexcept {
    frame.hash.sched.queue_id = index(principal);
}
/// Of what charge() has seen; of others anything.
inline sched::PrincipalId charged_to(const rte_mbuf& frame) noexcept {
    return sched::PrincipalId{frame.hash.sched.queue_id};
}

}  // namespace ravelin
