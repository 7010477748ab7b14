// SPDX-License-Identifier: Apache-2.0
// How fast the time-stamp counter counts, for who runs without EAL too.
#pragma once
#include <cstdint>

namespace ravelin {

/// Cycles/s: as EAL knows, else as measured, once, in 10 ms.
uint64_t tsc_hz();

}  // namespace ravelin
