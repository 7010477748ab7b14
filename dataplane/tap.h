// SPDX-License-Identifier: Apache-2.0
// Tap: the kernel's end of a port, a TAP device with the port's MAC address. The kernel sees the
// port through it: what is written arrives there, what it sends is read here.
#pragma once
#include <cstdint>
#include <string>

#include "dataplane/address.h"
#include "dataplane/result.h"
#include "dataplane/verdict.h"

namespace ravelin {

struct TapConfig {
    std::string name;  ///< the kernel's name for it, at most 15 characters
    PortId port = kNoPort;
    MacAddress mac;
};

/// Opens or makes the device; a descriptor that does not block, of whole frames. The device stays
/// when the descriptor is closed, so that a data plane that dies takes no session of the kernel
/// with it; the control plane removes it (controlplane/kernel/tap_keeper.h). Needs CAP_NET_ADMIN.
Result<int> open_tap(const TapConfig& config);
/// How a test puts something else in its place.
using TapOpener = Result<int> (*)(const TapConfig&);

/// Tells the kernel whether the port's link is up. What is no TAP takes no notice.
void set_tap_carrier(int tap, bool up) noexcept;

}  // namespace ravelin
