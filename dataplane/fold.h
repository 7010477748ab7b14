// SPDX-License-Identifier: Apache-2.0
// The two steps that keyed hashes of tables are made of.
#pragma once
#include <cstdint>

namespace ravelin {

__extension__ using Word128 = unsigned __int128;

/// The halves of the 128-bit product, added without carry: every bit depends on every other.
constexpr uint64_t fold(uint64_t a, uint64_t b) noexcept {
    const Word128 product = Word128{a} * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

/// One of `count` places, evenly, without a division.
constexpr uint64_t place_in(uint64_t hash, uint64_t count) noexcept {
    return static_cast<uint64_t>(Word128{hash} * count >> 64);
}

}  // namespace ravelin
