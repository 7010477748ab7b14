// SPDX-License-Identifier: Apache-2.0
// FlowTable: exact-match table of flows, of fixed size, in memory the caller provides. One cache
// line per lookup for the bucket and one for the key. In the path after parse; one table per
// worker, one writer, no locks.
//
// Memory: header | flows | marks | translations | proxies | buckets | overflow buckets | wheel
// links | unproven links | heads of the outer chains. Only the first five mean anything after a
// crash; adopt() rebuilds the rest from them.
//
// Buckets hold 12 flows; chains are dense (only a chain's last bucket has free slots), so capacity
// / 12 overflow buckets always suffice; 1 % of the home buckets of a full table have a chain.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "dataplane/flow.h"
#include "dataplane/result.h"

namespace ravelin {

class PrincipalFlows;
class SourceCounts;

/// What adopt() found. Flows.
struct AdoptReport {
    uint32_t adopted = 0;
    uint32_t expired = 0;    ///< valid, idle for too long
    uint32_t invalid = 0;    ///< marked in use, but failed validation
    uint32_t duplicate = 0;  ///< valid, but another flow has the same key
};

/// Events since create() or adopt().
struct FlowTableStats {
    uint64_t inserted = 0;
    uint64_t expired = 0;
    uint64_t shed_unproven = 0;  ///< oldest unproven flow evicted for a new one
    uint64_t refused_full = 0;   ///< no insert: every flow is proven
};

class FlowTable {
  public:
    static constexpr uint32_t kTickMs = 128;       ///< resolution of expiry
    static constexpr uint32_t kWheelSlots = 4096;  ///< horizon 524 s; longer timeouts are re-armed
    static constexpr uint32_t kMaxCapacity = 1u << 28;
    static constexpr uint32_t kMaxTimeoutMs = 1u << 30;    ///< keeps comparisons wrap-safe
    static constexpr uint32_t kInitialTimeoutMs = 30'000;  ///< of a fresh flow, until touch()

    /// Bytes needed for `capacity` flows.
    static size_t bytes_for(uint32_t capacity) noexcept;
    /// Lays out an empty table and touches every page. Errors: capacity 0 or too large, memory too
    /// small or not 64-byte aligned. `memory` must outlive the table.
    static Result<FlowTable> create(void* memory, size_t bytes, uint32_t capacity,
                                    uint64_t boot_tag, uint32_t now_ms = 0);
    /// Takes over what a killed process left. Errors: as create(); a header that is damaged, of
    /// another version or layout, or of another `boot_tag` (the clock is comparable only within
    /// one boot). Damaged or expired flows are dropped and counted. Validated: mark against key
    /// and slot, canonical key, ranges of state, flags, scales and times. Not covered by any
    /// checksum: counters, sequence numbers, rule, generation. Allocates 8 bytes per unproven flow.
    static Result<FlowTable> adopt(void* memory, size_t bytes, uint32_t capacity, uint64_t boot_tag,
                                   uint32_t now_ms, AdoptReport& report);

    FlowTable(FlowTable&&) noexcept = default;
    FlowTable& operator=(FlowTable&&) noexcept = default;
    FlowTable(const FlowTable&) = delete;
    FlowTable& operator=(const FlowTable&) = delete;
    ~FlowTable() = default;

