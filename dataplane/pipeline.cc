// SPDX-License-Identifier: Apache-2.0
#include "dataplane/pipeline.h"

#include "dataplane/account.h"
#include "dataplane/charge.h"
#include "dataplane/engine_counters.h"
#include "dataplane/express.h"
#include "dataplane/free_frames.h"
#include "dataplane/handoff.h"
#include "dataplane/invocations.h"
#include "dataplane/transmitter.h"
#include "dataplane/watch.h"

namespace ravelin {

void Pipeline::run(Burst& burst, WorkerContext& context, size_t first) noexcept {
    const auto& steps = context.policy->steps;
    Account* const account = context.account;
    if (account != nullptr) [[unlikely]]
        account->enter(first == 0 ? Account::kReceive : Account::place_of(first));
    for (size_t i = first; i < steps.size() && burst.count != 0; ++i) {
        const unsigned n = burst.count;
        stages_[steps[i].stage]->process(burst, *steps[i].policy, context);
        if (burst.watched) [[unlikely]]
            record_trace(burst, steps[i].stage, context);
        if (burst.changed && context.dry_run) return;  // one packet, and its story has ended
        if (burst.changed) settle(burst, Account::place_of(i + 1), context);
        if (account != nullptr) [[unlikely]]
            account->lap(Account::place_of(i), n);  // frames freed are of this place too
    }
    if (burst.count != 0) transmit(burst, context);
    burst.watched = false;
}

void Pipeline::express(ExpressBurst& burst, WorkerContext& context) noexcept {
    for (const auto& step : context.policy->steps) {
        stages_[step.stage]->express(burst, *step.policy, context);
        // Who is charged for what is dropped is found out behind the stage that dropped it.
        if (burst.going == 0 && (burst.dropped == 0 || context.account == nullptr)) return;
    }
}

void Pipeline::settle(Burst& burst, unsigned place, WorkerContext& context) noexcept {
    if (context.account != nullptr) [[unlikely]]
        context.account->leave(burst, place);
    rte_mbuf* dead[Burst::kCapacity];
    unsigned dropped = 0, kept = 0, consumed = 0;
    for (unsigned i = 0; i < burst.count; ++i) {
        if (burst.verdicts[i] == Verdict::kDrop) {
            context.counters.add(burst.reasons[i]);
            dead[dropped++] = burst.frames[i];
        } else if (burst.verdicts[i] == Verdict::kConsumed) {
            ++consumed;
        } else {
            if (kept != i) {
                burst.frames[kept] = burst.frames[i];
                burst.meta[kept] = burst.meta[i];
                burst.verdicts[kept] = Verdict::kPass;
            }
            ++kept;
        }
    }
    free_frames(dead, dropped);
    if (consumed != 0) context.counters.add(kConsumed, consumed);
    burst.count = kept;
    burst.changed = false;
}

void Pipeline::transmit(Burst& burst, WorkerContext& context) noexcept {
    const size_t ports = context.policy->ports.size();
    for (unsigned i = 0; i < burst.count; ++i)
        if (burst.meta[i].out_port >= ports) burst.drop(i, kDropNoOutput);
    if (burst.watched) [[unlikely]]
        record_trace(burst, TraceRecord::kLeft, context);
    if (context.dry_run) return;
    Account* const account = context.account;
    const unsigned last = Account::place_of(context.policy->steps.size()), n = burst.count;
    if (burst.changed) settle(burst, last, context);
    if (account != nullptr) [[unlikely]]
        account->send(burst, last + 1);
    for (unsigned i = 0, end = 0; i < burst.count; i = end) {  // runs of one port
        const PortId port = burst.meta[i].out_port;
        while (end < burst.count && burst.meta[end].out_port == port) ++end;
        if (!context.transmitter->is_direct(port)) [[unlikely]]
            for (unsigned j = i; j < end; ++j) charge(*burst.frames[j], payer_of(burst.meta[j]));
        context.transmitter->send(burst.frames + i, end - i, port, context);
    }
    burst.count = 0;
    if (account != nullptr) [[unlikely]]
        account->lap(last, n);
}

void Pipeline::resume(rte_mbuf** frames, unsigned n, WorkerContext& context) noexcept {
    const auto& steps = context.policy->steps;
    unsigned i = 0;
    while (i < n) {
        const uint16_t after = travelling_meta(frames[i])->resume;
        if (Handoff::by_function(after)) [[unlikely]] {
            const unsigned from = i;
            while (i < n && travelling_meta(frames[i])->resume == after) ++i;
            Invocations::arrive({frames + from, i - from}, context);
            continue;
        }
        size_t first = 0;
        while (first < steps.size() && steps[first].stage != after) ++first;
        for (; i < n && travelling_meta(frames[i])->resume == after; ++i) {
            const PacketMeta& meta = *travelling_meta(frames[i]);
            resumed_.add(frames[i], meta);
            const bool gone = after != Handoff::kResumeTransmit && first == steps.size();
            if (gone) resumed_.drop(resumed_.count - 1, kDropStaleHandoff);
        }
        const unsigned last = Account::place_of(steps.size());
        if (context.account != nullptr) [[unlikely]]
            context.account->enter(last);
        if (resumed_.changed) settle(resumed_, last, context);
        if (after == Handoff::kResumeTransmit)
            transmit(resumed_, context);
        else
            run(resumed_, context, first + 1);
    }
}

void Pipeline::tick(WorkerContext& context) noexcept {
    for (const auto& step : context.policy->steps) stages_[step.stage]->tick(*step.policy, context);
}

}  // namespace ravelin
