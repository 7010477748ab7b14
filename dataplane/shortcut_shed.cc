// SPDX-License-Identifier: Apache-2.0
// Whom the shortcut gives up while more comes than can be done.
#include "dataplane/account.h"
#include "dataplane/engine_counters.h"
#include "dataplane/free_frames.h"
#include "dataplane/shortcut.h"

namespace ravelin {

// Of the first `known`, whose heads are read.
void Shortcut::shed(Arrivals& in, unsigned known, unsigned allowed,
                    WorkerContext& context) noexcept {
    rte_mbuf* given_up[limits::kArrivals];
    unsigned dropped = 0;
    for (unsigned i = 0; i < known; ++i) {
        if ((in.here >> i & 1) == 0) continue;
        const bool of_flow =
            (in.plain >> i & 1) != 0 || heads_[i].bearing == shortcut::Bearing::kFlow;
        const Flow* flow = of_flow ? context.flows->find(key_of(in, i), in.hash[i]) : nullptr;
        if (flow != nullptr && (flow->flags & kFlowProven) != 0) continue;
        if (allowed != 0) {
            --allowed;
            continue;
        }
        given_up[dropped++] = in.frames[i];
        in.here &= ~(uint64_t{1} << i);
    }
    free_frames(given_up, dropped);
    context.counters.add(kDropOverload, dropped);
    if (context.account != nullptr) [[unlikely]]
        context.account->shed(dropped);
}

}  // namespace ravelin
