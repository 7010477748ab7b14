// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/steer_fragments.h"

#include "dataplane/flow.h"

namespace ravelin {

FragmentTable::~FragmentTable() {
    for (unsigned i = 0; i < kSets * kWays; ++i) forget(entries_[i]);
}

bool FragmentTable::matches(const Entry& e, const PacketMeta& m) noexcept {
    return e.used && e.id == m.fragment_id && e.source == m.source &&
           e.destination == m.destination &&
           (e.protocol == m.protocol ||
            m.has(PacketMeta::kIpv6));  // RFC 8200 4.5: no protocol in the key
}

FragmentTable::Entry* FragmentTable::find(const PacketMeta& meta, uint32_t now_ms) noexcept {
    bool ignored = false;
    const auto low = static_cast<uint16_t>(meta.fragment_id),
               high = static_cast<uint16_t>(meta.fragment_id >> 16);
    const uint32_t hash =
        FlowKey::make(meta.source, meta.destination, low, high, 0, 0, ignored).hash();
    Entry* const set = &entries_[size_t{hash % kSets} * kWays];
    Entry* unused = nullptr;
    for (unsigned i = 0; i < kWays; ++i) {
        if (matches(set[i], meta)) return &set[i];
        if (!set[i].used) unused = &set[i];
    }
    if (unused == nullptr) return nullptr;
    *unused = {};
    unused->used = true;
    unused->source = meta.source;
    unused->destination = meta.destination;
    unused->id = meta.fragment_id;
    unused->protocol = meta.protocol;
    unused->created_ms = now_ms;
    return unused;
}

/// RFC 5722: one overlap spoils the datagram. Ranges that touch are joined, so fragments in order
/// take one.
FragmentTable::Answer FragmentTable::cover(Entry& e, Range range) noexcept {
    for (unsigned i = 0; i < e.ranges; ++i)
        if (range.start < e.covered[i].end && e.covered[i].start < range.end)
            return Answer::kOverlap;
    for (unsigned i = 0; i < e.ranges;) {
        const Range other = e.covered[i];
        if (other.end != range.start && other.start != range.end) {
            ++i;
            continue;
        }
        range = {other.start < range.start ? other.start : range.start,
                 other.end > range.end ? other.end : range.end};
        e.covered[i] = e.covered[--e.ranges];
    }
    if (e.ranges == kRanges) return Answer::kFull;
    e.covered[e.ranges++] = range;
    return Answer::kPass;
}

void FragmentTable::release(Entry& entry, Released& released) noexcept {
    released.count = entry.held;
    released.frames = entry.frames;
    held_ -= entry.held;
    entry.held = 0;
}

FragmentTable::Answer FragmentTable::hold(Entry& entry, rte_mbuf* frame,
                                          const PacketMeta& meta) noexcept {
    if (entry.held == kHeldPerDatagram || held_ == kHeldInAll) return Answer::kNoFirst;
    *travelling_meta(frame) = meta;
    entry.frames[entry.held++] = frame;
    ++held_;
    return Answer::kHeld;
}

FragmentTable::Answer FragmentTable::take(rte_mbuf* frame, PacketMeta& meta, uint32_t now_ms,
                                          Released& released) noexcept {
    Entry* entry = find(meta, now_ms);
    if (entry == nullptr) return Answer::kFull;
    if (entry->poisoned) return Answer::kOverlap;
    const uint32_t start = meta.fragment_offset;
    const uint32_t length = meta.l3_offset + meta.l3_total - meta.l4_offset;
    const Answer answer = cover(*entry, {start, start + length});
    if (answer == Answer::kOverlap) {
        entry->poisoned = true;
        release(*entry, released);
    }
    if (answer != Answer::kPass) return answer;
    if (!meta.has(PacketMeta::kLaterFragment)) {
        entry->known = true;
        entry->ports = meta.has(PacketMeta::kPorts);
        entry->source_port = meta.source_port;
        entry->destination_port = meta.destination_port;
        entry->protocol = meta.protocol;
        release(*entry, released);
        for (unsigned i = 0; i < released.count; ++i) {
            PacketMeta& held = *travelling_meta(released.frames[i]);
            held.source_port = meta.source_port;
            held.destination_port = meta.destination_port;
            held.protocol = meta.protocol;
            if (entry->ports) held.flags |= PacketMeta::kPorts;
        }
        return Answer::kPass;
    }
    if (!entry->known) return hold(*entry, frame, meta);
    meta.source_port = entry->source_port;
    meta.destination_port = entry->destination_port;
    meta.protocol = entry->protocol;
    if (entry->ports) meta.flags |= PacketMeta::kPorts;
    return Answer::kPass;
}

unsigned FragmentTable::forget(Entry& entry) noexcept {
    const unsigned lost = entry.held;
    for (unsigned i = 0; i < lost; ++i) rte_pktmbuf_free(entry.frames[i]);
    held_ -= lost;
    entry.held = 0;
    entry.used = false;
    return lost;
}

unsigned FragmentTable::expire(uint32_t now_ms) noexcept {
    unsigned lost = 0;
    for (unsigned i = 0; i < kExpirePerTick; ++i) {
        Entry& entry = entries_[cursor_];
        cursor_ = (cursor_ + 1) % (kSets * kWays);
        if (entry.used && now_ms - entry.created_ms >= kTimeoutMs) lost += forget(entry);
    }
    return lost;
}

}  // namespace ravelin
