// SPDX-License-Identifier: Apache-2.0
// Watch: what `trace` and `capture` follow. A classic BPF program (tcpdump's language, compiled by
// the control plane, validated here) picks frames as they are received; the pipeline then records
// each stage's effect on them. Costs one branch a burst while nobody watches.
#pragma once
#include <pcap/pcap.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/events.h"
#include "dataplane/stage.h"

namespace ravelin {

struct WatchSpec {
    std::vector<bpf_insn> filter;  ///< empty: every frame
    PortId port = kNoPort;         ///< kNoPort: every port
    uint32_t limit = 0;            ///< frames per worker; 0: no limit
    uint32_t snap_bytes = 0;       ///< captured bytes of each frame
    bool trace = false, capture = false;

    /// Unpacks and validates instructions from Watch.filter. False: not a program.
    static bool decode(const std::vector<uint64_t>& packed, std::vector<bpf_insn>& filter);
};

/// A worker's view of the current watch. Set between bursts by the worker itself.
class Watch {
  public:
    void set(const WatchSpec* spec) {
        spec_ = spec;
        seen_ = 0;
    }
    [[nodiscard]] bool active() const { return spec_ != nullptr; }
    /// Marks frames just received that the filter takes; writes capture records.
    void mark(Burst& burst, WorkerContext& context) noexcept;

  private:
    /// A frame as the watched port has it; filters and captures see the first segment.
    struct View {
        const uint8_t* bytes = nullptr;  ///< null: it is another port's
        uint32_t length = 0, contiguous = 0;
        PortId port = kNoPort;
    };
    View view(const rte_mbuf* frame, PortId in_port, const PolicySnapshot& policy) noexcept;
    void capture(const View& frame, WorkerContext& context) const noexcept;

    std::array<uint8_t, limits::kMaxFrame> untagged_;
    const WatchSpec* spec_ = nullptr;
    uint32_t seen_ = 0;
    uint32_t next_id_ = 0;
};

/// Writes a TraceRecord for each watched packet of the burst.
void record_trace(const Burst& burst, uint16_t stage, WorkerContext& context) noexcept;

}  // namespace ravelin
