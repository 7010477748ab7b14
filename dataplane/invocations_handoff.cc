// SPDX-License-Identifier: Apache-2.0
// How packets come to a function that another worker runs: by the ring that all handed over takes.
// Flow and principal stand in their metadata; which function, since when and until when it is
// wanted, stand in fields that nobody reads until the packet has been through it: `next_hop`, for
// rewrite looks its way up again, and the mbuf's hash, which is the NIC's before and of charge()
// behind.
#include <algorithm>

#include "dataplane/engine_counters.h"
#include "dataplane/functions.h"
#include "dataplane/handoff.h"

namespace ravelin {
namespace {

/// In 64 bits: the lower half of when it came, which is no two seconds ago, and how long after that
/// somebody wants it, in 1,024 ns: more than an hour.
struct Times {
    uint64_t came_ns, deadline_ns;

    void write(rte_mbuf& frame) const noexcept {
        const uint64_t left = deadline_ns - std::min(came_ns, deadline_ns);
        frame.hash.fdir.lo = static_cast<uint32_t>(came_ns);
        frame.hash.fdir.hi = kEver;
        if (deadline_ns != sched::kNoDeadline)  // rounded up
            frame.hash.fdir.hi =
                static_cast<uint32_t>(std::min<uint64_t>((left >> kUnit) + 1, kEver - 1));
    }
    /// `now_ns` may be of a turn that began before it came.
    static Times read(const rte_mbuf& frame, uint64_t now_ns) noexcept {
        const auto ago = static_cast<int32_t>(static_cast<uint32_t>(now_ns) - frame.hash.fdir.lo);
        const uint64_t came = now_ns - static_cast<uint64_t>(std::max(ago, 0));
        const uint64_t units = frame.hash.fdir.hi;
        return {came, units == kEver ? sched::kNoDeadline : came + (units << kUnit)};
    }

  private:
    static constexpr unsigned kUnit = 10;
    static constexpr uint32_t kEver = UINT32_MAX;
};

/// Whether they are one invocation.
bool together(rte_mbuf* a, rte_mbuf* b) noexcept {
    const PacketMeta &one = *travelling_meta(a), &other = *travelling_meta(b);
    return one.next_hop == other.next_hop && one.hash == other.hash &&
           one.principal == other.principal && a->hash.fdir.lo == b->hash.fdir.lo &&
           a->hash.fdir.hi == b->hash.fdir.hi;
}

}  // namespace

// A generation is one function's for all times, so the slot need not travel.
void Invocations::hand_over(const FunctionSpec& function, std::span<rte_mbuf* const> frames,
                            uint64_t deadline_ns, uint64_t now_ns,
                            WorkerContext& context) noexcept {
    for (rte_mbuf* frame : frames) {
        PacketMeta& meta = *travelling_meta(frame);
        meta.next_hop = function.ref.generation;
        Times{now_ns, deadline_ns}.write(*frame);
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
    const Times times = Times::read(*frames.front(), context.now.ns);
    for (rte_mbuf* frame : frames) {
        PacketMeta& meta = *travelling_meta(frame);
        meta.resume &= static_cast<uint16_t>(~Handoff::kByFunction);
        meta.next_hop = kLookUpAgain;
    }
    const sched::Refusal refusal = post({.function = function->ref,
                                         .principal = functions.payers[index(like.principal)],
                                         .flow = like.hash,
                                         .deadline_ns = times.deadline_ns,
                                         .came_ns = times.came_ns},
                                        frames, context.now.ns);
    if (refusal != sched::Refusal::kNone) return reason(refusal);
    if (first) context.counters.add(kInvoked, static_cast<unsigned>(frames.size()));
    return kNoReason;
}

}  // namespace ravelin
