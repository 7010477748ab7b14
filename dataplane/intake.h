// SPDX-License-Identifier: Apache-2.0
// Intake: how much of a receive queue's new work a worker takes on in one call while the queue's
// ring fills faster than it empties. What is not taken on is given up at the cost of one look, and
// the packets of proven flows behind it arrive; a full ring would lose both alike.
#pragma once
#include <rte_ethdev.h>

#include <algorithm>

#include "dataplane/limits.h"

namespace ravelin {

/// One receive queue's. A quarter less for each full call that leaves the ring more than half full,
/// an eighth more for each that does not: the ring stays short, and the worker busy.
class Intake {
  public:
    /// `ring`: the queue's descriptors; half of them are what a short stall of the machine leaves
    /// to be worked off. `tells`: the driver says how many wait; else, as behind a kernel's
    /// socket, a ring's worth of full calls in a row is a full ring.
    explicit Intake(uint16_t ring, bool tells = true)
        : crowded_(ring / 2), full_calls_allowed_(ring / limits::kArrivals), tells_(tells) {}

    /// Frames of no proven flow that may go on of the `received` that a call brought, 1 to
    /// kArrivals. A driver that tells nothing allows all.
    unsigned allow(uint16_t device, uint16_t queue, unsigned received) noexcept {
        const bool full = received == limits::kArrivals;
        full_calls_ = full ? full_calls_ + 1 : 0;
        if (full && (tells_ ? is_crowded(device, queue) : full_calls_ > full_calls_allowed_))
            allowed_ = std::max(allowed_ - (allowed_ + 3) / 4, 1u);
        else
            allowed_ = std::min(allowed_ + allowed_ / 8 + 1, limits::kArrivals);
        return allowed_;
    }

  private:
    [[nodiscard]] bool is_crowded(uint16_t device, uint16_t queue) const noexcept {
        return rte_eth_rx_descriptor_status(device, queue, crowded_) == RTE_ETH_RX_DESC_DONE;
    }
    uint16_t crowded_, full_calls_allowed_;
    bool tells_;
    unsigned full_calls_ = 0, allowed_ = limits::kArrivals;
};

}  // namespace ravelin
