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
    /// Half the descriptors a port asks for: what a short stall of the machine leaves is worked
    /// off.
    static constexpr uint16_t kCrowded = 512;
    /// A kernel's socket does not tell how much waits: so many full calls in a row are a full ring.
    static constexpr unsigned kFullCalls = 1024 / limits::kArrivals;

    Intake() = default;
    explicit Intake(bool counts_calls) : counts_calls_(counts_calls) {}

    /// Frames of no proven flow that may go on of the `received` that a call brought, 1 to
    /// kArrivals. A driver that tells nothing allows all.
    unsigned allow(uint16_t device, uint16_t queue, unsigned received) noexcept {
        const bool full = received == limits::kArrivals;
        full_calls_ = full ? full_calls_ + 1 : 0;
        if (full && (counts_calls_ ? full_calls_ > kFullCalls : is_crowded(device, queue)))
            allowed_ = std::max(allowed_ - (allowed_ + 3) / 4, 1u);
        else
            allowed_ = std::min(allowed_ + allowed_ / 8 + 1, limits::kArrivals);
        return allowed_;
    }

  private:
    static bool is_crowded(uint16_t device, uint16_t queue) noexcept {
        return rte_eth_rx_descriptor_status(device, queue, kCrowded) == RTE_ETH_RX_DESC_DONE;
    }
    unsigned full_calls_ = 0, allowed_ = limits::kArrivals;
    bool counts_calls_ = false;
};

}  // namespace ravelin
