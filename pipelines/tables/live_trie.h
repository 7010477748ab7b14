// SPDX-License-Identifier: Apache-2.0
// LiveTrie: longest-prefix match that changes while it is read. One writer, any number of readers
// without locks. A slot is one atomic word: the longest prefix that ends in this node and covers
// the slot, and the node below. A reader takes the last prefix it meets on the way down, so a
// change writes the slots of one node only, however many routes stand below.
//
// Root of 2^16 slots, then nodes of 256 slots (2 KiB), eight bits at a time; a lookup reads a word
// a level. Nodes that become empty are handed out again by reclaim(), once no reader can hold them.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "pipelines/tables/multibit_trie.h"

namespace ravelin {

template <typename Key>
class LiveTrie {
  public:
    static constexpr unsigned kWidth = sizeof(Key) * 8;
    static constexpr uint32_t kMostValue = (1u << 24) - 1;
    static constexpr size_t kMostNodes = size_t{1} << 21;  ///< 4 GiB; beyond: refused

    struct Match {
        uint32_t value = 0;
        int length = -1;  ///< -1: no prefix holds the key
    };

    LiveTrie() : root_(HugeArray<Slot>::allocate(size_t{1} << kRootBits)), chunks_(kMostChunks) {}

    [[nodiscard]] Match lookup(Key key) const noexcept {
        Match best;
        const Slot* slots = root_.data();
        unsigned shift = kWidth - kRootBits;
        size_t at = static_cast<size_t>(key >> shift);
        while (true) {
            const uint64_t word = load(slots[at]);
            if (const unsigned length = length_of(word); length != 0)
                best = {value_of(word), static_cast<int>(length) - 1};
            const uint32_t child = child_of(word);
            if (child == 0) return best;
            slots = node(child);
            shift -= 8;
            at = static_cast<size_t>(key >> shift) & 255;
        }
    }
    /// Asks for the line that a lookup reads first.
    void prefetch(Key key) const noexcept {
        __builtin_prefetch(root_.data() + static_cast<size_t>(key >> (kWidth - kRootBits)));
    }

    // The writer.

    /// Adds the prefix, or gives it another value if it is not `fresh`. `key` has no host bits.
    /// False: no memory; nothing has changed.
    [[nodiscard]] bool set(Key key, unsigned length, uint32_t value, bool fresh) {
        Way way;
        if (!descend(key, length, way, true)) return drop_empty(way), false;
        paint(way.back(), length, [&](uint64_t word) {
            return length_of(word) > length + 1 ? word : with(word, value, length + 1);
        });
        if (fresh && way.back().node != 0) ++used_[way.back().node];
        return true;
    }
    /// Takes the prefix away. `cover` is the next shorter prefix that ends in the same node and
    /// covers it (first_in_node()); length -1: none.
    void remove(Key key, unsigned length, Match cover) {
        Way way;
        if (!descend(key, length, way, false)) return;
        paint(way.back(), length, [&](uint64_t word) {
            if (length_of(word) != length + 1) return word;
            if (cover.length < 0) return word & kChildMask;
            return with(word, cover.value, static_cast<unsigned>(cover.length) + 1);
        });
        if (way.back().node != 0) --used_[way.back().node];
        drop_empty(way);
    }
    /// The shortest length of prefixes that end in the same node as those of `length`.
    static unsigned first_in_node(unsigned length) {
        return length <= kRootBits ? 0 : (length - 1) / 8 * 8 + 1;
    }
    /// Nodes that readers may still hold; free to use again after reclaim(), which wants that every
    /// reader has begun anew since.
    [[nodiscard]] bool has_retired() const { return !retired_.empty(); }
    void reclaim() {
        free_.insert(free_.end(), retired_.begin(), retired_.end());
        retired_.clear();
    }
    [[nodiscard]] size_t memory_bytes() const {
        return root_.memory_bytes() + (used_.size() + kChunk - 1) / kChunk * kChunk * 256 * 8 +
               used_.capacity() * sizeof(uint32_t);
    }

