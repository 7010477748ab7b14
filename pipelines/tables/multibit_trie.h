// SPDX-License-Identifier: Apache-2.0
// MultibitTrie: the longest-prefix structure under Lpm, for one key width.
//
// A root of 2^8, 2^16 or 2^24 slots, then nodes of 256 slots, eight bits at a time. A slot holds an
// answer, a node, or a bucket: up to four prefixes compared one by one. Buckets keep sparse long
// prefixes (IPv6 hosts) from costing a chain of 1 KiB nodes each. What random addresses take is
// the root's cache lines, so its slots have 16 bits: which of the few different ones there are
// (`words_`) it is.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "dataplane/columns.h"
#include "dataplane/huge_array.h"
#include "dataplane/lanes.h"

namespace ravelin {

__extension__ typedef unsigned __int128 Uint128;

/// Immutable once built. Key is an unsigned integer whose numeric order is address order.
template <typename Key>
class MultibitTrie {
  public:
    static constexpr unsigned kWidth = sizeof(Key) * 8;
    static constexpr uint32_t kNone = 0x7fffffff;  ///< also the first value that cannot be stored
    struct Item {
        Key first;  ///< host bits must be zero
        uint32_t value;
        uint8_t length;
    };

    MultibitTrie() = default;
    MultibitTrie(MultibitTrie&&) noexcept = default;
    MultibitTrie& operator=(MultibitTrie&&) noexcept = default;

    /// `items` sorted by (first, length), no two equal. Where a root of 24 bits would have more
    /// than 65,536 different slots it has 16 bits. False if there is no memory.
    [[nodiscard]] bool build(std::span<const Item> items, unsigned root_bits);

    /// Value of the longest prefix holding `key`, else kNone. One read for the root, one of what
    /// stays in the cache, and one per further eight bits, or a bucket.
    [[nodiscard]] uint32_t lookup(Key key) const {
        unsigned shift = kWidth - root_bits_;
        uint32_t slot = words_[root_[static_cast<size_t>(key >> shift)]];
        while (slot & kReference) slot = follow(slot, key, shift -= 8);
        return slot;
    }

    /// `n` lookups, at most kBurst, whose memory accesses overlap.
    static constexpr unsigned kBurst = 64;
    void lookup_burst(const Key* keys, uint32_t* values, unsigned n) const;

    [[nodiscard]] size_t memory_bytes() const {
        return owned_root_.memory_bytes() + owned_words_.memory_bytes() + nodes_.memory_bytes() +
               buckets_.memory_bytes();
    }

  private:
    static constexpr uint32_t kReference = 1u << 31;  // slot is not an answer
    static constexpr uint32_t kBucket = 1u << 30;     // ... but a bucket rather than a node
    static constexpr uint32_t kIndex = kBucket - 1;
    static constexpr size_t kBucketItems = 4;
    static constexpr size_t kNearBytes = 16 << 10, kFarBytes = 512 << 10;

    /// Buckets run from longest to shortest prefix; the last entry spans the whole slot, so a scan
    /// ends without a count.
    struct Entry {
        Key first;
        uint32_t value;
        uint32_t shift;  // bits not compared, < kWidth
    };
    static constexpr std::array<uint16_t, 256> kEmptyRoot{};
    static constexpr uint32_t kEmptyWord = kNone;
    static constexpr size_t kMostWords = size_t{1} << 16;

    struct Builder {
        uint32_t* root;
        std::vector<uint32_t> nodes;
        std::vector<Entry> buckets;
        static constexpr size_t kRoot = SIZE_MAX;

        uint32_t* slots(size_t node) { return node == kRoot ? root : nodes.data() + node * 256; }
        void fill(size_t node, unsigned depth, unsigned stride, std::span<const Item> items);
        uint32_t child(unsigned depth, std::span<const Item> items, uint32_t inherited);
    };

    uint32_t follow(uint32_t slot, Key key, unsigned shift) const {
        if ((slot & kBucket) == 0)
            return nodes_
                .data()[size_t{slot & kIndex} * 256 + (static_cast<size_t>(key >> shift) & 255)];
        const Entry* entry = buckets_.data() + (slot & kIndex);
        while ((key ^ entry->first) >> entry->shift) ++entry;
        return entry->value;
    }
    void prefetch(uint32_t slot, Key key, unsigned shift) const {
        if (slot & kBucket)
            __builtin_prefetch(buckets_.data() + (slot & kIndex));
        else
            __builtin_prefetch(nodes_.data() + size_t{slot & kIndex} * 256 +
                               (static_cast<size_t>(key >> shift) & 255));
    }

    /// Those of the `n` at most that are no answers.
    static uint64_t references(const uint32_t* values, unsigned n) noexcept;
    [[nodiscard]] bool number(std::span<const uint32_t> slots);

