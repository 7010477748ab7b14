// SPDX-License-Identifier: Apache-2.0
// SparePipeline: stages of its own, no flows, counters nobody sees. Made packets run through it
// under any policy, published or not, as dry runs on the control thread: the box notices nothing.
#pragma once
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/process/appliance.h"

namespace ravelin {

/// What became of one made packet.
struct Tried {
    Verdict verdict = Verdict::kDrop;
    DropCode reason = 0;  ///< of a drop
    PacketMeta meta;      ///< as the last stage left it
};

class SparePipeline {
  public:
    /// `box` must outlive it.
    static Result<std::unique_ptr<SparePipeline>> make(const Appliance& box);

    /// Error: no buffer was free, or the frame is longer than one.
    Result<Tried> run(const PolicySnapshot& policy, std::span<const uint8_t> frame, PortId port,
                      const Now& now);
    [[nodiscard]] const Appliance& box() const { return box_; }

  private:
    static constexpr uint32_t kFlows = 16;  // none is ever in it; it must have some room
    struct Free {
        void operator()(void* memory) const noexcept { std::free(memory); }
    };
    explicit SparePipeline(const Appliance& box);

    const Appliance& box_;
    Pipeline pipeline_;
    std::unique_ptr<void, Free> memory_;
    std::unique_ptr<FlowTable> flows_;
    std::vector<uint64_t> counters_;
    std::vector<RuleCounter> hits_;
    ByteRing events_{1 << 12};
    std::unique_ptr<Burst> burst_ = std::make_unique<Burst>();
};

}  // namespace ravelin
