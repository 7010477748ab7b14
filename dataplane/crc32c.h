// SPDX-License-Identifier: Apache-2.0
// CRC-32C (Castagnoli, RFC 3720 appendix B.4): one instruction per 8 bytes where SSE4.2 is there.
#pragma once
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __SSE4_2__
#include <nmmintrin.h>
#endif

namespace ravelin {

/// One 8-byte step, bit by bit: the fallback, and what the test compares the instruction with.
constexpr uint32_t crc32c_step_software(uint32_t crc, uint64_t word) noexcept {
    uint64_t state = word ^ crc;
    for (int bit = 0; bit < 64; ++bit) state = (state >> 1) ^ ((state & 1) != 0 ? 0x82f63b78u : 0u);
    return static_cast<uint32_t>(state);
}

/// One 8-byte step, no pre- or post-inversion.
inline uint32_t crc32c_step(uint32_t crc, uint64_t word) noexcept {
#ifdef __SSE4_2__
    return static_cast<uint32_t>(_mm_crc32_u64(crc, word));
#else
    return crc32c_step_software(crc, word);
#endif
}

/// Over `bytes` (a multiple of 8) from `data`, starting at `seed`, without inversions.
inline uint32_t crc32c(const void* data, size_t bytes, uint32_t seed) noexcept {
    const auto* at = static_cast<const unsigned char*>(data);
    for (; bytes >= 8; bytes -= 8, at += 8) {
        uint64_t word;
        std::memcpy(&word, at, 8);
        seed = crc32c_step(seed, word);
    }
    return seed;
}

}  // namespace ravelin
