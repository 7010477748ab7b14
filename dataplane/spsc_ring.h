// SPDX-License-Identifier: Apache-2.0
// Two single-producer single-consumer rings: SpscRing<T> of fixed items, and ByteRing of records of
// any length. Bounded; a full ring refuses and the caller counts. Neither locks nor waits.
#pragma once
#include <atomic>
#include <cstdint>
#include <cstring>
#include <memory>

namespace ravelin {

/// Capacity is a power of two. push() and pop() move up to n items in one index update.
template <typename T>
class SpscRing {
  public:
    explicit SpscRing(unsigned capacity) : mask_(capacity - 1), items_(new T[capacity]) {}

    /// Items taken, 0..n.
    unsigned push(const T* from, unsigned n) noexcept {
        const unsigned tail = tail_.load(std::memory_order_relaxed);
        const unsigned room = mask_ + 1 - (tail - head_.load(std::memory_order_acquire));
        if (n > room) n = room;
        for (unsigned i = 0; i < n; ++i) items_[(tail + i) & mask_] = from[i];
        tail_.store(tail + n, std::memory_order_release);
        return n;
    }
    bool push(const T& item) noexcept { return push(&item, 1) == 1; }
    /// Items given, 0..n.
    unsigned pop(T* to, unsigned n) noexcept {
        const unsigned head = head_.load(std::memory_order_relaxed);
        const unsigned held = tail_.load(std::memory_order_acquire) - head;
        if (n > held) n = held;
        for (unsigned i = 0; i < n; ++i) to[i] = items_[(head + i) & mask_];
        head_.store(head + n, std::memory_order_release);
        return n;
    }
    [[nodiscard]] bool empty() const noexcept {
        return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
    }

  private:
    alignas(64) std::atomic<unsigned> head_{0};  // consumer's line
    alignas(64) std::atomic<unsigned> tail_{0};  // producer's line
    alignas(64) unsigned mask_;
    std::unique_ptr<T[]> items_;
};

/// Records of 1 byte to a quarter of the capacity, copied in and out whole. A record never wraps:
/// a filler closes the end of the buffer.
class ByteRing {
  public:
    explicit ByteRing(size_t capacity) : mask_(capacity - 1), bytes_(new uint8_t[capacity]) {}

    /// False when there is no room; the record is lost and the caller counts it.
    bool push(const void* head, size_t head_bytes, const void* body, size_t body_bytes) noexcept {
        const size_t length = head_bytes + body_bytes, need = align(kHeader + length);
        size_t tail = tail_.load(std::memory_order_relaxed);
        const size_t used = tail - head_.load(std::memory_order_acquire);
        const size_t to_end = mask_ + 1 - (tail & mask_);
        const size_t filler = to_end < need ? to_end : 0;
        if (length > (mask_ + 1) / 4 || used + filler + need > mask_ + 1) return false;
        if (filler != 0) {
            store_length(tail, kFiller);
            tail += filler;
        }
        store_length(tail, static_cast<uint32_t>(length));
        uint8_t* at = bytes_.get() + (tail & mask_) + kHeader;
        std::memcpy(at, head, head_bytes);
        if (body_bytes != 0) std::memcpy(at + head_bytes, body, body_bytes);
        tail_.store(tail + need, std::memory_order_release);
        return true;
    }
    /// Calls take(const uint8_t* record, size_t length) for up to `most` records; returns how many.
    template <typename Take>
    unsigned drain(unsigned most, Take&& take) {
        unsigned taken = 0;
        size_t head = head_.load(std::memory_order_relaxed);
        const size_t tail = tail_.load(std::memory_order_acquire);
        while (head != tail && taken < most) {
            uint32_t length = 0;
            std::memcpy(&length, bytes_.get() + (head & mask_), sizeof length);
            if (length == kFiller) {
                head += mask_ + 1 - (head & mask_);
            } else {
                take(bytes_.get() + (head & mask_) + kHeader, size_t{length});
                head += align(kHeader + length);
                ++taken;
            }
            head_.store(head, std::memory_order_release);
        }
        return taken;
    }

  private:
    static constexpr size_t kHeader = 8;  // keeps records 8-byte aligned
    static constexpr uint32_t kFiller = 0xffffffff;
    static size_t align(size_t n) { return (n + 7) & ~size_t{7}; }
    void store_length(size_t at, uint32_t length) noexcept {
        std::memcpy(bytes_.get() + (at & mask_), &length, sizeof length);
    }
    alignas(64) std::atomic<size_t> head_{0};
    alignas(64) std::atomic<size_t> tail_{0};
    alignas(64) size_t mask_;
    std::unique_ptr<uint8_t[]> bytes_;
};

}  // namespace ravelin
