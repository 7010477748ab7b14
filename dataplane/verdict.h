// SPDX-License-Identifier: Apache-2.0
#pragma once
#include <cstdint>

namespace ravelin {

/// What a stage decided for a packet. `kPass` moves on; the others leave the burst at settle().
enum class Verdict : uint8_t {
    kPass,
    kDrop,      ///< freed and counted under its reason
    kConsumed,  ///< the stage took the frame: held, handed over, answered in place
};

/// Index of a counter; a drop reason is the counter "drop.<stage>.<reason>".
using CounterId = uint16_t;
using DropCode = CounterId;

using PortId = uint16_t;
inline constexpr PortId kNoPort = 0xffff;     ///< no way out known
inline constexpr PortId kLocalPort = 0xfffe;  ///< for the box itself
using WorkerId = uint16_t;
inline constexpr uint32_t kNoRule = 0xffffffff;

}  // namespace ravelin
