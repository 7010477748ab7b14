// SPDX-License-Identifier: Apache-2.0
// RuleTally: hits of one burst; packets of one rule often follow each other.
#pragma once
#include "dataplane/counters.h"

namespace ravelin {

struct RuleTally {
    uint32_t slot = kNoRule;
    uint64_t packets = 0, bytes = 0;

    void hit(uint32_t rule_slot, uint32_t packet_bytes, const WorkerCounters& counters) noexcept {
        if (rule_slot != slot) flush(counters);
        slot = rule_slot;
        ++packets;
        bytes += packet_bytes;
    }
    void flush(const WorkerCounters& counters) noexcept {
        if (packets != 0 && slot != kNoRule) counters.hit_rule(slot, packets, bytes);
        packets = bytes = 0;
    }
};

}  // namespace ravelin
