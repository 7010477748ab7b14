// SPDX-License-Identifier: Apache-2.0
// How fast the time-stamp counter counts, for who runs without EAL too, and whether evenly.
#pragma once
#include <cstdint>

namespace ravelin {

/// Cycles/s: as EAL knows, else as measured, once, in 10 ms.
uint64_t tsc_hz();
/// Whether it counts at one pace, asleep or not, and the kernel tells the time by it. Looked up
/// once, in /sys: before that is closed to us.
bool tsc_is_steady();

}  // namespace ravelin
