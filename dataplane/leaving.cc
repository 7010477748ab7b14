// SPDX-License-Identifier: Apache-2.0
#include "dataplane/leaving.h"

#include "dataplane/account.h"
#include "dataplane/charge.h"
#include "dataplane/stage.h"
#include "dataplane/transmitter.h"

namespace ravelin {

void Leaving::send(Kind kind, PortId port, WorkerContext& context) noexcept {
    Transmitter& transmitter = *context.transmitter;
    if (context.account != nullptr) [[unlikely]]
        context.account->leave_by(kind, *this, transmitter.is_paced(port), context);
    if (!transmitter.is_direct(port)) [[unlikely]]
        for (unsigned i = 0; i < count; ++i)
            charge(*frames[i], context.account != nullptr ? payer(i) : sched::kCorePrincipal);
    transmitter.send(frames.data(), count, port, context);
    count = 0;
}

}  // namespace ravelin
