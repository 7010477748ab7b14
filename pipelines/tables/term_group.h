// SPDX-License-Identifier: Apache-2.0
// TermGroup: 16 terms of rules, which a packet is compared with at once: 20 instructions with
// AVX-512, nine cache lines. A term is a rule without lists: a range in each of the addresses and
// ports, and sets of classes for the rest.
#pragma once
#include <array>
#include <cstdint>
#if defined(__AVX512BW__) && defined(__AVX512VL__)
#include <immintrin.h>
#endif

#include "dataplane/columns.h"

namespace ravelin {

enum class TermField : uint8_t { kSource, kDestination, kSourcePort, kDestinationPort };
inline constexpr size_t kTermFields = 4;

/// Packets as terms see them, a column each of what is asked.
struct Probes {
    static constexpr unsigned kMost = columns::kPlaces;
    static constexpr uint32_t kPresent = 1u << 31;
    std::array<columns::Column<uint32_t>, kTermFields> value;  ///< by TermField, host order
    columns::Column<uint32_t> kind;   ///< the bits of protocol, state and ICMP type, and kPresent
    columns::Column<uint32_t> place;  ///< the bits of the ports in and out
};

struct alignas(64) TermGroup {
    static constexpr unsigned kTerms = 16;
    using Words = std::array<uint32_t, kTerms>;
    using Halves = std::array<uint16_t, kTerms>;
    // A term holds `value` if value - low <= width. A lane without one refuses every kind.
    Words source{}, source_width{}, destination{}, destination_width{};
    Halves destination_port{}, destination_port_width{};
    Words refused_kind = filled(~0u);
    Words rule{};  ///< ascending
    Halves source_port{}, source_port_width{};
    Words refused_place{};

    /// All lines; the last two are looked at by few rules.
    void prefetch() const noexcept {
        for (unsigned line = 0; line < 7; ++line)
            __builtin_prefetch(reinterpret_cast<const char*>(this) + line * size_t{64});
    }
    static constexpr Words filled(uint32_t value) {
        Words words{};
        words.fill(value);
        return words;
    }
};
static_assert(sizeof(TermGroup) == 9 * 64);

/// Bit i: term i has packet `at`, one term after the other.
inline unsigned matching_plain(const TermGroup& g, const Probes& p, unsigned at) noexcept {
    const uint32_t source = p.value[0][at], destination = p.value[1][at],
                   source_port = p.value[2][at], destination_port = p.value[3][at];
    unsigned mask = 0;
    for (unsigned i = 0; i < TermGroup::kTerms; ++i) {
        // No branch: which term misses in which field nobody can predict.
        const unsigned holds =
            unsigned{source - g.source[i] <= g.source_width[i]} &
            unsigned{destination - g.destination[i] <= g.destination_width[i]} &
            unsigned{static_cast<uint16_t>(source_port - g.source_port[i]) <=
                     g.source_port_width[i]} &
            unsigned{static_cast<uint16_t>(destination_port - g.destination_port[i]) <=
                     g.destination_port_width[i]} &
            unsigned{((p.kind[at] & g.refused_kind[i]) | (p.place[at] & g.refused_place[i])) == 0};
        mask |= holds << i;
    }
    return mask;
}

#if defined(__AVX512BW__) && defined(__AVX512VL__)
/// Groups of a leaf; with more of them Classifier is faster.
inline constexpr unsigned kMostInLeaf = 31;
/// The same as matching_plain(). Without `by_place` and `by_source_port` those lines are left
/// alone: no term looks.
inline unsigned matching(const TermGroup& g, const Probes& p, unsigned at, bool by_place,
                         bool by_source_port) noexcept {
    const auto all = [](uint32_t v) { return _mm512_set1_epi32(static_cast<int>(v)); };
    const auto within = [&](const TermGroup::Words& low, const TermGroup::Words& width,
                            uint32_t v) -> unsigned {
        return _mm512_cmple_epu32_mask(_mm512_sub_epi32(all(v), _mm512_load_si512(&low)),
                                       _mm512_load_si512(&width));
    };
    const auto half = [](const TermGroup::Halves& h) {
        return _mm256_load_si256(reinterpret_cast<const __m256i*>(&h));
    };
    const auto port_within = [&](const TermGroup::Halves& low, const TermGroup::Halves& width,
                                 uint32_t v) -> unsigned {
        const __m256i from = _mm256_set1_epi16(static_cast<int16_t>(v));
        return _mm256_cmple_epu16_mask(_mm256_sub_epi16(from, half(low)), half(width));
    };
    const auto takes = [&](const TermGroup::Words& refused, uint32_t v) -> unsigned {
        return _mm512_testn_epi32_mask(_mm512_load_si512(&refused), all(v));
    };
    unsigned mask = within(g.source, g.source_width, p.value[0][at]) &
                    within(g.destination, g.destination_width, p.value[1][at]) &
                    port_within(g.destination_port, g.destination_port_width, p.value[3][at]) &
                    takes(g.refused_kind, p.kind[at]);
    if (by_source_port) mask &= port_within(g.source_port, g.source_port_width, p.value[2][at]);
    if (by_place) mask &= takes(g.refused_place, p.place[at]);
    return mask;
}
#else
inline constexpr unsigned kMostInLeaf = 4;
inline unsigned matching(const TermGroup& g, const Probes& p, unsigned at, bool, bool) noexcept {
    return matching_plain(g, p, at);
}
#endif

}  // namespace ravelin
