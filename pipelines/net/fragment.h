// SPDX-License-Identifier: Apache-2.0
// IPv4 fragmentation (RFC 791 section 3.2) of what is too big for a port and may be cut.
#pragma once
#include "dataplane/stage.h"

namespace ravelin {

/// Cuts the frame, whose Ethernet header is written and directly precedes its option-free IPv4
/// header, into pieces of at most `mtu` bytes of IP and sends them. Takes the frame. Returns the
/// pieces sent; 0 if there were no buffers (then nothing left: no part of a packet is of use).
unsigned send_fragments(rte_mbuf* frame, uint32_t l3_total, uint32_t mtu, PortId port,
                        WorkerContext& context) noexcept;

}  // namespace ravelin
