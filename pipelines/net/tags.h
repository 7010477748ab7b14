// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstring>

#include "dataplane/net/headers.h"
#include "dataplane/packet.h"

namespace ravelin::net {

/// Takes a received frame's VLAN tags away. `meta` still has the offsets from before.
inline void strip_tags(rte_mbuf* frame, const PacketMeta& meta) noexcept {
    constexpr size_t kMacs = offsetof(Ethernet, type);
    const auto length = static_cast<uint16_t>(meta.vlan_tags * sizeof(VlanTag));
    if (length == 0) return;
    auto* head = rte_pktmbuf_mtod(frame, uint8_t*);
    std::memmove(head + length, head, kMacs);  // the ethertype stands behind the tags already
    rte_pktmbuf_adj(frame, length);
}

}  // namespace ravelin::net
