// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/route_watch.h"

#include "dataplane/neighbour_table.h"
#include "pipelines/stages/neighbour.h"

namespace ravelin {
namespace {

constexpr uint32_t kRoundMs = 1000;
constexpr unsigned kLookedAtAMs = 16;

}  // namespace

void GatewayWatch::tick(const NextHops& hops, WorkerContext& context) noexcept {
    if (context.now.ms == looked_ms_) return;  // a busy loop turns many times a millisecond
    looked_ms_ = context.now.ms;
    const auto watched = hops.watched();
    if (at_ >= watched.size()) {
        if (round_ms_ != 0 && context.now.ms - round_ms_ < kRoundMs) return;
        round_ms_ = context.now.ms;
        at_ = 0;
    }
    for (unsigned n = 0; n < kLookedAtAMs && at_ < watched.size(); ++n) {
        const NextHop& hop = hops[watched[at_++]];
        const NeighbourTable& table = *context.neighbours;
        if (!table.link_down(hop.port) && !table.lookup(hop.port, hop.gateway))
            ask_for_neighbour(hop.port, hop.gateway, context);
    }
}

}  // namespace ravelin
