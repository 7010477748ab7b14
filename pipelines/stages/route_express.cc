// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/route_express.h"

#include "dataplane/lanes.h"
#include "pipelines/stages/route_addresses.h"
#include "pipelines/stages/route_learned.h"

namespace ravelin {
namespace {

using Values = ExpressBurst::Column<uint32_t>;

#ifdef RAVELIN_LANES
using namespace lanes;
Which ordinary(Lanes host) noexcept {
    const Lanes network = right(host, 24);
    return at_most(subtract(network, all(1)), all(222)) & differ(network, all(127)) &
           differ(right(host, 16), all(0xa9fe));
}
#endif

// Those whose source is the box's own.
uint64_t forged(const ExpressBurst& b, const OwnAddresses& own) noexcept {
    uint64_t bits = 0;
    for_each_bit(own.may_be(b.source, b.count) & b.all(), [&](unsigned i) {
        const bool is = own.find(IpAddress::v4(b.source[i])) != OwnAddresses::Kind::kNone;
        bits |= uint64_t{is} << i;
    });
    return bits;
}

// RoutePolicy::value_of() of all places.
void take_lengths_out(const Values& values, Values& hops) noexcept {
    for (unsigned i = 0; i < ExpressBurst::kCapacity; ++i)
        hops[i] = RoutePolicy::value_of(values[i]);
}

void prefer_learned(const ExpressBurst& b, Values& values, const LearnedRoutes* learned) noexcept {
    ExpressBurst::Column<IpAddress> addresses;
    ExpressBurst::Column<const IpAddress*> at;
    for (unsigned i = 0; i < b.count; ++i) {
        addresses[i] = IpAddress::v4(b.destination[i]);
        at[i] = &addresses[i];
    }
    for (unsigned done = 0; done < b.count; done += Burst::kCapacity)
        RoutePolicy::prefer_learned(at.data() + done, values.data() + done,
                                    std::min(b.count - done, Burst::kCapacity), learned);
}

// By a next hop that was learned.
bool go_learned(ExpressBurst& b, unsigned i, uint32_t value,
                const LearnedRoutes* learned) noexcept {
    if (!LearnedRoutes::is_value(value) || LearnedRoutes::is_group(value)) return false;
    const NextHop* hop = learned->hop(value);
    if (hop == nullptr || hop->kind != RouteKind::kForward) return false;
    b.next_hop[i] = value;
    b.out_port[i] = hop->port;
    return true;
}

}  // namespace

uint64_t between_ordinary_one_by_one(const ExpressBurst& b) noexcept {
    uint64_t bits = 0;
    for (unsigned i = 0; i < b.count; ++i)
        bits |= uint64_t{ordinary_v4(b.source[i]) && ordinary_v4(b.destination[i]) &&
                         b.source[i] != b.destination[i]}
                << i;
    return bits;
}

uint64_t between_ordinary(const ExpressBurst& b) noexcept {
#ifdef RAVELIN_LANES
    uint64_t bits = 0;
    for (unsigned i = 0; i < b.count; i += kLanes) {
        const Lanes source = load(&b.source[i]), destination = load(&b.destination[i]);
        const Which good = ordinary(source) & ordinary(destination) & differ(source, destination);
        bits |= uint64_t{good} << i;
    }
    return bits & b.all();
#else
    return between_ordinary_one_by_one(b);
#endif
}

void decide_express(ExpressBurst& b, const RoutePolicy& routes,
                    const WorkerContext& context) noexcept {
    b.going &= between_ordinary(b) & ~forged(b, routes.own());
    Values values;
    routes.table().lookup_v4_burst(b.destination.data(), values.data(), b.count);
    const bool learned = context.learned != nullptr && !context.learned->empty();
    if (learned) prefer_learned(b, values, context.learned);
    take_lengths_out(values, b.next_hop);
    uint64_t forwarded = 0;
    const NextHops& hops = routes.next_hops();
    columns::for_each_value(b.next_hop, b.going, [&](unsigned first, uint64_t same) {
        const PortId out = hops.way_out(b.next_hop[first]);
        columns::fill(b.out_port, same, out);
        if (out != kNoPort) forwarded |= same;
        return same;
    });
    if (learned)
        for_each_bit(b.going & ~forwarded, [&](unsigned i) {
            forwarded |= uint64_t{go_learned(b, i, values[i], context.learned)} << i;
        });
    b.going &= b.routed = forwarded;
}

}  // namespace ravelin
