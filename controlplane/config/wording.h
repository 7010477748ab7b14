// SPDX-License-Identifier: Apache-2.0
// How error lines quote what was found and name what was expected. Always one line.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace ravelin::config {

/// 'text' in quotes, cut to a readable length, control characters replaced: never breaks the line.
std::string shown(std::string_view text);

/// "a, b, c"; at most 32 words, then how many more there are.
std::string join(std::span<const std::string_view> words);

/// "; did you mean 'nearest'?" with its leading semicolon; empty where no candidate is near.
std::string did_you_mean(std::string_view word, std::span<const std::string_view> candidates);

/// "'word'; did you mean 'nearest'? known: a, b": for a word that is none of the candidates.
std::string not_among(std::string_view word, std::span<const std::string_view> candidates);

/// 1 to 63 letters, digits and - _ . / (the rule of Type::kName).
bool is_name(std::string_view text);

}  // namespace ravelin::config
