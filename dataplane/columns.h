// SPDX-License-Identifier: Apache-2.0
// Columns of 64 numbers, asked and written as a whole: bit i of a mask is place i. By AVX-512 where
// there is, a plain loop elsewhere; the same either way (tests/unit/columns_test.cc).
#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "dataplane/lanes.h"

namespace ravelin::columns {

inline constexpr unsigned kPlaces = 64;
inline constexpr unsigned kBegin = 16;  ///< places that are looked at first
template <typename T>
using Column = std::array<T, kPlaces>;

/// Calls fn(i) for each bit i, ascending.
template <typename Fn>
inline void for_each_bit(uint64_t mask, Fn&& fn) {
    for (; mask != 0; mask &= mask - 1) fn(static_cast<unsigned>(__builtin_ctzll(mask)));
}

namespace plain {
template <typename T, typename Test>
uint64_t bits_where(const Column<T>& column, uint64_t which, Test test) noexcept {
    uint64_t bits = 0;
    for_each_bit(which, [&](unsigned i) { bits |= uint64_t{test(column[i])} << i; });
    return bits;
}
template <typename T>
uint64_t equal(const Column<T>& column, T value, uint64_t which) noexcept {
    return bits_where(column, which, [=](T v) { return v == value; });
}
inline bool begins_mixed(const Column<uint32_t>& column) noexcept {
    return equal(column, column[0], 0xffff) != 0xffff;
}
inline uint64_t among(const Column<uint8_t>& column, uint8_t bits, uint64_t set,
                      uint64_t which) noexcept {
    return bits_where(column, which, [=](uint8_t v) { return (set >> (v & bits) & 1) != 0; });
}
inline uint64_t at_most(const Column<uint32_t>& column, uint32_t value, uint64_t which) noexcept {
    return bits_where(column, which, [=](uint32_t v) { return v <= value; });
}
template <typename T>
void fill(Column<T>& column, uint64_t which, T value) noexcept {
    for_each_bit(which, [&](unsigned i) { column[i] = value; });
}
inline uint32_t sum(const Column<uint32_t>& column, uint64_t which) noexcept {
    uint32_t all = 0;
    for_each_bit(which, [&](unsigned i) { all += column[i]; });
    return all;
}
inline void copy(const Column<uint32_t>& from, uint64_t which, Column<uint32_t>& to) noexcept {
    for_each_bit(which, [&](unsigned i) { to[i] = from[i]; });
}
inline uint64_t alike(const Column<uint32_t>& column, uint32_t value, uint32_t bits,
                      uint64_t which) noexcept {
    return bits_where(column, which, [=](uint32_t v) { return ((v ^ value) & bits) == 0; });
}
inline void squeeze(const Column<uint32_t>& column, uint64_t which,
                    Column<uint32_t>& out) noexcept {
    unsigned n = 0;
    for_each_bit(which, [&](unsigned i) { out[n++] = column[i]; });
}
inline void spread(const Column<uint32_t>& squeezed, uint64_t which,
                   Column<uint32_t>& out) noexcept {
    unsigned n = 0;
    for_each_bit(which, [&](unsigned i) { out[i] = squeezed[n++]; });
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
/// Whether one of the first sixteen differs from the first.
inline bool begins_mixed(const Column<uint32_t>& column) noexcept {
    static_assert(lanes::kLanes == kBegin);
    return lanes::differ(lanes::load(column.data()), lanes::all(column[0])) != 0;
}
inline uint64_t equal(const Column<uint16_t>& column, uint16_t value, uint64_t which) noexcept {
    const __m512i all = _mm512_set1_epi16(static_cast<int16_t>(value));
    const uint64_t low = _mm512_cmpeq_epi16_mask(_mm512_loadu_si512(&column[0]), all),
                   high = _mm512_cmpeq_epi16_mask(_mm512_loadu_si512(&column[32]), all);
    return which & (low | high << 32);
}
inline uint64_t equal(const Column<uint8_t>& column, uint8_t value, uint64_t which) noexcept {
    return which & _mm512_cmpeq_epi8_mask(_mm512_loadu_si512(&column[0]),
                                          _mm512_set1_epi8(static_cast<char>(value)));
}
/// Those of `which` that share `bits` with `value`.
inline uint64_t alike(const Column<uint32_t>& column, uint32_t value, uint32_t bits,
                      uint64_t which) noexcept {
    const auto test = [=](lanes::Lanes v) { return lanes::within(v, value, bits); };
    return which & detail::bits_where(column, test);
}
/// Those of `which` whose `bits` make the number of a bit of `set`; `bits` at most 63.
inline uint64_t among(const Column<uint8_t>& column, uint8_t bits, uint64_t set,
                      uint64_t which) noexcept {
    const __m512i values =
        _mm512_and_si512(_mm512_loadu_si512(&column[0]), _mm512_set1_epi8(static_cast<char>(bits)));
    return which & _mm512_movepi8_mask(_mm512_permutexvar_epi8(values, _mm512_movm_epi8(set)));
}
/// Those of `which` that have no more than `value`.
inline uint64_t at_most(const Column<uint32_t>& column, uint32_t value, uint64_t which) noexcept {
    const auto test = [=](lanes::Lanes v) { return lanes::at_most(v, lanes::all(value)); };
    return which & detail::bits_where(column, test);
}
inline void fill(Column<uint32_t>& column, uint64_t which, uint32_t value) noexcept {
    for (unsigned i = 0; i < kPlaces; i += lanes::kLanes)
        lanes::store(&column[i], lanes::choose(static_cast<lanes::Which>(which >> i),
                                               lanes::load(&column[i]), lanes::all(value)));
}
inline void fill(Column<uint16_t>& column, uint64_t which, uint16_t value) noexcept {
    const __m512i all = _mm512_set1_epi16(static_cast<int16_t>(value));
    for (unsigned i = 0; i < kPlaces; i += 32) {
        const __m512i before = _mm512_loadu_si512(&column[i]);
        _mm512_storeu_si512(&column[i],
                            _mm512_mask_mov_epi16(before, static_cast<__mmask32>(which >> i), all));
    }
}
/// Of `which`, which must fit.
inline uint32_t sum(const Column<uint32_t>& column, uint64_t which) noexcept {
    lanes::Lanes all = lanes::all(0);
    for (unsigned i = 0; i < kPlaces; i += lanes::kLanes)
        all = _mm512_mask_add_epi32(all, static_cast<__mmask16>(which >> i), all,
                                    lanes::load(&column[i]));
    return static_cast<uint32_t>(_mm512_reduce_add_epi32(all));
}
/// The numbers of `which` to the same places.
inline void copy(const Column<uint32_t>& from, uint64_t which, Column<uint32_t>& to) noexcept {
    for (unsigned i = 0; i < kPlaces; i += lanes::kLanes)
        lanes::store(&to[i], lanes::choose(static_cast<lanes::Which>(which >> i),
                                           lanes::load(&to[i]), lanes::load(&from[i])));
}
/// The numbers of `which`, one behind the other; what is behind them is anything.
inline void squeeze(const Column<uint32_t>& column, uint64_t which,
                    Column<uint32_t>& out) noexcept {
    unsigned n = 0;
    for (unsigned i = 0; i < kPlaces; i += lanes::kLanes) {
        const auto here = static_cast<__mmask16>(which >> i);
        lanes::store(&out[n], _mm512_maskz_compress_epi32(here, lanes::load(&column[i])));
        n += static_cast<unsigned>(_mm_popcnt_u32(here));
    }
}
/// Squeezed numbers back to the places of `which`; other places are anything.
inline void spread(const Column<uint32_t>& squeezed, uint64_t which,
                   Column<uint32_t>& out) noexcept {
    unsigned n = 0;
    for (unsigned i = 0; i < kPlaces; i += lanes::kLanes) {
        const auto here = static_cast<__mmask16>(which >> i);
        lanes::store(&out[i], _mm512_maskz_expand_epi32(here, lanes::load(&squeezed[n])));
        n += static_cast<unsigned>(_mm_popcnt_u32(here));
    }
}
#else
using plain::alike;
using plain::among;
using plain::at_most;
using plain::begins_mixed;
using plain::copy;
using plain::equal;
using plain::fill;
using plain::spread;
using plain::squeeze;
using plain::sum;
#endif

/// Calls fn(first, same) for the places of `which` that have one value in `column`, `first` the
/// first of them, until it has said of all that they are done: it returns which.
template <typename T, typename Fn>
inline void for_each_value(const Column<T>& column, uint64_t which, Fn&& fn) {
    while (which != 0) {
        const auto first = static_cast<unsigned>(__builtin_ctzll(which));
        which &= ~fn(first, equal(column, column[first], which));
    }
}

}  // namespace ravelin::columns
