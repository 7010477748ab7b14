// SPDX-License-Identifier: Apache-2.0
// Columns of 64 numbers, asked and written as a whole: bit i of a mask is place i. By AVX-512 where
// there is, a plain loop elsewhere; the same either way (tests/unit/columns_test.cc).
#pragma once
#include <array>
#include <cstdint>

#include "dataplane/lanes.h"

namespace ravelin::columns {

inline constexpr unsigned kPlaces = 64;
template <typename T>
using Column = std::array<T, kPlaces>;

/// Calls fn(i) for each bit i, ascending.
template <typename Fn>
inline void for_each_bit(uint64_t mask, Fn&& fn) {
    for (; mask != 0; mask &= mask - 1) fn(static_cast<unsigned>(__builtin_ctzll(mask)));
}

namespace plain {
template <typename Test>
uint64_t bits_where(const Column<uint32_t>& column, uint64_t which, Test test) noexcept {
    uint64_t bits = 0;
    for_each_bit(which, [&](unsigned i) { bits |= uint64_t{test(column[i])} << i; });
    return bits;
}
inline uint64_t equal(const Column<uint32_t>& column, uint32_t value, uint64_t which) noexcept {
    return bits_where(column, which, [=](uint32_t v) { return v == value; });
}
inline uint64_t at_most(const Column<uint32_t>& column, uint32_t value, uint64_t which) noexcept {
    return bits_where(column, which, [=](uint32_t v) { return v <= value; });
}
inline void fill(Column<uint16_t>& column, uint64_t which, uint16_t value) noexcept {
    for_each_bit(which, [&](unsigned i) { column[i] = value; });
}
}  // namespace plain

#ifdef RAVELIN_LANES
namespace detail {
template <typename Test>
[[gnu::always_inline]] inline uint64_t bits_where(const Column<uint32_t>& column,
                                                  Test test) noexcept {
    uint64_t bits = 0;
#pragma GCC unroll 4
    for (unsigned i = 0; i < kPlaces; i += lanes::kLanes)
        bits |= uint64_t{test(lanes::load(&column[i]))} << i;
    return bits;
}
}  // namespace detail
/// Those of `which` that have `value`.
inline uint64_t equal(const Column<uint32_t>& column, uint32_t value, uint64_t which) noexcept {
    const auto test = [=](lanes::Lanes v) { return lanes::equal(v, lanes::all(value)); };
    return which & detail::bits_where(column, test);
}
/// Those of `which` that have no more than `value`.
inline uint64_t at_most(const Column<uint32_t>& column, uint32_t value, uint64_t which) noexcept {
    const auto test = [=](lanes::Lanes v) { return lanes::at_most(v, lanes::all(value)); };
    return which & detail::bits_where(column, test);
}
inline void fill(Column<uint16_t>& column, uint64_t which, uint16_t value) noexcept {
    const __m512i all = _mm512_set1_epi16(static_cast<int16_t>(value));
    for (unsigned i = 0; i < kPlaces; i += 32) {
        const __m512i before = _mm512_loadu_si512(&column[i]);
        _mm512_storeu_si512(&column[i],
                            _mm512_mask_mov_epi16(before, static_cast<__mmask32>(which >> i), all));
    }
}
#else
using plain::at_most;
using plain::equal;
using plain::fill;
#endif

/// Calls fn(first, same) for the places of `which` that have one value in `column`, `first` the
/// first of them, until it has said of all that they are done: it returns which.
template <typename Fn>
inline void for_each_value(const Column<uint32_t>& column, uint64_t which, Fn&& fn) {
    while (which != 0) {
        const auto first = static_cast<unsigned>(__builtin_ctzll(which));
        which &= ~fn(first, equal(column, column[first], which));
    }
}

}  // namespace ravelin::columns
