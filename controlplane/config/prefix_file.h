// SPDX-License-Identifier: Apache-2.0
// Prefix lists in files of their own: one prefix a line, '#' comments, blank lines; plain or gzip.
#pragma once
#include <cstdint>
#include <string>

#include "dataplane/result.h"

namespace ravelin::config {

/// Prefixes of a file in the order they stand, 17 bytes each (see Type::kPrefixSet). Refuses more
/// than `limit` prefixes. Errors in the content begin with "path:line:1: "; a file that cannot be
/// read at all gives an error without position.
Result<std::string> read_prefix_file(const std::string& path, uint64_t limit);

}  // namespace ravelin::config
