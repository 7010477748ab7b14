// SPDX-License-Identifier: Apache-2.0
#include "pipelines/tables/limit_table.h"

#include <algorithm>

#include "dataplane/flow.h"
#include "dataplane/fold.h"

namespace ravelin {
// Twice the places that the keys need: at half full, eight busy ones together are rare.
LimitTable::LimitTable(const LimitSpec& spec)
    : spec_(spec),
      lines_(spec.key == LimitSpec::Key::kRule ? 0 : size_t{spec.size} * 2 / kLineBuckets + 2) {}

LimitTable::Verdict LimitTable::check(const IpAddress& source, const IpAddress& destination,
                                      uint32_t bytes, uint64_t now_ns, bool spend) noexcept {
    const uint64_t units = spec_.unit == LimitSpec::Unit::kBytes ? bytes : 1;
    const uint64_t cost = units * spec_.cost / spec_.per;
    if (spec_.key == LimitSpec::Key::kRule) return take(whole_, cost, now_ns, spend);
    bool room = false;
    Bucket* bucket =
        find(spec_.key == LimitSpec::Key::kSource ? source : destination, now_ns, spend, room);
    if (bucket != nullptr) return take(bucket->full_ns, cost, now_ns, spend);
    if (!room) return Verdict::kNoRoom;
    return cost <= spec_.depth_ns ? Verdict::kWithin : Verdict::kOver;
}

// After a claim it looks again from the start: two workers that claimed different places for one
// key both go on with the first of them.
LimitTable::Bucket* LimitTable::find(const IpAddress& key, uint64_t now_ns, bool claim,
                                     bool& room) noexcept {
    const auto& k = flow_hash_secret;
    const uint64_t low = key.is_v4() ? key.low() : 0;
    const uint64_t hash = fold(fold(key.high() ^ k[3], low ^ k[0]) ^ k[5], k[2]);
    const uint64_t tag = hash != 0 ? hash : 1;
    Line* const lines[2] = {&lines_[place_in(hash, lines_.size())],
                            &lines_[place_in(fold(hash, k[1] | 1), lines_.size())]};
    for (;;) {
        Bucket* spare = nullptr;  // in the line with more of them
        uint64_t spare_tag = 0;
        unsigned most = 0;
        for (Line* line : lines) {
            unsigned idle = 0;
            for (Bucket& bucket : line->buckets) {
                const uint64_t owner = bucket.tag.load(std::memory_order_acquire);
                if (owner == tag) return &bucket;
                if (bucket.full_ns.load(std::memory_order_relaxed) > now_ns || ++idle <= most)
                    continue;
                most = idle;
                spare = &bucket;
                spare_tag = owner;
            }
        }
        room = spare != nullptr;
        if (!room || !claim) return nullptr;
        spare->tag.compare_exchange_strong(spare_tag, tag, std::memory_order_acq_rel);
    }
}

LimitTable::Verdict LimitTable::take(std::atomic<uint64_t>& full_ns, uint64_t cost, uint64_t now_ns,
                                     bool spend) const noexcept {
    uint64_t full = full_ns.load(std::memory_order_relaxed);
    for (;;) {
        const uint64_t next = std::max(full, now_ns) + cost;
        if (next > now_ns + spec_.depth_ns) return Verdict::kOver;
        if (!spend || full_ns.compare_exchange_weak(full, next, std::memory_order_relaxed))
            return Verdict::kWithin;
    }
}

}  // namespace ravelin
