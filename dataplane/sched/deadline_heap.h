// SPDX-License-Identifier: Apache-2.0
// DeadlineHeap: ids by a 64-bit key (ns), lowest first; each at most once, any can be taken out.
// Four children a node: the children's keys share a cache line.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ravelin::sched {

class DeadlineHeap {
  public:
    /// Ids are 0..ids-1.
    explicit DeadlineHeap(uint32_t ids) : at_(ids, kNowhere) { heap_.reserve(ids); }

    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] uint32_t top() const { return heap_.front().id; }
    [[nodiscard]] uint64_t top_key() const { return heap_.front().key; }
    [[nodiscard]] bool holds(uint32_t id) const { return at_[id] != kNowhere; }
    /// The lowest key but for the top's; UINT64_MAX where there is none.
    [[nodiscard]] uint64_t second_key() const noexcept {
        uint64_t lowest = UINT64_MAX;
        for (size_t i = 1; i < heap_.size() && i <= kArity; ++i)
            lowest = heap_[i].key < lowest ? heap_[i].key : lowest;
        return lowest;
    }
    void push(uint32_t id, uint64_t key) noexcept {
        heap_.push_back({key, id});  // within what the constructor reserved
        rise(heap_.size() - 1, {key, id});
    }
    void remove(uint32_t id) noexcept {
        const size_t i = at_[id];
        if (i == kNowhere) return;
        at_[id] = kNowhere;
        const Item last = heap_.back();
        heap_.pop_back();
        if (i == heap_.size()) return;
        if (i != 0 && last.key < heap_[(i - 1) / kArity].key)
            rise(i, last);
        else
            sink(i, last);
    }

    [[nodiscard]] size_t memory_bytes() const noexcept {
        return heap_.capacity() * sizeof(Item) + at_.size() * sizeof(uint32_t);
    }

  private:
    static constexpr size_t kArity = 4;
    static constexpr uint32_t kNowhere = UINT32_MAX;
    struct Item {
        uint64_t key;
        uint32_t id;
    };
    void put(size_t i, const Item& item) noexcept {
        heap_[i] = item;
        at_[item.id] = static_cast<uint32_t>(i);
    }
    void rise(size_t i, const Item& item) noexcept {
        for (; i != 0 && item.key < heap_[(i - 1) / kArity].key; i = (i - 1) / kArity)
            put(i, heap_[(i - 1) / kArity]);
        put(i, item);
    }
    void sink(size_t i, const Item& item) noexcept {
        for (;;) {
            size_t lowest = i * kArity + 1;
            if (lowest >= heap_.size()) break;
            const size_t end = lowest + kArity < heap_.size() ? lowest + kArity : heap_.size();
            for (size_t child = lowest + 1; child < end; ++child)
                if (heap_[child].key < heap_[lowest].key) lowest = child;
            if (heap_[lowest].key >= item.key) break;
            put(i, heap_[lowest]);
            i = lowest;
        }
        put(i, item);
    }
    std::vector<Item> heap_;
    std::vector<uint32_t> at_;
};

}  // namespace ravelin::sched