    /// The flow of `key`, or nullptr. May be past its timeout by a tick: ask Flow::expired().
    [[nodiscard]] Flow* find(const FlowKey& key, uint32_t hash) const noexcept;
    /// Asks for the memory that find() of a flow with this hash reads: first its bucket, and once
    /// that is there, the flow itself.
    void prefetch_bucket(uint32_t hash) const noexcept { __builtin_prefetch(&home(hash)); }
    /// Which flow that most likely is; nullptr: none. Always inline: GCC leaves out calls of what
    /// only prefetches.
    [[gnu::always_inline]] Flow* prefetch_flow(uint32_t hash) const noexcept {
        Flow* likely = candidate(hash);
        if (likely == nullptr) return nullptr;
        __builtin_prefetch(likely, 1);
        __builtin_prefetch(&likely->tcp, 1);
        return likely;
    }
    /// out[i] = find(keys[i], hashes[i]), memory latencies overlapped.
    void find_burst(const FlowKey* keys, const uint32_t* hashes, Flow** out,
                    unsigned n) const noexcept;
    /// A new unproven flow, zeroed but for key, last_seen_ms and timeout_ms. `key` must not be in
    /// the table. When full: evicts the oldest unproven flow; nullptr if there is none.
    Flow* insert(const FlowKey& key, uint32_t hash, uint32_t now_ms) noexcept;
    /// The flow was answered: it is never evicted again.
    void prove(Flow& flow) noexcept;
    /// Moves the flow in the wheel only if its timeout shrinks.
    void touch(Flow& flow, uint32_t now_ms, uint32_t timeout_ms) noexcept {
        const bool shorter = timeout_ms < flow.timeout_ms;
        flow.last_seen_ms = now_ms;
        flow.timeout_ms = timeout_ms < kMaxTimeoutMs ? timeout_ms : kMaxTimeoutMs;
        if (shorter) rearm(flow);
    }
    void remove(Flow& flow) noexcept;
    /// Says what a new IPv4 flow is translated to; once a flow, before a packet of it has left.
    void translate(Flow& flow, const FlowTranslation& to) noexcept;
    /// Of a flow with kFlowTranslated.
    [[nodiscard]] const FlowTranslation& translation(const Flow& flow) const noexcept {
        return outer_[index_of(flow)].translation;
    }
    /// Says which rules choose a translation that stands.
    void put_translation_rules(const Flow& flow, uint16_t source, uint16_t destination) noexcept {
        FlowTranslation& t = outer_[index_of(flow)].translation;
        t.source_rule = source;
        t.destination_rule = destination;
    }
    /// Says what stands between a new TCP flow's ends; once a flow, before it has a state.
    void put_proxy(Flow& flow, const FlowProxy& proxy) noexcept;
    /// Of a flow with kFlowProxied.
    [[nodiscard]] FlowProxy& proxy(const Flow& flow) noexcept { return proxies_[index_of(flow)]; }
    /// Forgets Flow::ways of the next few slots, round and round: those of all after half as many
    /// calls as there are stamps.
    void forget_some_ways() noexcept;
    /// The flow whose originator is translated and that has `key` between its responder and that
    /// outer end, or nullptr; `hash` is key.hash(). May be past its timeout, as with find().
    [[nodiscard]] Flow* find_outer(const FlowKey& key, uint32_t hash) const noexcept;
    /// Where flows with kFlowCounted (by originator and Flow::rule) or kFlowBudgeted (by
    /// originator, until proven) are counted; takes over the counts of those already there.
    /// `counts` must outlive the table.
    void count_with(SourceCounts& counts) noexcept;
    [[nodiscard]] SourceCounts* counts() const noexcept { return counts_; }  ///< null: none
    /// Ends the flow's counts that `flags` (kFlowCounted, kFlowBudgeted) names.
    void uncount(Flow& flow, uint8_t flags) noexcept;
    /// Where flows that are not `core`'s are counted by principal. `flows` must outlive the table.
    void count_principals(PrincipalFlows& flows) noexcept { principals_ = &flows; }
    /// From here on the flow is charged to `id`, which it may be `counted` for already.
    void charge_to(Flow& flow, sched::PrincipalId id, bool counted = false) noexcept;
    /// Evicts the oldest unproven flow, if there is one.
    bool shed() noexcept;
    /// Removes expired flows, at most `budget` units of work (a flow or a wheel slot visited);
    /// returns how many. Call it often; what the budget leaves is done by the next call.
    unsigned expire(uint32_t now_ms, unsigned budget) noexcept;
    /// The next expired flow, still in the table, or nullptr; takes its work off `budget`. For
    /// owners that release something with a flow; they must remove() it before the next call.
    [[nodiscard]] Flow* next_expired(uint32_t now_ms, unsigned& budget) noexcept;
    /// What insert() into a full table would evict, or nullptr.
    [[nodiscard]] Flow* oldest_unproven() const noexcept;

