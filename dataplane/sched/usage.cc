// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/usage.h"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define RAVELIN_WORD_BY_WORD
#endif
#endif
#if defined(__AVX2__) && !defined(RAVELIN_WORD_BY_WORD)
#include <immintrin.h>
#endif

namespace ravelin::sched {

#if defined(__AVX2__) && !defined(RAVELIN_WORD_BY_WORD)
// Who reads meanwhile reads words, and CPUs write each word of an aligned vector at once. The
// thread sanitizer does not know that.
void Usage::add_packets(std::span<const uint32_t> places, const uint32_t* bytes,
                        uint64_t cycles) noexcept {
    static_assert(kOften == 4 && static_cast<size_t>(Use::kCycles) == 0 &&
                  static_cast<size_t>(Use::kBytes) == 1 && static_cast<size_t>(Use::kPackets) == 2);
    const __m256i alike = _mm256_set_epi64x(0, 1, 0, static_cast<int64_t>(cycles));
    auto* const lines = reinterpret_cast<char*>(lines_.data());
    const size_t n = places.size();
#pragma GCC unroll 4
    for (size_t i = 0; i < n; ++i) {
        auto* const at = reinterpret_cast<__m256i*>(lines + places.data()[i]);
        const __m256i one = _mm256_blend_epi32(alike, _mm256_set1_epi32(static_cast<int>(bytes[i])),
                                               1 << 2);  // of 32 bits
        _mm256_store_si256(at, _mm256_add_epi64(_mm256_load_si256(at), one));
    }
}
#else
void Usage::add_packets(std::span<const uint32_t> places, const uint32_t* bytes,
                        uint64_t cycles) noexcept {
    for (size_t i = 0; i < places.size(); ++i) add(at_place(places[i]), cycles, 1, bytes[i]);
}
#endif

}  // namespace ravelin::sched
