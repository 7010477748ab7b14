// SPDX-License-Identifier: Apache-2.0
// What a worker tells the control thread, as plain records in its ByteRing. Each record starts with
// EventKind; a full ring loses the record and counts worker.events_lost.
#pragma once
#include <cstdint>

#include "dataplane/packet.h"
#include "dataplane/verdict.h"

namespace ravelin {

enum class EventKind : uint32_t { kTrace, kCapture, kRuleLog };

/// One stage's effect on one watched packet. `stage` 0xffff: received; 0xfffe: left the pipeline.
struct TraceRecord {
    static constexpr uint16_t kReceived = 0xffff, kLeft = 0xfffe;
    EventKind kind = EventKind::kTrace;
    uint32_t watch_id = 0;
    uint64_t unix_ns = 0, generation = 0;
    uint16_t worker = 0, stage = 0;
    DropCode reason = 0;
    Verdict verdict = Verdict::kPass;
    uint8_t spare = 0;
    PacketMeta meta;
};

/// Followed by `captured` bytes of the frame.
struct CaptureRecord {
    EventKind kind = EventKind::kCapture;
    uint32_t length = 0, captured = 0;
    PortId port = kNoPort;
    uint16_t worker = 0;
    uint64_t unix_ns = 0;
};

struct RuleLogRecord {
    EventKind kind = EventKind::kRuleLog;
    uint32_t length = 0;  ///< frame bytes
    uint64_t unix_ns = 0, generation = 0;
    DropCode reason = 0;  ///< 0 when accepted
    uint16_t worker = 0;
    uint32_t spare = 0;
    PacketMeta meta;
};

}  // namespace ravelin
