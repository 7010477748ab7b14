// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/route_watch.h"

#include "dataplane/neighbour_table.h"
#include "pipelines/stages/neighbour.h"
#include "pipelines/stages/route_learned.h"

namespace ravelin {
namespace {

constexpr uint32_t kRoundMs = 1000;
constexpr unsigned kLookedAtAMs = 16;

void ask(const NextHop& hop, WorkerContext& context) {
    const NeighbourTable& table = *context.neighbours;
    if (!table.link_down(hop.port) && !table.lookup(hop.port, hop.gateway))
        ask_for_neighbour(hop.port, hop.gateway, context);
}

}  // namespace

void GatewayWatch::tick(const NextHops& hops, WorkerContext& context) noexcept {
    const auto configured = hops.watched();
    std::span<const uint32_t> learned;
    if (context.learned != nullptr) learned = context.learned->watched();
    const size_t count = configured.size() + learned.size();
    if (at_ >= count) {
        if (round_ms_ != 0 && context.now.ms - round_ms_ < kRoundMs) return;
        round_ms_ = context.now.ms;
        at_ = 0;
    }
    for (unsigned n = 0; n < kLookedAtAMs && at_ < count; ++n, ++at_)
        if (at_ < configured.size())
            ask(hops[configured[at_]], context);
        else if (context.learned != nullptr)
            ask(*context.learned->hop(learned[at_ - configured.size()]), context);
}

}  // namespace ravelin
