// SPDX-License-Identifier: Apache-2.0
// Bytes in JSON (RFC 4648 section 4).
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace ravelin::cli {

/// Nothing where the text is not base64.
inline std::optional<std::vector<uint8_t>> from_base64(std::string_view text) {
    constexpr std::string_view kDigits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while (text.ends_with('=')) text.remove_suffix(1);
    std::vector<uint8_t> out;
    out.reserve(text.size() * 3 / 4);
    uint32_t bits = 0;
    unsigned have = 0;
    for (const char c : text) {
        const size_t digit = kDigits.find(c);
        if (digit == std::string_view::npos) return std::nullopt;
        bits = bits << 6 | static_cast<uint32_t>(digit);
        if ((have += 6) < 8) continue;
        have -= 8;
        out.push_back(static_cast<uint8_t>(bits >> have));
    }
    return out;
}

}  // namespace ravelin::cli