  private:
    using Slot = uint64_t;  // atomic by std::atomic_ref
    static constexpr unsigned kRootBits = 16;
    static constexpr size_t kChunk = 512;  // nodes: 1 MiB
    static constexpr size_t kMostChunks = kMostNodes / kChunk;
    static constexpr uint64_t kChildMask = (uint64_t{1} << 31) - 1;
    // Word: value 24 bits, length + 1 in 9 bits (0: no prefix), child 31 bits (0: none).
    static uint32_t child_of(uint64_t word) { return static_cast<uint32_t>(word & kChildMask); }
    static unsigned length_of(uint64_t word) { return static_cast<unsigned>(word >> 31 & 0x1ff); }
    static uint32_t value_of(uint64_t word) { return static_cast<uint32_t>(word >> 40); }
    static uint64_t with(uint64_t word, uint32_t value, unsigned length_word) {
        return uint64_t{value} << 40 | uint64_t{length_word} << 31 | (word & kChildMask);
    }
    static uint64_t load(const Slot& slot) noexcept {
        return std::atomic_ref<Slot>(const_cast<Slot&>(slot)).load(std::memory_order_acquire);
    }
    static void store(Slot& slot, uint64_t word) noexcept {
        std::atomic_ref<Slot>(slot).store(word, std::memory_order_release);
    }

    struct Place {
        Slot* slots;
        uint32_t node;   // 0: the root
        unsigned depth;  // bits above
        unsigned stride;
        size_t at;  // slot of the key
    };
    using Way = std::vector<Place>;

    Slot* node(uint32_t index) const noexcept {
        return const_cast<Slot*>(chunks_[index / kChunk].data()) + index % kChunk * 256;
    }
    bool descend(Key key, unsigned length, Way& way, bool create) {
        if (root_.size() == 0) return false;
        way.push_back(
            {root_.data(), 0, 0, kRootBits, static_cast<size_t>(key >> (kWidth - kRootBits))});
        while (length > way.back().depth + way.back().stride) {
            Place& from = way.back();
            const uint64_t word = load(from.slots[from.at]);
            uint32_t child = child_of(word);
            if (child == 0) {
                if (!create || (child = make_node()) == 0) return false;
                if (from.node != 0) ++used_[from.node];
                store(from.slots[from.at], word | child);
            }
            const unsigned depth = from.depth + from.stride;
            const auto at = static_cast<size_t>(key >> (kWidth - depth - 8)) & 255;
            way.push_back({node(child), child, depth, 8, at});
        }
        return true;
    }
    template <typename Change>
    static void paint(const Place& place, unsigned length, Change&& change) {
        const size_t n = size_t{1} << (place.depth + place.stride - length);
        const size_t first = place.at & ~(n - 1);
        for (size_t i = first; i < first + n; ++i) {
            const uint64_t before = load(place.slots[i]), after = change(before);
            if (after != before) store(place.slots[i], after);
        }
    }
    /// Unlinks the nodes at the end of the way in which nothing is left.
    void drop_empty(Way& way) {
        while (way.size() > 1 && used_[way.back().node] == 0) {
            retired_.push_back(way.back().node);
            way.pop_back();
            Slot& link = way.back().slots[way.back().at];
            store(link, load(link) & ~kChildMask);
            if (way.back().node != 0) --used_[way.back().node];
        }
    }
    uint32_t make_node() {
        if (!free_.empty()) {
            const uint32_t index = free_.back();
            free_.pop_back();
            for (size_t i = 0; i < 256; ++i) store(node(index)[i], 0);
            used_[index] = 0;
            return index;
        }
        const size_t index = std::max<size_t>(used_.size(), 1);  // 0 is none
        if (index >= kMostNodes) return 0;
        HugeArray<Slot>& chunk = chunks_[index / kChunk];
        if (chunk.size() == 0) chunk = HugeArray<Slot>::allocate(kChunk * 256);
        if (chunk.size() == 0) return 0;
        used_.resize(index + 1, 0);
        return static_cast<uint32_t>(index);
    }

    HugeArray<Slot> root_;
    std::vector<HugeArray<Slot>> chunks_;  // its places never move
    // The writer's: prefixes that end in a node and nodes below it; what is free, what soon will
    // be.
    std::vector<uint32_t> used_, free_, retired_;
};

}  // namespace ravelin
