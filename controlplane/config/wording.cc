// SPDX-License-Identifier: Apache-2.0
#include "controlplane/config/wording.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

namespace ravelin::config {
namespace {

constexpr size_t kShownBytes = 60, kJoinedWords = 32, kNameBytes = 63;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Edits (insert, delete, replace, swap neighbours) that turn `a` into `b`, ignoring case.
size_t edit_distance(std::string_view a, std::string_view b) {
    std::vector<size_t> before(b.size() + 1), above(b.size() + 1), row(b.size() + 1);
    std::iota(above.begin(), above.end(), size_t{0});
    for (size_t i = 1; i <= a.size(); ++i) {
        row[0] = i;
        for (size_t j = 1; j <= b.size(); ++j) {
            const bool same = lower(a[i - 1]) == lower(b[j - 1]);
            row[j] = std::min({above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1)});
            if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
                lower(a[i - 2]) == lower(b[j - 1]))
                row[j] = std::min(row[j], before[j - 2] + 1);
        }
        std::swap(before, above);
        std::swap(above, row);
    }
    return above[b.size()];
}

}  // namespace

std::string shown(std::string_view text) {
    std::string out = "'";
    size_t end = std::min(text.size(), kShownBytes);
    while (end < text.size() && end > 0 && (static_cast<uint8_t>(text[end]) & 0xc0) == 0x80) --end;
    for (const char c : text.substr(0, end))
        out.push_back(static_cast<uint8_t>(c) < 0x20 || c == 0x7f ? '?' : c);
    return out + (end < text.size() ? "...'" : "'");
}

std::string join(std::span<const std::string_view> words) {
    const size_t count = std::min(words.size(), kJoinedWords);
    std::string out = fmt::format("{}", fmt::join(words.begin(), words.begin() + count, ", "));
    if (count < words.size()) out += fmt::format(" and {} more", words.size() - count);
    return out;
}

std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates) {
    if (word.size() > kNameBytes) return {};
    std::string_view nearest;
    size_t best = std::max<size_t>(1, word.size() / 3) + 1;
    for (const std::string_view candidate : candidates) {
        if (candidate.size() > kNameBytes) continue;
        const size_t distance = edit_distance(word, candidate);
        if (distance < best && distance < candidate.size()) {
            best = distance;
            nearest = candidate;
        }
    }
    return nearest.empty() ? std::string() : fmt::format("; did you mean '{}'?", nearest);
}

std::string not_among(std::string_view word, std::span<const std::string_view> candidates) {
    if (candidates.empty()) return shown(word) + "; there are none";
    const std::string nearest = did_you_mean(word, candidates);
    return fmt::format("{}{} known: {}", shown(word), nearest.empty() ? ";" : nearest,
                       join(candidates));
}

bool is_name(std::string_view text) {
    return !text.empty() && text.size() <= kNameBytes && std::ranges::all_of(text, [](char c) {
        return (lower(c) >= 'a' && lower(c) <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
               c == '_' || c == '.' || c == '/';
    });
}

}  // namespace ravelin::config
