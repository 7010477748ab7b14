// SPDX-License-Identifier: Apache-2.0
// What a document must be before YAML is read: of sane size, UTF-8, without control characters.
#pragma once
#include <string>
#include <string_view>

#include "dataplane/result.h"

namespace ravelin::config {

/// Refuses texts above `limit` bytes, invalid UTF-8, and control characters other than tab and
/// line ends. (yaml-cpp takes byte 4 for the end of its input and would silently stop there.)
Status check_text(std::string_view text, const std::string& file_name, size_t limit);

/// Whether all of `text` is UTF-8 (Unicode table 3-7).
bool is_utf8(std::string_view text);

}  // namespace ravelin::config
