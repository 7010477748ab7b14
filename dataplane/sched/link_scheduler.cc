// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/link_scheduler.h"

#include <algorithm>

namespace ravelin::sched {
namespace {

constexpr uint64_t kMarkedPart = 4, kMostBytes = UINT32_MAX, kSecond = 1'000'000'000;

}  // namespace

LinkScheduler::LinkScheduler(const PrincipalTable& principals, Usage& usage, const Config& config,
                             Release release, Marker marker, uint64_t now_ns)
    : config_(config),
      usage_(usage),
      release_(release),
      marker_(marker),
      wire_(config.rate, 0),
      servers_(principals.size()),
      shares_(principals,
              {.most_cost = config.most_frame + config.overhead,
               .cap_burst = config.cap_burst,
               .cap_burst_ns = config.cap_burst_ns,
               .cap_divisor = config.ports,
               .cap = &PrincipalCaps::bytes_per_s},
              now_ns),
      pool_(config.packets),
      queues_(principals.size()) {
    const uint64_t longest = config.most_frame + config.overhead;
    slack_ns_ = wire_.cost_ns(config.ring_bytes - std::min(config.ring_bytes, longest));
    bound_queues(principals);
}

// A long queue behind a low cap would be delay and nothing else.
void LinkScheduler::bound_queues(const PrincipalTable& principals) noexcept {
    for (uint32_t i = 0; i < queues_.size(); ++i) {
        uint64_t most = std::min(config_.queue_bytes, kMostBytes);
        for (PrincipalId at{i}; at != kNoPrincipal && config_.cap_queue_ns != 0;
             at = principals[at].parent)
            if (const Wide cap = principals[at].caps.bytes_per_s; cap != 0)
                most = std::min(
                    most, std::max(static_cast<uint64_t>(cap * config_.cap_queue_ns / kSecond),
                                   config_.cap_queue_least));
        queues_[i].most = static_cast<uint32_t>(most);
    }
}

inline Refusal LinkScheduler::admits(PrincipalId id, uint32_t bytes) const noexcept {
    const Queue& queue = queues_[index(id)];
    // An empty queue takes whatever is to be sent.
    if (queue.count >= config_.queue_packets ||
        (queue.count != 0 && queue.bytes + bytes > queue.most))
        return Refusal::kQueueFull;
    if (queue.kept_free() != 0 && pool_.has_room(0, true)) return Refusal::kNone;
    return pool_.has_room(queue.count + aside_, false) ? Refusal::kNone : Refusal::kPoolFull;
}

Refusal LinkScheduler::enqueue(PrincipalId id, void* frame, uint32_t bytes, uint64_t now,
                               uint64_t deadline_ns, CountsFrom from) noexcept {
    if (index(id) >= queues_.size()) return Refusal::kUnknownPrincipal;
    if (const Refusal refusal = admits(id, bytes); refusal != Refusal::kNone) {
        usage_.add(id, Use::kRejected);
        return refusal;
    }
    const Queue& queue = queues_[index(id)];
    if (config_.mark_bytes != 0 && is_long(queue) && marker_.call != nullptr &&
        marker_.call(marker_.context, frame))
        usage_.add(id, Use::kMarked);
    const uint64_t arrival = std::min(now, from.ns);
    const bool late = arrival < now && now - arrival > servers_.contract(id).deadline_ns;
    if ((late || from.due_ns < arrival) && deadline_ns == kNoDeadline)
        deadline_ns = kHeldUp | (late ? kLateAlready : 0) | std::min(from.due_ns, arrival);
    push(id,
         {.frame = frame,
          .arrival_ns = arrival,
          .deadline_ns = deadline_ns,
          .bytes = bytes,
          .next = 0},
         now);
    return Refusal::kNone;
}

// The shorter the queue may be, the earlier it is long.
inline bool LinkScheduler::is_long(const Queue& queue) const noexcept {
    const uint64_t bytes = queue.bytes;
    return bytes >= config_.mark_bytes ||
           (queue.most < config_.queue_bytes && bytes >= queue.most / kMarkedPart);
}

inline void LinkScheduler::push(PrincipalId id, const Queued& queued, uint64_t now) noexcept {
    Queue& queue = queues_[index(id)];
    aside_ -= queue.kept_free() != 0 ? 1 : 0;
    Queued& node = pool_.push(queue);
    node.frame = queued.frame;
    node.arrival_ns = queued.arrival_ns;
    node.deadline_ns = queued.deadline_ns;
    node.bytes = queued.bytes;
    queue.bytes += queued.bytes;
    bytes_ += queued.bytes;
    if (queue.count != 1) return;
    shares_.activate(id, now);
    if (servers_.admitted(id)) arm(id, now);
}

bool LinkScheduler::has_room(uint64_t now) const noexcept {
    const uint64_t busy = wire_.busy_until();
    return busy <= now || busy - now <= slack_ns_;
}

unsigned LinkScheduler::dequeue(uint64_t now, std::span<void*> out) noexcept {
    unsigned n = 0;
    drops_left_ = kDropsATurn;
    given_ = 0;
    while (n < out.size() && waiting() != 0 && has_room(now)) {
        void* frame = send_next(now);
        if (frame == nullptr) break;
        out[n++] = frame;
    }
    return n;
}

void* LinkScheduler::send_next(uint64_t now) noexcept {
    while (drops_left_ != 0) {
        const auto turn = servers_.earliest(now);
        if (turn.principal == kNoPrincipal) break;
        const unsigned drops = drops_left_;
        if (!servable(turn.principal, now)) continue;
        if (drops == drops_left_) return send_reserved(turn, now);
        arm(turn.principal, now);  // it was armed for what is gone
    }
    while (drops_left_ != 0) {
        const PrincipalId id = shares_.pick(now);
        if (id == kNoPrincipal) return nullptr;
        if (servable(id, now)) return send_shared(id, now);
        shares_.charge(0, now);
    }
    return nullptr;
}

// Whether there is a frame worth sending; those that are not are dropped here.
bool LinkScheduler::servable(PrincipalId id, uint64_t now) noexcept {
    const Queue& queue = queues_[index(id)];
    while (!queue.empty()) {
        const Queued& head = pool_.head(queue);
        if (head.deadline_ns >= now || !config_.drop_stale) return true;
        if (drops_left_ == 0) return false;
        --drops_left_;
        release_(&head.frame, 1, id, Refusal::kStale);
        usage_.add(id, Use::kDrops);
        usage_.add(id, Use::kStale);
        pop(id);
    }
    servers_.disarm(id);
    shares_.deactivate(id);
    return false;
}

void* LinkScheduler::send_reserved(const DeadlineServers::Turn& turn, uint64_t now) noexcept {
    const PrincipalId id = turn.principal;
    const Queue& queue = queues_[index(id)];
    const uint64_t cost = on_wire(pool_.head(queue));
    const bool late = pool_.head(queue).late_already();
    void* frame = send(id, now);
    usage_.add(id, Use::kReserved);
    if (wire_.busy_until() > turn.deadline_ns && !late) usage_.add(id, Use::kMisses);
    const uint64_t left = servers_.spend(id, cost);
    shares_.charge_caps(id, cost, now);
    if (queue.empty())
        shares_.deactivate(id);
    else if (left >= on_wire(pool_.head(queue)))
        servers_.keep(id);
    else
        arm(id, now);
    return frame;
}

void* LinkScheduler::send_shared(PrincipalId id, uint64_t now) noexcept {
    const Queue& queue = queues_[index(id)];
    const uint64_t cost = on_wire(pool_.head(queue));
    void* frame = send(id, now);
    if (queue.empty()) shares_.deactivate(id);
    shares_.charge(cost, now);
    if (queue.empty())
        servers_.disarm(id);
    else if (servers_.admitted(id))
        arm(id, now);
    return frame;
}

void* LinkScheduler::send(PrincipalId id, uint64_t now) noexcept {
    const Queued& head = pool_.head(queues_[index(id)]);
    void* frame = head.frame;
    wire_.take(now, on_wire(head));
    given_ += on_wire(head);
    usage_.add(id, Use::kBytes, head.bytes);
    usage_.add(id, Use::kPackets);
    usage_.add(id, Use::kQueueNs, now - head.arrival_ns);
    pop(id);
    return frame;
}

void LinkScheduler::pop(PrincipalId id) noexcept {
    Queue& queue = queues_[index(id)];
    const uint32_t bytes = pool_.head(queue).bytes;
    queue.bytes -= bytes;
    bytes_ -= bytes;
    pool_.pop(queue);
    aside_ += queue.kept_free() != 0 ? 1 : 0;
}

void* LinkScheduler::take(PrincipalId id) noexcept {
    const Queue& queue = queues_[index(id)];
    if (queue.empty()) return nullptr;
    void* frame = pool_.head(queue).frame;
    pop(id);
    if (queue.empty()) {
        servers_.disarm(id);
        shares_.deactivate(id);
    }
    return frame;
}

void LinkScheduler::go_on(PrincipalId id, const LinkScheduler& before, uint64_t now) noexcept {
    if (servers_.admitted(id)) servers_.go_on(id, before.servers_, now);
    shares_.go_on(id, before.shares_);
    if (before.usage_.get(id, Use::kPackets) + before.usage_.get(id, Use::kRejected) == 0) return;
    for (size_t i = 0; i < static_cast<size_t>(Use::kCount); ++i) {
        const auto use = static_cast<Use>(i);
        usage_.add(id, use, before.usage_.get(id, use) - usage_.get(id, use));
    }
}

void LinkScheduler::move(LinkScheduler& before, PrincipalId from, PrincipalId to,
                         uint64_t now) noexcept {
    const Queue &there = before.queues_[index(from)], &here = queues_[index(to)];
    while (!there.empty()) {
        const bool own = here.kept_free() != 0;
        if (!pool_.has_room(own ? 0 : aside_, own)) return;
        push(to, before.pool_.head(there), now);
        (void)before.take(from);
    }
}

void LinkScheduler::arm(PrincipalId id, uint64_t now) noexcept {
    const Queued& head = pool_.head(queues_[index(id)]);
    const uint64_t reserved = servers_.contract(id).work;
    servers_.arm(id, head.arrival_ns, (on_wire(head) + reserved - 1) / reserved, now,
                 head.due_ns());
}

void LinkScheduler::reserve(PrincipalId id, const Contract& contract, uint64_t now) noexcept {
    servers_.set(id, contract, now);
    Queue& queue = queues_[index(id)];
    aside_ -= queue.kept_free();
    queue.own = packets_waiting(contract);
    const uint64_t own_bytes = std::min(queue.own * contract.work, config_.queue_bytes);
    queue.most = std::max(queue.most, static_cast<uint32_t>(std::min(own_bytes, kMostBytes)));
    aside_ += queue.kept_free();
    if (contract.work != 0 && !queue.empty()) arm(id, now);
}

size_t LinkScheduler::memory_bytes() const noexcept {
    return servers_.memory_bytes() + shares_.memory_bytes() + pool_.memory_bytes() +
           queues_.size() * sizeof(Queue);
}

uint64_t LinkScheduler::wake_at(uint64_t now) const noexcept {
    if (waiting() == 0) return UINT64_MAX;
    const uint64_t busy = wire_.busy_until();
    const uint64_t room = has_room(now) ? now : busy - slack_ns_;
    const bool ready = servers_.anything_ready() || shares_.anything_queued();
    return std::max(room, ready ? now : std::min(servers_.next_ns(), shares_.next_ns()));
}

}  // namespace ravelin::sched
