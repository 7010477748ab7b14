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

}  // namespace ravelin::config
