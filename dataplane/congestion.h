// SPDX-License-Identifier: Apache-2.0
// Congestion marks (RFC 3168) in frames that are ready to leave, with any tags.
#pragma once
#include <rte_mbuf.h>

namespace ravelin {

/// Marks an IP packet whose ends know of marks (ECT) as having met congestion (CE), with the
/// checksum of an IPv4 header. Whether it is marked now, by us or by somebody before; false: it is
/// not, and must be dropped where it cannot stay.
bool mark_congestion(rte_mbuf& frame) noexcept;

}  // namespace ravelin
