// SPDX-License-Identifier: Apache-2.0
// Sixteen 32-bit numbers at once, by AVX-512. Who includes this has a plain loop for other CPUs,
// and a test that both say the same. Values are unsigned.
#pragma once
#if defined(__AVX512VBMI__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__)
#define RAVELIN_LANES
#include <immintrin.h>

#include <cstdint>

namespace ravelin::lanes {

// GCC 12 takes what its own intrinsics leave undefined on purpose for a fault of ours (GCC bug
// 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

inline constexpr unsigned kLanes = 16;
using Lanes = __m512i;
using Which = uint32_t;  ///< a bit for each lane

inline Lanes load(const uint32_t* at) noexcept { return _mm512_loadu_si512(at); }
inline void store(uint32_t* at, Lanes a) noexcept { _mm512_storeu_si512(at, a); }
/// Bits of the first `n` lanes; of more than there are, all.
inline Which first(unsigned n) noexcept { return _bzhi_u32(0xffff, n < kLanes ? n : kLanes); }
/// Of the lanes `which` alone; in the rest 0.
inline Lanes load(const uint32_t* at, Which which) noexcept {
    return _mm512_maskz_loadu_epi32(static_cast<__mmask16>(which), at);
}
inline void store(uint32_t* at, Lanes a, Which which) noexcept {
    if (which == 0xffff) [[likely]]
        return store(at, a);
    _mm512_mask_storeu_epi32(at, static_cast<__mmask16>(which), a);
}
inline Lanes all(uint32_t v) noexcept { return _mm512_set1_epi32(static_cast<int>(v)); }
inline Lanes add(Lanes a, Lanes b) noexcept { return _mm512_add_epi32(a, b); }
inline Lanes subtract(Lanes a, Lanes b) noexcept { return _mm512_sub_epi32(a, b); }
inline Lanes mask(Lanes a, uint32_t bits) noexcept { return _mm512_and_si512(a, all(bits)); }
inline Lanes right(Lanes a, unsigned bits) noexcept { return _mm512_srli_epi32(a, bits); }
inline Lanes left(Lanes a, unsigned bits) noexcept { return _mm512_slli_epi32(a, bits); }
/// a where `which` is 0, b where it is 1.
inline Lanes choose(Which which, Lanes a, Lanes b) noexcept {
    return _mm512_mask_blend_epi32(static_cast<__mmask16>(which), a, b);
}
inline Which equal(Lanes a, Lanes b) noexcept { return _mm512_cmpeq_epu32_mask(a, b); }
inline Which differ(Lanes a, Lanes b) noexcept { return _mm512_cmpneq_epu32_mask(a, b); }
inline Which more(Lanes a, Lanes b) noexcept { return _mm512_cmpgt_epu32_mask(a, b); }
/// Which share with `first` the bits of `bits`.
inline Which within(Lanes a, uint32_t first, uint32_t bits) noexcept {
    return _mm512_testn_epi32_mask(_mm512_xor_si512(a, all(first)), all(bits));
}
inline Which at_most(Lanes a, Lanes b) noexcept { return _mm512_cmple_epu32_mask(a, b); }

}  // namespace ravelin::lanes
#endif
