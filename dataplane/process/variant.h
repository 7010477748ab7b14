// SPDX-License-Identifier: Apache-2.0
// Variant: for which CPUs the fast path was compiled. All do the same (tests/variants).
#pragma once
#include <algorithm>
#include <string_view>

namespace ravelin {

/// Whether this machine, its CPU and its kernel, runs what is compiled for `variant`.
inline bool runs_here(std::string_view variant) noexcept {
    __builtin_cpu_init();
    const bool avx2 = __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("bmi2") != 0 &&
                      __builtin_cpu_supports("fma") != 0;
    if (variant == "avx2") return avx2;
    return variant == "avx512" && avx2 && __builtin_cpu_supports("avx512bw") != 0 &&
           __builtin_cpu_supports("avx512dq") != 0 && __builtin_cpu_supports("avx512vl") != 0 &&
           __builtin_cpu_supports("avx512cd") != 0 && __builtin_cpu_supports("avx512vbmi") != 0;
}

/// The first of `variants`, one space between two, for which `runs` holds; empty: none.
template <typename Runs>
constexpr std::string_view first_variant(std::string_view variants, Runs runs) {
    while (!variants.empty()) {
        const std::string_view variant = variants.substr(0, variants.find(' '));
        if (runs(variant)) return variant;
        variants.remove_prefix(std::min(variants.size(), variant.size() + 1));
    }
    return {};
}

}  // namespace ravelin
