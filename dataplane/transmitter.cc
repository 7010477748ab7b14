// SPDX-License-Identifier: Apache-2.0
#include "dataplane/transmitter.h"

#include <rte_ethdev.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "dataplane/charge.h"
#include "dataplane/engine_counters.h"
#include "dataplane/net/headers.h"
#include "dataplane/paced_ports.h"
#include "dataplane/vxlan.h"

namespace ravelin {
namespace {

/// The frame, or a copy where a driver left less room in front of it; null: no buffer for one.
rte_mbuf* with_headroom(rte_mbuf* frame, unsigned bytes, WorkerContext& context) noexcept {
    if (rte_pktmbuf_headroom(frame) >= bytes) return frame;
    rte_mbuf* copy = rte_pktmbuf_copy(frame, context.pool, 0, UINT32_MAX);
    rte_pktmbuf_free(frame);
    return copy;
}

uint64_t bytes_of(rte_mbuf* const* frames, unsigned n) noexcept {
    uint64_t bytes = 0;
    for (unsigned i = 0; i < n; ++i) bytes += rte_pktmbuf_pkt_len(frames[i]);
    return bytes;
}

}  // namespace

Transmitter::Transmitter(std::vector<TxRoute> routes, WorkerId self)
    : routes_(std::move(routes)), exits_(routes_.size()), queues_(routes_.size()), self_(self) {
    served_.reserve(routes_.size());
    for (size_t port = 0; port < routes_.size(); ++port)
        exits_[port] = {.direct = routes_[port].owner == self && routes_[port].parent == kNoPort,
                        .owner = routes_[port].owner};
}

inline void Transmitter::push(rte_mbuf* frame, PortId port, WorkerContext& context) noexcept {
    if (PacedLink* link = exits_[port].link; link != nullptr)
        return link->enqueue(frame, counted_from_, context);
    Queue& queue = queues_[port];
    if (queue.count == Queue::kCapacity) flush(port, context);
    queue.frames[queue.count++] = frame;
}

void Transmitter::send(rte_mbuf* const* frames, unsigned n, PortId port,
                       WorkerContext& context) noexcept {
    if (!exits_[port].direct) [[unlikely]] {
        for (unsigned i = 0; i < n; ++i) send_elsewhere(frames[i], port, context);
        return;
    }
    Queue& queue = queues_[port];
    while (n != 0) {
        if (queue.count == Queue::kCapacity) flush(port, context);
        const unsigned fit = std::min(n, Queue::kCapacity - queue.count);
        std::copy_n(frames, fit, queue.frames + queue.count);
        queue.count += fit;
        frames += fit;
        n -= fit;
    }
}

// By another worker's queue, by a link, or by a port that has no queue of its own.
void Transmitter::send_elsewhere(rte_mbuf* frame, PortId port, WorkerContext& context) noexcept {
    const TxRoute& route = routes_[port];
    const WorkerId owner = exits_[port].owner;
    if (owner == self_) {
        if (route.tunnel) return send_by_tunnel(frame, port, context);
        return route.parent != kNoPort ? send_tagged(frame, port, context)
                                       : push(frame, port, context);
    }
    PacketMeta meta;
    meta.out_port = port;
    // Counted by this worker, and charged to whom the frame says.
    meta.flags = PacketMeta::kLocalOrigin | PacketMeta::kTunnelled;
    meta.principal = charged_to(*frame);
    context.handoff->send(owner, frame, meta, Handoff::kResumeTransmit);
    context.counters.add(kHandedOver);
}

// Stages make and read frames without tags: all that leaves by a sub-interface gets them here.
void Transmitter::send_tagged(rte_mbuf* frame, PortId port, WorkerContext& context) noexcept {
    constexpr size_t kMacs = 12;
    const TxRoute& route = routes_[port];
    const unsigned length = route.tags.length;
    context.counters.add(port_counter(port, kTxPackets));
    context.counters.add(port_counter(port, kTxBytes), rte_pktmbuf_pkt_len(frame));
    frame = with_headroom(frame, length, context);
    if (frame == nullptr) return context.counters.add(kDropNoBuffer);
    auto* head =
        reinterpret_cast<uint8_t*>(rte_pktmbuf_prepend(frame, static_cast<uint16_t>(length)));
    std::memmove(head, head + length, kMacs);
    std::memcpy(head + kMacs, route.tags.bytes.data(), length);
    push(frame, route.parent, context);
}

// The frame becomes the payload of packets that the box sends to the remote ends.
void Transmitter::send_by_tunnel(rte_mbuf* frame, PortId port, WorkerContext& context) noexcept {
    const auto& ports = context.policy->ports;
    if (port >= ports.size() || !ports[port].vxlan) {  // the policy has lost it since
        rte_pktmbuf_free(frame);
        return context.counters.add(kDropNoOutput);
    }
    const VxlanEnd& end = *ports[port].vxlan;
    context.counters.add(port_counter(port, kTxPackets));
    context.counters.add(port_counter(port, kTxBytes), rte_pktmbuf_pkt_len(frame));
    const auto remotes = end.remotes_of(rte_pktmbuf_mtod(frame, const net::Ethernet*)->destination);
    for (size_t i = 0; i < remotes.size(); ++i) {
        const bool last = i + 1 == remotes.size();
        rte_mbuf* outer = last ? with_headroom(frame, VxlanEnd::kMostInFront, context)
                               : rte_pktmbuf_copy(frame, context.pool, 0, UINT32_MAX);
        if (outer != nullptr && encapsulate(outer, end, remotes[i])) {
            emit(outer, ports[port].parent, context,
                 PacketMeta::kLocalOrigin | PacketMeta::kTunnelled);
            continue;
        }
        rte_pktmbuf_free(outer);
        context.counters.add(kDropNoBuffer);
    }
}

void Transmitter::emit(rte_mbuf* frame, PortId in_port, WorkerContext& context,
                       uint32_t flags) noexcept {
    if (emitted_count_ == kMaxEmitted) {
        rte_pktmbuf_free(frame);
        context.counters.add(kDropEmitFull);
        return;
    }
    emitted_[emitted_count_++] = {frame, in_port, flags};
    if ((flags & PacketMeta::kLocalOrigin) != 0) context.counters.add(kEmitted);
}

void Transmitter::take_emitted(Burst& burst) noexcept {
    const unsigned n = std::min(emitted_count_, Burst::kCapacity);
    for (unsigned i = 0; i < n; ++i) {
        PacketMeta meta;
        meta.flags = emitted_[i].flags;
        meta.in_port = emitted_[i].in_port;
        burst.add(emitted_[i].frame, meta);
    }
    emitted_count_ -= n;
    std::copy_n(emitted_ + n, emitted_count_, emitted_);
}

void Transmitter::follow(WorkerContext& context) noexcept {
    const PacedPorts* paced = context.policy->paced.get();
    const uint64_t serial = paced == nullptr ? 0 : paced->serial;
    if (serial == paced_) [[likely]]
        return;
    paced_ = serial;
    pace(paced, context);
}

void Transmitter::pace(const PacedPorts* paced, WorkerContext& context) noexcept {
    served_.clear();
    for (size_t i = 0; i < routes_.size(); ++i) {
        const auto port = static_cast<PortId>(i);
        const TxRoute& route = routes_[i];
        const PortId carrier = route.parent == kNoPort || route.tunnel ? port : route.parent;
        PacedLink* link = paced == nullptr ? nullptr : paced->link(carrier);
        Exit& exit = exits_[i];
        exit.paced = link != nullptr;
        exit.owner = link == nullptr ? route.owner : routes_[carrier].pacer;
        serve(port, carrier == port && exit.owner == self_ ? link : nullptr, context);
        exit.direct = exit.owner == self_ && route.parent == kNoPort && exit.link == nullptr;
        if (exit.link != nullptr) served_.push_back(port);
    }
}

// The one before may be freed as soon as it is let go.
void Transmitter::serve(PortId port, PacedLink* next, WorkerContext& context) noexcept {
    PacedLink* before = std::exchange(exits_[port].link, next);
    if (before == next) return;
    if (next != nullptr) next->attach();
    if (before == nullptr) return;
    if (next != nullptr)
        next->take_over(*before, context);
    else
        before->withdraw(context);
    before->detach();
}

// The turn's stamp is old where the machine has stalled since: a link that took frames to be on the
// wire as of then would give out as much again, and what its device holds would stay twice as much
// for as long as the port is busy. So it is told when they were handed over. Where the wire was
// idle or takes frames faster than this worker makes them, more may leave then; two rings bound a
// turn.
void Transmitter::send_due(PortId port, WorkerContext& context, Clock clock) noexcept {
    PacedLink& link = *exits_[port].link;
    Queue& queue = queues_[port];
    uint64_t now = context.now.ns, given = 0;
    for (bool more = true; more && given <= 2 * link.ring_bytes();) {
        queue.count = link.dequeue(now, queue.frames);
        if (queue.count == 0) return;
        given += link.given();
        more = queue.count == Queue::kCapacity;
        flush(port, context);
        if (clock == nullptr) continue;
        now = clock().ns;
        more |= link.arrived(now);
    }
}

uint64_t Transmitter::wake_at(uint64_t now_ns) const noexcept {
    uint64_t first = UINT64_MAX;
    for (const PortId port : served_) first = std::min(first, exits_[port].link->wake_at(now_ns));
    return first;
}

void Transmitter::flush(WorkerContext& context, Clock clock) noexcept {
    for (const PortId port : served_) send_due(port, context, clock);
    for (size_t port = 0; port < queues_.size(); ++port)
        if (queues_[port].count != 0) flush(static_cast<PortId>(port), context);
}

void Transmitter::flush(PortId port, WorkerContext& context) noexcept {
    Queue& queue = queues_[port];
    uint64_t bytes = bytes_of(queue.frames, queue.count);  // before the driver may free them
    const TxRoute& route = routes_[port];
    const auto offered = static_cast<uint16_t>(queue.count);
    const uint16_t sent = rte_eth_tx_burst(route.device, route.queue, queue.frames, offered);
    if (sent < offered) {
        bytes -= bytes_of(queue.frames + sent, offered - sent);
        rte_pktmbuf_free_bulk(queue.frames + sent, offered - sent);
        context.counters.add(kDropTxFull, offered - sent);
    }
    context.counters.add(port_counter(port, kTxPackets), sent);
    context.counters.add(port_counter(port, kTxBytes), bytes);
    queue.count = 0;
}

}  // namespace ravelin
