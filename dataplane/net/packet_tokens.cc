// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/packet_tokens.h"

#include <fmt/format.h>

#include <charconv>

namespace ravelin::net {

Error unexpected(const Token& token, std::string_view expected) {
    return Error{fmt::format("position {}: found {}, expected {}", token.at,
                             token.text.empty() ? "the end" : "'" + token.text + "'", expected)};
}

Result<std::vector<Token>> split_words(std::string_view text) {
    std::vector<Token> words;
    Token word;
    bool quoted = false;
    const auto close = [&] {
        if (!word.text.empty()) words.push_back(std::move(word));
        word = {};
    };
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
        if (!quoted && (space || c == '(' || c == ')')) {
            close();
            if (!space) words.push_back({std::string(1, c), i + 1});
            continue;
        }
        if (word.text.empty()) word.at = i + 1;
        if (c == '"' && (quoted || word.has_value()))
            quoted = !quoted;
        else
            word.text += c;
    }
    if (quoted) return unexpected(word, "a closing quote");
    close();
    return words;
}

Result<uint64_t> number(const Token& token, std::string_view digits, uint64_t maximum) {
    const bool hex = digits.starts_with("0x");
    if (hex) digits.remove_prefix(2);
    uint64_t value = 0;
    const char* last = digits.data() + digits.size();
    const auto [end, status] = std::from_chars(digits.data(), last, value, hex ? 16 : 10);
    if (digits.empty() || status != std::errc{} || end != last || value > maximum)
        return unexpected(token, fmt::format("a number from 0 to {}", maximum));
    return value;
}

Result<std::vector<uint8_t>> hex_bytes(const Token& token, std::string_view digits) {
    std::vector<uint8_t> out;
    for (size_t i = 0; i + 1 < digits.size(); i += 2) {
        uint8_t byte = 0;
        const char* at = digits.data() + i;
        const auto [end, status] = std::from_chars(at, at + 2, byte, 16);
        if (status != std::errc{} || end != at + 2)
            return unexpected(token, "pairs of hexadecimal digits");
        out.push_back(byte);
    }
    if (digits.size() % 2 != 0) return unexpected(token, "pairs of hexadecimal digits");
    return out;
}

}  // namespace ravelin::net