    const uint16_t* root_ = kEmptyRoot.data();  // numbers of words_
    const uint32_t* words_ = &kEmptyWord;
    unsigned root_bits_ = 8;
    bool near_ = true;        // small enough to stay in the L1 cache by itself
    bool far_below_ = false;  // what is below the root does not stay in the L2 cache
    HugeArray<uint16_t> owned_root_;
    HugeArray<uint32_t> owned_words_, nodes_;
    HugeArray<Entry> buckets_;
};

template <typename Key>
inline uint64_t MultibitTrie<Key>::references(const uint32_t* values, unsigned n) noexcept {
    uint64_t bits = 0;
#ifdef RAVELIN_LANES
    for (unsigned i = 0; i < n; i += lanes::kLanes)
        bits |= uint64_t{lanes::more(lanes::load(values + i, lanes::first(n - i)),
                                     lanes::all(kReference - 1))}
                << i;
#else
    for (unsigned i = 0; i < n; ++i) bits |= uint64_t{values[i] >= kReference} << i;
#endif
    return bits;
}

template <typename Key>
void MultibitTrie<Key>::lookup_burst(const Key* keys, uint32_t* values, unsigned n) const {
    if (near_) {
        for (unsigned i = 0; i < n; ++i) values[i] = lookup(keys[i]);
        return;
    }
    const uint16_t* const root = root_;
    const uint32_t* const words = words_;
    unsigned shift = kWidth - root_bits_;
    for (unsigned i = 0; i < n; ++i)
        __builtin_prefetch(root + static_cast<size_t>(keys[i] >> shift));
    for (unsigned i = 0; i < n; ++i) values[i] = words[root[static_cast<size_t>(keys[i] >> shift)]];
    // One level of the trie per pass, so that the misses of a burst are in flight together.
    for (uint64_t pending = references(values, n); pending != 0; pending &= references(values, n)) {
        shift -= 8;
        if (far_below_)
            columns::for_each_bit(pending,
                                  [&](unsigned i) { prefetch(values[i], keys[i], shift); });
        columns::for_each_bit(pending,
                              [&](unsigned i) { values[i] = follow(values[i], keys[i], shift); });
    }
}

template <typename Key>
bool MultibitTrie<Key>::build(std::span<const Item> items, unsigned root_bits) {
    auto slots = HugeArray<uint32_t>::allocate(size_t{1} << root_bits);
    if (slots.size() == 0) return false;
    std::fill_n(slots.data(), slots.size(), kNone);
    Builder builder{.root = slots.data(), .nodes = {}, .buckets = {}};
    builder.fill(Builder::kRoot, 0, root_bits, items);
    owned_root_ = HugeArray<uint16_t>::allocate(slots.size());
    if (owned_root_.size() == 0) return false;
    if (!number({slots.data(), slots.size()})) {
        slots = {};
        return root_bits > 16 && build(items, root_bits - 8);
    }
    nodes_ = HugeArray<uint32_t>::copy_of(builder.nodes);
    buckets_ = HugeArray<Entry>::copy_of(builder.buckets);
    root_ = owned_root_.data();
    words_ = owned_words_.data();
    root_bits_ = root_bits;
    near_ = memory_bytes() <= kNearBytes;
    far_below_ = nodes_.memory_bytes() + buckets_.memory_bytes() > kFarBytes;
    return nodes_.size() == builder.nodes.size() && buckets_.size() == builder.buckets.size() &&
           builder.nodes.size() / 256 <= kIndex && builder.buckets.size() <= kIndex;
}

/// The root, and what its numbers mean. False: they are too many, or there is no memory.
template <typename Key>
bool MultibitTrie<Key>::number(std::span<const uint32_t> slots) {
    std::vector<uint32_t> words;
    std::unordered_map<uint32_t, uint16_t> numbers;
    uint16_t last = 0;
    for (size_t i = 0; i < slots.size(); ++i) {
        if (words.empty() || slots[i] != words[last]) {
            const auto [at, added] =
                numbers.try_emplace(slots[i], static_cast<uint16_t>(words.size()));
            if (added && words.size() == kMostWords) return false;
            if (added) words.push_back(slots[i]);
            last = at->second;
        }
        owned_root_.data()[i] = last;
    }
    owned_words_ = HugeArray<uint32_t>::copy_of(words);
    return owned_words_.size() == words.size();
}

/// Paints `items`, all longer than `depth` (or at the root), into the slots of one node. In sorted
/// order a prefix comes before those inside it, so painting in order leaves the longest on top.
template <typename Key>
void MultibitTrie<Key>::Builder::fill(size_t node, unsigned depth, unsigned stride,
                                      std::span<const Item> items) {
    const auto slot_of = [=](Key key) {
        return static_cast<size_t>(key >> (kWidth - depth - stride)) & ((size_t{1} << stride) - 1);
    };
    for (size_t i = 0; i < items.size();) {
        const Item& item = items[i];
        const size_t slot = slot_of(item.first);
        if (item.length <= depth + stride) {
            std::fill_n(slots(node) + slot, size_t{1} << (depth + stride - item.length),
                        item.value);
            ++i;
            continue;
        }
        size_t end = i + 1;
        while (end < items.size() && slot_of(items[end].first) == slot) ++end;
        const uint32_t made = child(depth + stride, items.subspan(i, end - i), slots(node)[slot]);
        slots(node)[slot] = made;  // child() may have moved the nodes
        i = end;
    }
}

template <typename Key>
uint32_t MultibitTrie<Key>::Builder::child(unsigned depth, std::span<const Item> items,
                                           uint32_t inherited) {
    if (items.size() > kBucketItems) {
        const size_t node = nodes.size() / 256;
        nodes.resize(nodes.size() + 256, inherited);
        fill(node, depth, 8, items);
        return kReference | static_cast<uint32_t>(node);
    }
    const auto at = static_cast<uint32_t>(buckets.size());
    for (size_t i = items.size(); i-- > 0;)
        buckets.push_back({items[i].first, items[i].value, kWidth - items[i].length});
    buckets.push_back({items[0].first, inherited, kWidth - depth});
    return kReference | kBucket | at;
}

}  // namespace ravelin