    /// Calls fn(Flow&) for flows in slots [cursor, cursor + max), advances cursor; false at the
    /// end. fn may remove the flow it is given.
    template <typename Fn>
    bool for_each(uint32_t& cursor, uint32_t max, Fn&& fn) {
        for (; max > 0 && cursor < capacity_; --max, ++cursor)
            if (marks_[cursor] != 0) fn(flows_[cursor]);
        return cursor < capacity_;
    }
    [[nodiscard]] uint32_t size() const noexcept { return size_; }
    /// Flows not answered yet: what a full table gives up first.
    [[nodiscard]] uint32_t unproven() const noexcept { return unproven_count_; }
    [[nodiscard]] uint32_t capacity() const noexcept { return capacity_; }
    [[nodiscard]] size_t memory_bytes() const noexcept { return bytes_for(capacity_); }
    [[nodiscard]] const FlowTableStats& stats() const noexcept { return stats_; }

  private:
    static constexpr unsigned kBucketSlots = 12;
    static constexpr unsigned kBurst = 64;
    struct alignas(64) Header {
        uint64_t magic;
        uint32_t version;
        uint32_t flow_bytes;
        uint32_t capacity;
        uint32_t states;
        uint64_t boot_tag;
        uint64_t total_bytes;
        uint64_t checksum;  // CRC-32C of what is above, plus one so that zeroes never pass
        std::array<uint64_t, 10> unused;  // as long as a flow, so that none stands in two pages
    };
    struct alignas(64) Bucket {
        std::array<uint8_t, kBucketSlots> tags;  // 0 = empty
        uint32_t next;                           // overflow bucket; 0 = none
        std::array<uint32_t, kBucketSlots> flow;
        [[nodiscard]] unsigned matching(uint8_t tag) const noexcept;
        [[nodiscard]] unsigned used() const noexcept;
    };
    static_assert(sizeof(Bucket) == 64 && sizeof(Header) == sizeof(Flow));
    static constexpr uint8_t tag_of(uint32_t hash) noexcept {
        // The low byte: the bucket is chosen by the high bits. 0 is taken by empty slots.
        const auto low = static_cast<uint8_t>(hash);
        return low != 0 ? low : uint8_t{1};
    }
    struct Link {  // circular lists; a list's head is a link of its own, behind those of the flows
        uint32_t next;
        uint32_t previous;
    };

    /// What a flow has beside it: its translation, and the chain of those with like outer keys.
    struct Outer {
        FlowTranslation translation;
        uint32_t next;
    };
    static_assert(sizeof(Outer) == 20);

    FlowTable(void* memory, uint32_t capacity, uint32_t now_ms) noexcept;
    static uint32_t home_buckets(uint32_t capacity) noexcept { return capacity / 6 + 1; }
    static uint32_t overflow_buckets(uint32_t capacity) noexcept {
        return capacity / kBucketSlots + 1;
    }
    /// Whole cache lines, so that what stands behind them is aligned.
    static size_t whole_lines(size_t bytes) noexcept { return (bytes + 63) / 64 * 64; }
    static size_t mark_bytes(uint32_t capacity) noexcept {
        return whole_lines(size_t{capacity} * sizeof(uint32_t));
    }
    static size_t outer_bytes(uint32_t capacity) noexcept {
        return whole_lines(size_t{capacity} * sizeof(Outer));
    }
    static size_t proxy_bytes(uint32_t capacity) noexcept {
        return whole_lines(size_t{capacity} * sizeof(FlowProxy));
    }
    static Status check_memory(const void* memory, size_t bytes, uint32_t capacity);
    static Header make_header(uint32_t capacity, uint64_t boot_tag) noexcept;
    [[nodiscard]] bool valid(const Flow& flow, uint32_t index, uint32_t now_ms) const noexcept;

