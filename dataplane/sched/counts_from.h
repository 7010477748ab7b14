// SPDX-License-Identifier: Apache-2.0
// CountsFrom: from when a frame counts at a port with a rate, where that is before it comes there.
#pragma once
#include <cstdint>

namespace ravelin::sched {

struct CountsFrom {
    uint64_t ns = UINT64_MAX;      ///< its release there
    uint64_t due_ns = UINT64_MAX;  ///< no later than that: when it was to come at the latest
};

}  // namespace ravelin::sched
