// SPDX-License-Identifier: Apache-2.0
// The words of a packet text with their positions, and readers of values that explain themselves.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/result.h"

namespace ravelin::net {

/// A word as it stands in the text. Parentheses are words; quotes around a value are removed.
struct Token {
    std::string text;
    size_t at = 0;  ///< position of its first character; the first is 1
    /// The part before '=', or all of it.
    [[nodiscard]] std::string_view key() const {
        return std::string_view(text).substr(0, text.find('='));
    }
    /// The part behind '='.
    [[nodiscard]] std::string_view value() const {
        return std::string_view(text).substr(text.find('=') + 1);
    }
    [[nodiscard]] bool has_value() const { return text.find('=') != std::string::npos; }
};

/// "position 12: found 'x', expected y"
Error unexpected(const Token& token, std::string_view expected);
Result<std::vector<Token>> split_words(std::string_view text);
/// Decimal or 0x hexadecimal number, 0..maximum.
Result<uint64_t> number(const Token& token, std::string_view digits, uint64_t maximum);
Result<std::vector<uint8_t>> hex_bytes(const Token& token, std::string_view digits);

}  // namespace ravelin::net
