// SPDX-License-Identifier: Apache-2.0
#include "dataplane/paced_link.h"

#include <algorithm>

#include "dataplane/charge.h"
#include "dataplane/congestion.h"
#include "dataplane/engine_counters.h"
#include "dataplane/idle.h"

namespace ravelin {
namespace {

using sched::LinkScheduler;
using sched::PrincipalId;
using sched::PrincipalTable;
using sched::Refusal;

constexpr uint64_t kNsPerSecond = 1'000'000'000;
// What may be on its way to the wire: four frames, so that it never runs dry between two turns, and
// at high rates, beside the one that is chosen last, what it carries in the time that a worker may
// be kept from its turns. A worker that sleeps between two frames wakes within that time, so a
// backlog loses nothing by it however often it does.
constexpr uint64_t kFramesAhead = 4, kTurnsAhead = kNsPerSecond / kLateToWakeNs;
constexpr uint64_t kMarkedPart = 4, kCapQueueNs = 40'000'000, kCapQueueFrames = 32;
// Who is parked leaves with a burst each time the worker comes by, so a cap is reached only if that
// is what it carries between two turns.
constexpr uint64_t kCapFramesAtOnce = 16, kCapBurstNs = 2 * kLateToWakeNs;
// Of the rate, what the box's own frames may have before everybody else; they are small, and so
// many may wait.
constexpr uint64_t kBoxPart = 20, kBoxWork = 256, kBoxPeriods = 30;

const PrincipalTable& table_of(const std::shared_ptr<const Principals>& principals) {
    static const PrincipalTable nobody = std::move(*PrincipalTable::build({}));
    return principals == nullptr ? nobody : principals->table;
}

bool mark(void* marked, void* frame) noexcept {
    const bool done = mark_congestion(*static_cast<rte_mbuf*>(frame));
    *static_cast<uint64_t*>(marked) += done ? 1 : 0;
    return done;
}

}  // namespace

LinkScheduler::Config config_of(const LinkPlan& plan) {
    LinkScheduler::Config out = kEthernet;
    out.rate = plan.rate / 8;
    out.most_frame = plan.most_frame;
    const uint64_t longest = out.on_wire(plan.most_frame);
    out.ring_bytes = std::max(kFramesAhead * longest, out.rate / kTurnsAhead + longest);
    out.packets = out.queue_packets = plan.frames;
    out.queue_bytes = plan.queue_bytes;
    out.mark_bytes = plan.queue_bytes / kMarkedPart;
    out.cap_burst = kCapFramesAtOnce * longest;
    out.cap_burst_ns = kCapBurstNs;
    // As a port of that rate has if it says nothing.
    out.cap_queue_ns = kCapQueueNs;
    out.cap_queue_least = kCapQueueFrames * plan.most_frame;
    out.drop_stale = false;  // frames have no deadlines of their own, so it releases none
    return out;
}

// At most a quarter of what may wait is set aside for it.
sched::Contract box_contract(const LinkPlan& plan) {
    const uint64_t period = kBoxWork * kBoxPart * 8 * kNsPerSecond / plan.rate;
    const uint64_t periods = std::min<uint64_t>(kBoxPeriods, plan.frames / 4 - 2);
    return {.work = kBoxWork, .period_ns = period, .deadline_ns = periods * period};
}

PacedLink::PacedLink(const LinkPlan& plan, std::shared_ptr<const Principals> principals)
    : plan_(plan),
      principals_(std::move(principals)),
      queues_(table_of(principals_).size(), sched::kCorePrincipal),
      usage_(table_of(principals_).size()),
      scheduler_(table_of(principals_), usage_, config_of(plan), {}, {mark, &marked_}, 0) {
    for (uint32_t i = 0; i < queues_.size(); ++i)
        if (!name(PrincipalId{i}).empty()) queues_[i] = PrincipalId{i};
    for (const Sharer& sharer : plan.sharers) queues_[index(sharer.principal)] = sharer.payer;
    scheduler_.reserve(kBoxFrames, box_contract(plan), 0);
    for (const Promise& promise : plan.promises)
        scheduler_.reserve(promise.principal, promise.contract, 0);
}

const std::string& PacedLink::name(PrincipalId id) const {
    static const std::string nobody;
    const PrincipalTable& table = table_of(principals_);
    return index(id) < table.size() ? table[id].name : nobody;
}

// Another worker may have charged it under another policy.
inline PrincipalId PacedLink::queue_of(PrincipalId id) const noexcept {
    return index(id) < queues_.size() ? queues_[index(id)] : sched::kCorePrincipal;
}

void PacedLink::enqueue(rte_mbuf* frame, sched::CountsFrom from, WorkerContext& context) noexcept {
    marked_ = 0;
    const Refusal refusal =
        scheduler_.enqueue(queue_of(charged_to(*frame)), frame, rte_pktmbuf_pkt_len(frame),
                           context.now.ns, sched::kNoDeadline, from);
    if (marked_ != 0) context.counters.add(kLinkMarked);
    if (refusal != Refusal::kNone) drop(frame, refusal, context);
}

void PacedLink::drop(rte_mbuf* frame, Refusal why, WorkerContext& context) noexcept {
    rte_pktmbuf_free(frame);
    context.counters.add(why == Refusal::kQueueFull ? kDropLinkQueueFull : kDropLinkPoolFull);
}

unsigned PacedLink::dequeue(uint64_t now_ns, std::span<rte_mbuf*> out) noexcept {
    const unsigned n =
        scheduler_.dequeue(now_ns, {reinterpret_cast<void**>(out.data()), out.size()});
    publish();
    return n;
}

void PacedLink::publish() noexcept {
    bytes_.store(scheduler_.waiting_bytes(), std::memory_order_relaxed);
    frames_.store(scheduler_.waiting(), std::memory_order_relaxed);
}

inline bool PacedLink::same(PrincipalId id, const PacedLink& other) const {
    return !name(id).empty() && (principals_ == other.principals_ || name(id) == other.name(id));
}

void PacedLink::take_over(PacedLink& before, WorkerContext& context) noexcept {
    scheduler_.begin_after(before.scheduler_);
    const uint64_t now = context.now.ns;
    for (uint32_t i = 0; i < std::min(queues_.size(), before.queues_.size()); ++i)
        if (same(PrincipalId{i}, before)) scheduler_.go_on(PrincipalId{i}, before.scheduler_, now);
    for (uint32_t i = 0; i < before.scheduler_.principals(); ++i) {
        const PrincipalId id{i}, here = same(id, before) ? id : sched::kCorePrincipal;
        if (before.scheduler_.depth(id) == 0) continue;
        scheduler_.move(before.scheduler_, id, here, now);
        while (void* frame = before.scheduler_.take(id)) {
            usage_.add(here, sched::Use::kRejected);
            drop(static_cast<rte_mbuf*>(frame), Refusal::kPoolFull, context);
        }
    }
    before.publish();
    publish();
}

void PacedLink::withdraw(WorkerContext& context) noexcept {
    context.counters.add(kDropLinkWithdrawn, release_all());
}

unsigned PacedLink::release_all() noexcept {
    const unsigned n = scheduler_.waiting();
    for (uint32_t i = 0; i < scheduler_.principals() && scheduler_.waiting() != 0; ++i)
        while (void* frame = scheduler_.take(PrincipalId{i}))
            rte_pktmbuf_free(static_cast<rte_mbuf*>(frame));
    publish();
    return n;
}

size_t PacedLink::memory_bytes() const noexcept {
    return sizeof *this + queues_.size() * sizeof(PrincipalId) + usage_.memory_bytes() +
           scheduler_.memory_bytes();
}

}  // namespace ravelin
