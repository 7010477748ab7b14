// SPDX-License-Identifier: Apache-2.0
// Whom rewrite sends a packet to: its next hop, the MAC of that, and how large it may be.
#pragma once
#include "dataplane/neighbour_table.h"
#include "dataplane/stage.h"
#include "pipelines/stages/route.h"
#include "pipelines/stages/route_learned.h"
#include "pipelines/stages/vxlan_mtu.h"

namespace ravelin::rewrite {

/// The next hop that route has chosen; null where that is gone.
inline const NextHop* next_hop_of(const PacketMeta& meta, const RoutePolicy& routes,
                                  const WorkerContext& context) noexcept {
    const NextHops& hops = routes.next_hops();
    if (meta.next_hop < hops.size()) [[likely]]
        return &hops[meta.next_hop];
    if (meta.next_hop != RoutePolicy::kLookUpAgain)
        return context.learned != nullptr ? context.learned->hop(meta.next_hop) : nullptr;
    const NextHop* found = routes.next_hop(meta, context);
    // What the box sends on a link by choice, not by route; next hop i is the link of port i.
    const bool own = meta.has(PacketMeta::kLocalOrigin) && meta.out_port < hops.size();
    if (own &&
        (found == nullptr || found->kind != RouteKind::kForward || found->port != meta.out_port))
        return &hops[meta.out_port];
    return found;
}

/// What may leave by the hop for this MAC, bytes of L3; `tunnels`: null where there is no stage
/// vxlan.
inline uint32_t mtu_of(const NextHop& hop, const PortPolicy& port, const MacAddress& to,
                       const TunnelMtus* tunnels, const Now& now) noexcept {
    const uint32_t mtu = hop.mtu == 0 ? port.mtu : std::min<uint32_t>(hop.mtu, port.mtu);
    if (!port.vxlan || tunnels == nullptr) [[likely]]
        return mtu;
    return std::min(mtu, tunnels->inner(*port.vxlan, to, now));
}

/// Packets of a burst often leave by one gateway, whose MAC is then looked up once.
class GatewayMac {
  public:
    /// Before each burst: neighbours come and go.
    void forget() noexcept { hop_ = nullptr; }
    /// The MAC to send to; false: it is not known.
    bool resolve(const NextHop& hop, const IpAddress& destination, const NeighbourTable& neighbours,
                 MacAddress& to) noexcept {
        if (&hop == hop_) {
            to = mac_;
            return true;
        }
        if (hop.on_link) return neighbours.lookup(hop.port, destination, to);
        if (!neighbours.lookup(hop.port, hop.gateway, to)) return false;
        hop_ = &hop;
        mac_ = to;
        return true;
    }

  private:
    const NextHop* hop_ = nullptr;
    MacAddress mac_;
};

}  // namespace ravelin::rewrite
