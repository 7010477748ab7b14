// SPDX-License-Identifier: Apache-2.0
// How packets come to a function that another worker runs: by the ring that all handed over takes.
// Flow and principal stand in their metadata; which function, and until when it is wanted, stand in
// fields that nobody reads until the packet has been through it: `next_hop`, for rewrite looks its
// way up again, and the mbuf's hash, which is the NIC's before and of charge() behind.
#include <algorithm>

#include "dataplane/engine_counters.h"
#include "dataplane/functions.h"
#include "dataplane/handoff.h"

namespace ravelin {
namespace {

constexpr unsigned kWord = 32;

void write_deadline(rte_mbuf& frame, uint64_t ns) noexcept {
    frame.hash.fdir.lo = static_cast<uint32_t>(ns);
    frame.hash.fdir.hi = static_cast<uint32_t>(ns >> kWord);
}

uint64_t deadline_of(const rte_mbuf& frame) noexcept {
    return uint64_t{frame.hash.fdir.hi} << kWord | frame.hash.fdir.lo;
}

/// Whether they are one invocation.
bool together(rte_mbuf* a, rte_mbuf* b) noexcept {
    const PacketMeta &one = *travelling_meta(a), &other = *travelling_meta(b);
    return one.next_hop == other.next_hop && one.hash == other.hash &&
           one.principal == other.principal && deadline_of(*a) == deadline_of(*b);
}

}  // namespace

// A generation is one function's for all times, so the slot need not travel.
void Invocations::hand_over(const FunctionSpec& function, std::span<rte_mbuf* const> frames,
                            uint64_t deadline_ns, WorkerContext& context) noexcept {
    for (rte_mbuf* frame : frames) {
        PacketMeta& meta = *travelling_meta(frame);
        meta.next_hop = function.ref.generation;
        write_deadline(*frame, deadline_ns);
        context.handoff->send(function.worker, frame, meta, meta.resume | Handoff::kByFunction);
    }
    context.counters.add(kHandedOver, static_cast<unsigned>(frames.size()));
}

void Invocations::arrive(std::span<rte_mbuf* const> frames, WorkerContext& context) noexcept {
    for (size_t i = 0, end = 0; i < frames.size(); i = end) {
        for (end = i + 1; end < frames.size() && together(frames[i], frames[end]);) ++end;
        const auto some = frames.subspan(i, end - i);
        const DropCode why = context.invocations == nullptr
                                 ? DropCode{kDropInvokeWithdrawn}
                                 : context.invocations->take_in(some, context);
        if (why == kNoReason) continue;
        for (rte_mbuf* frame : some) drop(frame, why, context);
    }
}

// Wherever it was sent from under another policy, a function that is known here runs here.
DropCode Invocations::take_in(std::span<rte_mbuf* const> frames, WorkerContext& context) noexcept {
    const PacketMeta& like = *travelling_meta(frames.front());
    const auto function = std::ranges::find_if(
        functions_, [&](const FunctionSpec& spec) { return spec.ref.generation == like.next_hop; });
    if (function == functions_.end()) return kDropInvokeStaleReference;
    const Functions& functions = *context.policy->functions;
    if (index(like.principal) >= functions.payers.size() ||
        principals_->name(index(like.principal)).empty())
        return kDropInvokeWithdrawn;
    const bool first = functions.of(like.principal) == nullptr ||
                       functions.of(like.principal)->ref == function->ref;
    const uint64_t deadline_ns = deadline_of(*frames.front());
    for (rte_mbuf* frame : frames) {
        PacketMeta& meta = *travelling_meta(frame);
        meta.resume &= static_cast<uint16_t>(~Handoff::kByFunction);
        meta.next_hop = kLookUpAgain;
    }
    const sched::Refusal refusal = post(*function, functions.payers[index(like.principal)],
                                        like.hash, frames, deadline_ns, context.now.ns);
    if (refusal != sched::Refusal::kNone) return reason(refusal);
    if (first) context.counters.add(kInvoked, static_cast<unsigned>(frames.size()));
    return kNoReason;
}

}  // namespace ravelin
