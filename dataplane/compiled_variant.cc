// SPDX-License-Identifier: Apache-2.0
#include "dataplane/compiled_variant.h"

#include "dataplane/lanes.h"

namespace ravelin {

std::string_view compiled_variant() noexcept {
#ifdef RAVELIN_LANES
    return "avx512";
#else
    return "avx2";
#endif
}

}  // namespace ravelin
