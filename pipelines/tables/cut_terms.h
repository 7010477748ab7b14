// SPDX-License-Identifier: Apache-2.0
// What CutTrees are made of: rules without lists, over classes instead of values.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "pipelines/tables/classifier.h"
#include "pipelines/tables/term_group.h"

namespace ravelin {

/// One combination of what an IPv4 rule lists. Both ends of a range are in it.
struct CutTerm {
    std::array<uint32_t, kTermFields> low{}, high{};  ///< by TermField
    uint32_t refused_kind = 0, refused_place = 0;     ///< bits of Probe that it does not hold
    uint32_t rule = 0;
};

/// A bit for each class of values that rules tell apart; empty: they tell none.
struct ValueBits {
    std::vector<uint32_t> of;
    [[nodiscard]] uint32_t operator[](size_t value) const noexcept {
        return of.empty() ? 0 : of[value];
    }
};

struct CutTerms {
    std::vector<CutTerm> terms;  ///< rules ascending
    ValueBits protocol, state, icmp_type, in_port, out_port;
};

/// Of valid rules. Nothing where there are more classes than bits, or more than four times as many
/// terms as rules, and a few thousand.
std::optional<CutTerms> cut_terms_of(std::span<const ClassifierRule> rules);

}  // namespace ravelin
