// SPDX-License-Identifier: Apache-2.0
// HugeArray: a fixed array straight from mmap. Large ones are 2 MiB aligned and ask for huge pages,
// because a 32 MiB route table in 4 KiB pages pays a TLB miss on nearly every lookup.
#pragma once
#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <utility>

namespace ravelin {

/// Owns `size()` zeroed elements; movable only. An empty array holds no memory.
template <typename T>
class HugeArray {
    static_assert(std::is_trivially_copyable_v<T>);

  public:
    HugeArray() = default;
    HugeArray(HugeArray&& other) noexcept { swap(other); }
    HugeArray& operator=(HugeArray&& other) noexcept {
        swap(other);
        return *this;
    }
    HugeArray(const HugeArray&) = delete;
    HugeArray& operator=(const HugeArray&) = delete;
    ~HugeArray() {
        if (data_ != nullptr) munmap(data_, bytes_);
    }

    /// An array of `size` zeroed elements; empty if the kernel has no memory for it.
    static HugeArray allocate(size_t size) {
        HugeArray out;
        const size_t wanted = size * sizeof(T);
        if (wanted == 0) return out;
        const size_t unit = wanted >= kHugePage ? kHugePage : size_t{4096};
        out.bytes_ = (wanted + unit - 1) / unit * unit;
        out.data_ = static_cast<T*>(map_aligned(out.bytes_, unit));
        if (out.data_ == nullptr) return HugeArray();
        if (unit == kHugePage) madvise(out.data_, out.bytes_, MADV_HUGEPAGE);
        out.size_ = size;
        return out;
    }
    /// A copy of `from`; empty if there is no memory (or nothing to copy).
    static HugeArray copy_of(std::span<const T> from) {
        HugeArray out = allocate(from.size());
        if (out.size_ != 0) std::memcpy(out.data_, from.data(), from.size_bytes());
        return out;
    }

    [[nodiscard]] T* data() { return data_; }
    [[nodiscard]] const T* data() const { return data_; }
    [[nodiscard]] size_t size() const { return size_; }
    /// Bytes of address space held.
    [[nodiscard]] size_t memory_bytes() const { return bytes_; }

  private:
    static constexpr size_t kHugePage = size_t{2} << 20;

    /// mmap only promises 4 KiB alignment, so map one page too many and return the ends.
    static void* map_aligned(size_t bytes, size_t alignment) {
        const size_t mapped = bytes + (alignment > 4096 ? alignment : 0);
        void* at =
            mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED) return nullptr;
        auto* begin = static_cast<std::byte*>(at);
        const size_t head = (alignment - reinterpret_cast<uintptr_t>(at) % alignment) % alignment;
        if (head != 0) munmap(begin, head);
        if (mapped > head + bytes) munmap(begin + head + bytes, mapped - head - bytes);
        return begin + head;
    }
    void swap(HugeArray& other) noexcept {
        std::swap(data_, other.data_);
        std::swap(size_, other.size_);
        std::swap(bytes_, other.bytes_);
    }

    T* data_ = nullptr;
    size_t size_ = 0;   // elements
    size_t bytes_ = 0;  // of the mapping
};

}  // namespace ravelin
