// SPDX-License-Identifier: Apache-2.0
// IPv4 fragmentation (RFC 791 section 3.2) of what is too big for a link and may be cut.
#pragma once
#include "dataplane/stage.h"

namespace ravelin {

/// Cuts the frame, whose Ethernet header is written and directly precedes its IPv4 header, into
/// pieces of at most `mtu` bytes of IP and sends them in order. Options go with every piece where
/// their copied flag says so. The payload is not copied where the port takes frames in several
/// buffers: the pieces point into it. Takes the frame. Returns the pieces sent; 0 if there were no
/// buffers or the MTU has no room behind the header (then nothing left: no part of a packet is of
/// use). `principal`: whom they are charged to.
unsigned send_fragments(rte_mbuf* frame, uint32_t l3_total, uint32_t mtu, PortId port,
                        WorkerContext& context,
                        sched::PrincipalId principal = sched::kCorePrincipal) noexcept;

}  // namespace ravelin
