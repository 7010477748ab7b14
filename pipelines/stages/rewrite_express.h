// SPDX-License-Identifier: Apache-2.0
// The MACs that plain packets leave with: what `rewrite` decides of them.
#pragma once
#include <array>

#include "dataplane/express.h"
#include "pipelines/stages/rewrite_policy.h"

namespace ravelin::rewrite {

/// MACs and MTU of next hops, remembered as long as neither policy, learned routes nor neighbours
/// change. One worker's.
class ExpressWays {
  public:
    /// Says who leaves by which way; what is too big, waits for a neighbour or goes into a tunnel
    /// goes to the pipeline.
    void find(ExpressBurst& burst, const RewritePolicy& policy,
              const WorkerContext& context) noexcept;

  private:
    static constexpr unsigned kWays = 64;
    static constexpr uint32_t kNone = UINT32_MAX;
    struct Way {
        uint32_t next_hop = kNone;
        uint32_t mtu = 0;  ///< 0: not for plain packets
        std::array<uint8_t, 12> macs{};
    };
    void forget_old(const WorkerContext& context) noexcept;
    const Way& way_of(uint32_t next_hop, const IpAddress& destination, const RewritePolicy& policy,
                      const WorkerContext& context) noexcept;

    std::array<Way, kWays> ways_;
    uint64_t generation_ = 0;
    uint32_t epoch_ = 0, learned_ = 0, neighbours_ = 0;
};

}  // namespace ravelin::rewrite
