// SPDX-License-Identifier: Apache-2.0
// What a value of a route table means for one packet.
#pragma once
#include "pipelines/stages/route.h"
#include "pipelines/stages/route_learned.h"
#include "pipelines/stages/steer.h"

namespace ravelin::route {

// Where steer has not hashed: a packet's pieces take one way, though only the first has ports.
inline void choose_by_flow(const Packet& packet, PacketMeta& meta) {
    meta.flags |= PacketMeta::kChosenHop;
    if (meta.hash != 0) return;
    if (!meta.has(PacketMeta::kFragment)) return set_hash(packet, meta);
    const uint32_t flags = meta.flags;
    meta.flags &= ~uint32_t{PacketMeta::kPorts};
    set_hash(packet, meta);
    meta.flags = flags;  // not the hash of the flow's key
}

/// The next hop that a value of the tables means for a packet, and its index; null: none.
inline const NextHop* resolve(const Packet& packet, PacketMeta& meta, uint32_t value,
                              const RoutePolicy& routes, const WorkerContext& context,
                              uint32_t& index) {
    if (LearnedRoutes::is_value(value)) {
        if (LearnedRoutes::is_group(value)) choose_by_flow(packet, meta);
        index = context.learned->choose(value, meta.hash, context);
        return context.learned->hop(index);
    }
    index = RoutePolicy::value_of(value);
    if (index >= NextHops::kGroup && value < Lpm::kNoRoute) {
        choose_by_flow(packet, meta);
        index = routes.next_hops().choose(index, meta.hash, context);
    }
    return index < routes.next_hops().size() ? &routes.next_hops()[index] : nullptr;
}

}  // namespace ravelin::route