    void reset_indexes() noexcept;
    void adopt_flows(uint32_t now_ms, AdoptReport& report);
    [[nodiscard]] uint32_t index_of(const Flow& f) const noexcept {
        return static_cast<uint32_t>(&f - flows_);
    }
    [[nodiscard]] Bucket& home(uint32_t hash) const noexcept {
        return buckets_[uint64_t{hash} * bucket_count_ >> 32];
    }
    // The first flow of the home bucket with the hash's tag: of those that are there, nearly always
    // it.
    [[nodiscard]] Flow* candidate(uint32_t hash) const noexcept {
        const Bucket& bucket = home(hash);
        const unsigned m = bucket.matching(tag_of(hash));
        return m == 0 ? nullptr : flows_ + bucket.flow[static_cast<unsigned>(std::countr_zero(m))];
    }
    void bucket_add(uint32_t hash, uint32_t index) noexcept;
    void bucket_remove(uint32_t hash, uint32_t index) noexcept;
    [[nodiscard]] FlowKey outer_key(const Flow& flow) const noexcept;
    [[nodiscard]] uint32_t& outer_head(uint32_t hash) const noexcept {
        return outer_heads_[uint64_t{hash} * capacity_ >> 32];
    }
    void outer_link(const Flow& flow) noexcept;
    void outer_unlink(const Flow& flow) noexcept;
    /// Whether what a killed process left as the flow's translation can be one; links it if so.
    bool adopt_translation(const Flow& flow) noexcept;
    [[nodiscard]] bool valid_proxy(const Flow& flow) const noexcept;
    void arm(uint32_t index) noexcept;
    void rearm(Flow& flow) noexcept;
    static void link_last(Link* links, uint32_t head, uint32_t at) noexcept;
    static void unlink(Link* links, uint32_t at) noexcept;

    Header* header_;
    Flow* flows_;
    uint32_t* marks_;  // of flows; 0 = free, else flow_mark(); written last, cleared first
    Outer* outer_;     // of flows; capacity_ ends a chain
    FlowProxy* proxies_;
    Bucket* buckets_;  // home buckets, then overflow buckets
    Link* wheel_;      // links of flows, then heads of the slots; free flows chain through next
    Link* unproven_;   // links of flows, then the head: oldest first
    uint32_t* outer_heads_;
    uint32_t capacity_;
    uint32_t bucket_count_;
    uint32_t size_ = 0;
    uint32_t unproven_count_ = 0;
    uint32_t free_flow_ = 0;    // capacity_ = none
    uint32_t free_bucket_ = 0;  // 0 = none
    uint32_t forgotten_ = 0;    // slot
    SourceCounts* counts_ = nullptr;
    PrincipalFlows* principals_ = nullptr;
    uint32_t wheel_ms_;  // time of the slot being emptied, a multiple of kTickMs
    FlowTableStats stats_;
};

// Bit i set: slot i carries `tag`.
inline unsigned FlowTable::Bucket::matching(uint8_t tag) const noexcept {
    constexpr unsigned kMask = (1u << kBucketSlots) - 1;
#ifdef __SSE2__
    const __m128i line = _mm_load_si128(reinterpret_cast<const __m128i*>(this));
    const __m128i wanted = _mm_set1_epi8(static_cast<char>(tag));
    return static_cast<unsigned>(_mm_movemask_epi8(_mm_cmpeq_epi8(line, wanted))) & kMask;
#else
    unsigned mask = 0;
    for (unsigned i = 0; i < kBucketSlots; ++i) mask |= unsigned{tags[i] == tag} << i;
    return mask & kMask;
#endif
}

inline Flow* FlowTable::find(const FlowKey& key, uint32_t hash) const noexcept {
    const uint8_t tag = tag_of(hash);
    const Bucket* bucket = &home(hash);
    for (;;) {
        for (unsigned m = bucket->matching(tag); m != 0; m &= m - 1) {
            Flow* flow = flows_ + bucket->flow[static_cast<unsigned>(std::countr_zero(m))];
            if (flow->key == key) return flow;
        }
        if (bucket->next == 0) return nullptr;
        bucket = buckets_ + bucket->next;
    }
}

}  // namespace ravelin
