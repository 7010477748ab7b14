// SPDX-License-Identifier: Apache-2.0
// Holding packets for a MAC, and what is written once it is known.
#include <cstring>

#include "dataplane/charge.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/fragment.h"
#include "pipelines/stages/neighbour.h"
#include "pipelines/stages/neighbour_protocol.h"

namespace ravelin {

uint32_t ask_for_neighbour(PortId port, const IpAddress& address, WorkerContext& context) noexcept {
    NeighbourTable& table = *context.neighbours;
    uint32_t slot = table.find(port, address);
    if (slot != NeighbourTable::kNoSlot) return slot;
    if (table.active().size() >= neighbour_timing::kMaxUnresolved) return NeighbourTable::kNoSlot;
    slot = table.insert(port, address, {}, NeighbourState::kIncomplete, context.now.ms);
    if (slot == NeighbourTable::kNoSlot) return slot;
    table.timer(slot) = {context.now.ms + neighbour_timing::kRetransmit, 1};
    send_request(port, address, nullptr, context);
    return slot;
}

Held hold_for_neighbour(rte_mbuf* frame, const PacketMeta& meta, const IpAddress& next_hop,
                        uint32_t mtu, WorkerContext& context) noexcept {
    NeighbourTable& table = *context.neighbours;
    const uint32_t slot = ask_for_neighbour(meta.out_port, next_hop, context);
    if (slot == NeighbourTable::kNoSlot) return Held::kTooMany;
    if (table.at(slot).state == NeighbourState::kFailed) return Held::kUnreachable;
    // What waits at a resolved entry, which the reader gave up looking for, would wait for good.
    if (table.at(slot).state != NeighbourState::kIncomplete) return Held::kTooMany;
    if (!table.hold(slot, frame)) return Held::kQueueFull;
    *travelling_meta(frame) = meta;
    travelling_meta(frame)->next_hop = mtu;  // its way is decided; the index is of a policy
    return Held::kHeld;
}

bool write_ethernet(rte_mbuf* frame, PacketMeta& meta, const MacAddress& source,
                    const MacAddress& destination) noexcept {
    constexpr uint16_t kHead = sizeof(net::Ethernet);
    if (meta.l3_offset < kHead || meta.l3_offset > rte_pktmbuf_data_len(frame)) return false;
    if (const auto tags = static_cast<uint16_t>(meta.l3_offset - kHead); tags != 0) {
        rte_pktmbuf_adj(frame, tags);
        meta.l3_offset = kHead;
        meta.l4_offset = static_cast<uint16_t>(meta.l4_offset - tags);
        meta.payload_offset = static_cast<uint16_t>(meta.payload_offset - tags);
        meta.inner_offset =
            static_cast<uint16_t>(meta.inner_offset - (meta.inner_offset != 0 ? tags : 0));
    }
    // Short frames come padded to 60 bytes; the padding is not ours to pass on.
    const uint32_t wanted = kHead + meta.l3_total;
    if (rte_pktmbuf_pkt_len(frame) > wanted)
        rte_pktmbuf_trim(frame, static_cast<uint16_t>(rte_pktmbuf_pkt_len(frame) - wanted));
    auto* head = rte_pktmbuf_mtod(frame, net::Ethernet*);
    head->destination = destination;
    head->source = source;
    head->type = be16(meta.has(PacketMeta::kIpv4) ? net::kEtherIpv4 : net::kEtherIpv6);
    return true;
}

void send_held(uint32_t slot, WorkerContext& context) noexcept {
    const NeighbourView to = context.neighbours->at(slot);
    while (rte_mbuf* frame = context.neighbours->release(slot)) {
        PacketMeta meta = *travelling_meta(frame);
        // The policy may have lost the port since.
        if (to.port >= context.policy->ports.size() ||
            !write_ethernet(frame, meta, context.policy->ports[to.port].mac, to.mac)) {
            context.charge_drop(meta);
            rte_pktmbuf_free(frame);
            continue;
        }
        if (meta.l3_total > meta.next_hop)
            send_fragments(frame, meta.l3_total, meta.next_hop, to.port, context, payer_of(meta));
        else
            context.transmit(frame, to.port, payer_of(meta));
    }
}

}  // namespace ravelin
