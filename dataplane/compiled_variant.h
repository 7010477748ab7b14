// SPDX-License-Identifier: Apache-2.0
// What only the path itself can say, which is compiled once for each variant.
#pragma once
#include <string_view>

namespace ravelin {

/// For which CPUs the engine of this program was compiled (dataplane/process/variant.h).
std::string_view compiled_variant() noexcept;

}  // namespace ravelin
