// SPDX-License-Identifier: Apache-2.0
// How Shortcut comes to know ways, and forgets them.
#include <algorithm>
#include <cstring>

#include "dataplane/fold.h"
#include "dataplane/shortcut.h"

namespace ravelin {

void Shortcut::learn(const Packet& packet, const PacketMeta& meta, const NextStop& next,
                     WorkerContext& context) noexcept {
    constexpr uint32_t kOdd = PacketMeta::kFragment | PacketMeta::kIpOptions |
                              PacketMeta::kLocalOrigin | PacketMeta::kL2Multicast |
                              PacketMeta::kTunnelled;
    const bool plain = (meta.protocol == net::kTcp || meta.protocol == net::kUdp) &&
                       meta.vlan_tags == 0 && !meta.has(kOdd);
    const bool handed_over = meta.resume != 0;
    const uint8_t* macs = packet.bytes(0, sizeof Way{}.macs);
    // A policy that take() has not met yet is learned from its next packet on.
    if (!repeats_ || !plain || handed_over || macs == nullptr || context.policy->epoch != epoch_)
        return;
    FlowKey key;
    bool swapped = false;
    FlowKey::make(key, meta.source, meta.destination, meta.source_port, meta.destination_port,
                  meta.protocol, 0, swapped);
    Flow* flow = context.flows->find(key, key.hash());
    if (flow == nullptr) return;        // translated: its key has other ends
    if (flow->epoch != epoch_) return;  // of a policy that tracked, which this one does not
    Way way;
    std::memcpy(way.macs.data(), macs, way.macs.size());
    way.entry = {.in_port = meta.in_port, .neighbours = neighbours_};
    way.out_port = meta.out_port;
    way.mtu = next.mtu;
    way.chosen = meta.has(PacketMeta::kChosenHop);
    way.next = next.address;
    const uint16_t at = find_way(way, context);
    taught_ = true;
    FlowWays& ways = flow->ways;
    if (ways.stamp != stamp_) ways = {.stamp = stamp_, .way = {}};
    ways.way[static_cast<uint8_t>(flow->direction(swapped))] = at;
}

bool Shortcut::Way::same(const Way& o) const noexcept {
    return entry.in_port == o.entry.in_port && out_port == o.out_port && mtu == o.mtu &&
           next == o.next && chosen == o.chosen &&
           (!chosen || entry.neighbours == o.entry.neighbours);
}

// 0: there is no room for it.
uint16_t Shortcut::find_way(const Way& wanted, WorkerContext& context) noexcept {
    const uint64_t ports = uint64_t{wanted.entry.in_port} << 16 | wanted.out_port;
    const uint64_t hash = fold(wanted.next.high() ^ flow_hash_secret[0] ^ ports << 32 ^ wanted.mtu,
                               wanted.next.low() ^ flow_hash_secret[1]) +
                          (wanted.chosen ? wanted.entry.neighbours : 0);
    for (unsigned i = 0; i < kProbes; ++i) {
        const auto at = static_cast<uint16_t>(1 + (hash + i) % kWays);
        Way& way = ways_[at];
        if (way.entry.in_port != kNoPort && !way.same(wanted)) continue;
        if (way.entry.in_port == kNoPort) known_.store(known() + 1, std::memory_order_relaxed);
        way = wanted;  // its MACs may be newer
        return at;
    }
    forget(context);
    return 0;
}

// Ways that nobody goes any more cannot be told from others. Seldom, lest more neighbours than
// there is room for have all learned anew for each packet.
void Shortcut::forget(WorkerContext& context) noexcept {
    if (context.now.ms - forgotten_ms_ < kForgetMs) return;
    forgotten_ms_ = context.now.ms;
    std::fill_n(ways_.get(), kWays + 1, Way{});
    known_.store(0, std::memory_order_relaxed);
    begin(context, learned_);
}

}  // namespace ravelin
