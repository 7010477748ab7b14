// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/rewrite_express.h"

#include <cstring>

#include "pipelines/stages/rewrite_next_hop.h"

namespace ravelin::rewrite {

void ExpressWays::find(ExpressBurst& b, const RewritePolicy& policy,
                       const WorkerContext& context) noexcept {
    forget_old(context);
    const uint64_t going = b.going & b.routed;
    b.going = 0;
    columns::for_each_value(b.next_hop, going, [&](unsigned first, uint64_t same) {
        const uint32_t hop = b.next_hop[first];
        const Way* way = &ways_[hop % kWays];
        if (way->next_hop != hop) [[unlikely]]
            way = &way_of(hop, IpAddress::v4(b.destination[first]), policy, context);
        // On a link each packet has its own neighbour.
        const uint64_t of_way = way->next_hop == hop ? same : uint64_t{1} << first;
        const uint64_t fit = columns::at_most(b.length, way->mtu, of_way);
        if (fit != 0) b.ways[b.way_count++] = {way->macs, b.out_port[first], fit};
        b.going |= fit;
        return of_way;
    });
}

// Versions are read before what they are of: a change in between is met with the next burst.
inline void ExpressWays::forget_old(const WorkerContext& context) noexcept {
    const uint32_t learned =
        context.learned_version != nullptr ? context.learned_version->read() : 0;
    const uint32_t neighbours = context.neighbours->version();
    const PolicySnapshot& policy = *context.policy;
    if (policy.generation == generation_ && policy.epoch == epoch_ && learned == learned_ &&
        neighbours == neighbours_) [[likely]]
        return;
    generation_ = policy.generation;
    epoch_ = policy.epoch;
    learned_ = learned;
    neighbours_ = neighbours;
    ways_.fill({});
}

const ExpressWays::Way& ExpressWays::way_of(uint32_t next_hop, const IpAddress& destination,
                                            const RewritePolicy& policy,
                                            const WorkerContext& context) noexcept {
    Way& way = ways_[next_hop % kWays];
    way = {};
    way.next_hop = next_hop;
    PacketMeta meta;
    meta.next_hop = next_hop;
    const NextHop* hop = next_hop_of(meta, *policy.route, context);
    if (hop == nullptr || hop->port >= context.policy->ports.size()) return way;
    if (hop->on_link) way.next_hop = kNone;  // each packet has its own neighbour
    const PortPolicy& port = context.policy->ports[hop->port];
    MacAddress to;
    if (port.vxlan ||
        !context.neighbours->lookup(hop->port, hop->on_link ? destination : hop->gateway, to))
        return way;
    way.mtu = mtu_of(*hop, port, to, nullptr, context.now);
    std::memcpy(way.macs.data(), to.bytes.data(), to.bytes.size());
    std::memcpy(way.macs.data() + to.bytes.size(), port.mac.bytes.data(), port.mac.bytes.size());
    return way;
}

}  // namespace ravelin::rewrite
