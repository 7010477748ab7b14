// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/steer_fragments.h"

#include <algorithm>

#include "dataplane/flow.h"

namespace ravelin {
namespace {

constexpr unsigned kBuckets = FragmentTable::kDatagrams;

uint32_t hash_of(const IpAddress& a, const IpAddress& b, uint32_t id) noexcept {
    bool ignored = false;
    return FlowKey::make(a, b, static_cast<uint16_t>(id), static_cast<uint16_t>(id >> 16), 0, 0,
                         ignored)
        .hash();
}

// Whoever has an IPv6 address has at least a /64 of them.
uint16_t group_of(const IpAddress& source) noexcept {
    IpAddress prefix = source;
    if (!source.is_v4()) std::fill(prefix.bytes.begin() + 8, prefix.bytes.end(), uint8_t{0});
    return static_cast<uint16_t>(hash_of(prefix, IpAddress{}, 0) % FragmentTable::kSources);
}

}  // namespace

FragmentTable::FragmentTable()
    : datagrams_(new Datagram[kDatagrams]),
      buckets_(new uint16_t[kBuckets]),
      sources_(new Queue[kSources]) {
    std::fill_n(buckets_.get(), kBuckets, kNone);
    for (unsigned i = kDatagrams; i-- > 0;) {
        datagrams_[i].next_in_bucket = free_;
        free_ = static_cast<uint16_t>(i);
    }
}

FragmentTable::~FragmentTable() {
    for (Queue& queue : queues_)
        while (queue.oldest != kNone) close(queue.oldest);
}

size_t FragmentTable::memory_bytes() noexcept {
    return sizeof(FragmentTable) + kDatagrams * sizeof(Datagram) + kBuckets * sizeof(uint16_t) +
           kSources * sizeof(Queue) + size_t{kPieces} * 16;
}

uint16_t FragmentTable::find(const PacketMeta& m, uint32_t zone, uint16_t& bucket) const noexcept {
    bucket = static_cast<uint16_t>(hash_of(m.source, m.destination, m.fragment_id) % kBuckets);
    uint16_t at = buckets_[bucket];
    for (; at != kNone; at = datagrams_[at].next_in_bucket) {
        const Datagram& d = datagrams_[at];
        // RFC 8200 section 4.5 has no protocol in the key.
        if (d.id == m.fragment_id && d.zone == zone && d.source == m.source &&
            d.destination == m.destination &&
            (d.protocol == m.protocol || m.has(PacketMeta::kIpv6)))
            break;
    }
    return at;
}

uint16_t FragmentTable::open(const PacketMeta& m, const Arrival& arrival, uint16_t bucket,
                             uint16_t group) noexcept {
    if (sources_[group].datagrams >= kPerSource)
        give_up(sources_[group].oldest, FragmentDrop::kSourceShare);
    if (free_ == kNone) give_up(most(&Queue::datagrams).oldest, FragmentDrop::kTableFull);
    const uint16_t at = free_;
    Datagram& d = datagrams_[at];
    free_ = d.next_in_bucket;
    d = {};
    d.source = m.source;
    d.destination = m.destination;
    d.id = m.fragment_id;
    d.zone = arrival.zone;
    d.created_ms = arrival.now_ms;
    d.protocol = m.protocol;
    d.whole = arrival.whole;
    d.bucket = bucket;
    d.next_in_bucket = buckets_[bucket];
    buckets_[bucket] = at;
    d.source_group = group;
    d.queue = queue_of(m);
    link(sources_[group], &Datagram::by_source, at);
    link(queues_[d.queue], &Datagram::by_age, at);
    busy_[d.queue / 64] |= uint64_t{1} << d.queue % 64;
    ++used_;
    return at;
}

void FragmentTable::close(uint16_t at) noexcept {
    Datagram& d = datagrams_[at];
    free_frames(d);
    uint16_t* link = &buckets_[d.bucket];
    while (*link != at) link = &datagrams_[*link].next_in_bucket;
    *link = d.next_in_bucket;
    unlink(sources_[d.source_group], &Datagram::by_source, at);
    unlink(queues_[d.queue], &Datagram::by_age, at);
    if (queues_[d.queue].datagrams == 0) busy_[d.queue / 64] &= ~(uint64_t{1} << d.queue % 64);
    d.next_in_bucket = free_;
    free_ = at;
    --used_;
}

void FragmentTable::link(Queue& queue, Links Datagram::*links, uint16_t at) noexcept {
    Links& own = datagrams_[at].*links;
    own = {.previous = queue.newest, .next = kNone};
    (queue.newest == kNone ? queue.oldest : (datagrams_[queue.newest].*links).next) = at;
    queue.newest = at;
    ++queue.datagrams;
}

void FragmentTable::unlink(Queue& queue, Links Datagram::*links, uint16_t at) noexcept {
    const Links own = datagrams_[at].*links;
    (own.previous == kNone ? queue.oldest : (datagrams_[own.previous].*links).next) = own.next;
    (own.next == kNone ? queue.newest : (datagrams_[own.next].*links).previous) = own.previous;
    --queue.datagrams;
}

void FragmentTable::hold(Datagram& d, rte_mbuf* frame, const PacketMeta& meta) noexcept {
    *travelling_meta(frame) = meta;
    ++d.held;
    ++held_;
    ++sources_[d.source_group].held;
    ++queues_[d.queue].held;
}

void FragmentTable::learn(Datagram& d, const PacketMeta& meta) noexcept {
    d.known = true;
    d.ports = meta.has(PacketMeta::kPorts);
    d.source_port = meta.source_port;
    d.destination_port = meta.destination_port;
    d.protocol = meta.protocol;
}

void FragmentTable::tell(const Datagram& d, PacketMeta& meta) noexcept {
    meta.source_port = d.source_port;
    meta.destination_port = d.destination_port;
    meta.protocol = d.protocol;
    if (d.ports) meta.flags |= PacketMeta::kPorts;
}

void FragmentTable::release(Datagram& d, Released& released) noexcept {
    released.count = pool_.take_frames(d.pieces, released.frames.data());
    for (unsigned i = 0; i < released.count; ++i)
        if (PacketMeta& meta = *travelling_meta(released.frames[i]);
            meta.has(PacketMeta::kLaterFragment))
            tell(d, meta);
    forget_held(d);
}

/// Nothing of it may pass any more; it stays, so that the rest of it is dropped too (RFC 5722).
FragmentTable::Ruling FragmentTable::spoil(Datagram& d, FragmentDrop why) noexcept {
    drops_[static_cast<size_t>(why)] += free_frames(d);
    d.spoiled = true;
    d.why = why;
    return {Ruling::Kind::kDrop, why};
}

FragmentTable::Ruling FragmentTable::add(uint16_t at, const FragmentExtent& extent, rte_mbuf* frame,
                                         const PacketMeta& meta) noexcept {
    Datagram& d = datagrams_[at];
    // Where it ends can be said once, and nothing may lie behind (ip_frag_queue in Linux).
    const bool ends_early = extent.last && extent.end < d.pieces.highest;
    if (ends_early || (d.end != 0 && (extent.last ? extent.end != d.end : extent.end > d.end)))
        return spoil(d, FragmentDrop::kLength);
    uint16_t behind = kNone;
    switch (pool_.look(d.pieces, extent, behind)) {
        case PiecePool::Fit::kNew:
            break;
        case PiecePool::Fit::kDuplicate:  // only the first copy goes on: no need to compare them
            return {Ruling::Kind::kDrop, FragmentDrop::kDuplicate};
        case PiecePool::Fit::kOverlap:
            return spoil(d, FragmentDrop::kOverlap);
        case PiecePool::Fit::kTooMany:
            return spoil(d, FragmentDrop::kPieces);
    }
    const bool hold_it = d.whole || (!d.known && extent.start != 0);
    if (const auto full = make_room(at, hold_it)) return spoil(d, *full);
    pool_.put(d.pieces, behind, extent, hold_it ? frame : nullptr);
    if (extent.last) d.end = extent.end;
    if (hold_it) hold(d, frame, meta);
    return {hold_it ? Ruling::Kind::kHeld : Ruling::Kind::kPass};
}

FragmentTable::Ruling FragmentTable::take(rte_mbuf* frame, PacketMeta& meta, const Arrival& arrival,
                                          Released& released) noexcept {
    uint16_t bucket = 0;
    uint16_t at = find(meta, arrival.zone, bucket);
    if (at == kNone) {
        if (!admits(meta, arrival)) return {Ruling::Kind::kDrop, FragmentDrop::kTableFull};
        const uint16_t group = group_of(meta.source);
        if (!admits_source(sources_[group], meta, arrival))
            return {Ruling::Kind::kDrop, FragmentDrop::kSourceShare};
        at = open(meta, arrival, bucket, group);
    }
    Datagram& d = datagrams_[at];
    if (d.spoiled) return {Ruling::Kind::kDrop, d.why};
    const Ruling ruling = add(at, extent_of(Packet(frame), meta), frame, meta);
    if (ruling.kind == Ruling::Kind::kDrop) return ruling;
    if (!meta.has(PacketMeta::kLaterFragment))
        learn(d, meta);
    else if (d.known)
        tell(d, meta);
    const bool complete = d.end != 0 && d.pieces.covered == d.end;
    if (d.held != 0 && d.known && (complete || !d.whole)) release(d, released);
    if (complete && d.held == 0) close(at);
    return ruling;
}

FragmentTable::Drops FragmentTable::take_drops() noexcept {
    const Drops drops = drops_;
    drops_ = {};
    return drops;
}

unsigned FragmentTable::take_given_up() noexcept {
    const unsigned given_up = given_up_;
    given_up_ = 0;
    return given_up;
}

}  // namespace ravelin
