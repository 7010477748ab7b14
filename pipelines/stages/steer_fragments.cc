// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/steer_fragments.h"

#include <algorithm>
#include <bit>

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

unsigned FragmentTable::held_limit(unsigned buffers, unsigned workers) noexcept {
    return std::clamp(buffers / (4 * workers), 8u, kMostHeld);
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

uint16_t FragmentTable::open(const PacketMeta& m, const Arrival& arrival,
                             uint16_t bucket) noexcept {
    const uint16_t group = group_of(m.source);
    if (sources_[group].datagrams >= kPerSource)
        give_up(sources_[group].oldest, FragmentDrop::kSourceShare);
    if (free_ == kNone) give_up(oldest_of_most(&Queue::datagrams), FragmentDrop::kTableFull);
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
    d.queue = static_cast<uint16_t>(m.in_port % limits::kMaxPorts * 2 +
                                    (m.has(PacketMeta::kIpv6) ? 1 : 0));
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

void FragmentTable::forget_held(Datagram& d) noexcept {
    held_ -= d.held;
    sources_[d.source_group].held = static_cast<uint16_t>(sources_[d.source_group].held - d.held);
    queues_[d.queue].held = static_cast<uint16_t>(queues_[d.queue].held - d.held);
    d.held = 0;
}

unsigned FragmentTable::free_frames(Datagram& d) noexcept {
    forget_held(d);
    return pool_.clear(d.pieces);
}

void FragmentTable::give_up(uint16_t at, FragmentDrop why) noexcept {
    drops_[static_cast<size_t>(why)] += free_frames(datagrams_[at]);
    close(at);
    if (why != FragmentDrop::kTimeout) ++given_up_;
}

/// The oldest datagram of the port and family that has most of `what`.
uint16_t FragmentTable::oldest_of_most(uint16_t Queue::*what) const noexcept {
    const Queue* most = &queues_[0];
    for (unsigned word = 0; word < busy_.size(); ++word)
        for (uint64_t left = busy_[word]; left != 0; left &= left - 1) {
            const Queue& queue = queues_[word * 64 + static_cast<unsigned>(std::countr_zero(left))];
            if (queue.*what > most->*what) most = &queue;
        }
    return most->oldest;
}

/// Room for one more piece of `at`, held or not; the reason where only its own end would make some.
std::optional<FragmentDrop> FragmentTable::make_room(uint16_t at, bool hold) noexcept {
    const Queue& source = sources_[datagrams_[at].source_group];
    for (;;) {
        uint16_t oldest = kNone;
        FragmentDrop why = FragmentDrop::kTableFull;
        if (hold && source.held >= held_limit_ / 4) {
            oldest = source.oldest;
            why = FragmentDrop::kSourceShare;
        } else if (hold && held_ >= held_limit_) {
            oldest = oldest_of_most(&Queue::held);
        } else if (pool_.full()) {
            oldest = oldest_of_most(&Queue::datagrams);
        } else {
            return std::nullopt;
        }
        if (oldest == at) return why;
        give_up(oldest, why);
    }
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
    if (at == kNone) at = open(meta, arrival, bucket);
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

void FragmentTable::expire(uint32_t now_ms) noexcept {
    if (used_ == 0 || now_ms == expired_at_ms_) return;
    expired_at_ms_ = now_ms;
    unsigned left = kExpirePerTurn;
    for (unsigned q = 0; q < kQueues && left != 0; ++q) {
        const uint32_t timeout = q % 2 == 0 ? kTimeout4Ms : kTimeout6Ms;
        for (uint16_t at = queues_[q].oldest; at != kNone && left != 0; at = queues_[q].oldest) {
            if (now_ms - datagrams_[at].created_ms < timeout) break;
            give_up(at, FragmentDrop::kTimeout);
            --left;
        }
    }
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
