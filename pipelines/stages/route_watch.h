// SPDX-License-Identifier: Apache-2.0
// GatewayWatch: sees that worker 0 knows the gateways of groups, also those without packets.
#pragma once
#include "pipelines/stages/route_next_hops.h"

namespace ravelin {

class GatewayWatch {
  public:
    /// Worker 0, once a millisecond: looks up each gateway once a second, which has a stale one
    /// verified, and asks for those that are not known. Of the policy's groups and the learned
    /// ones, a few each time.
    void tick(const NextHops& hops, WorkerContext& context) noexcept;

  private:
    size_t at_ = 0;
    uint32_t round_ms_ = 0;
};

}  // namespace ravelin
