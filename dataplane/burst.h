// SPDX-License-Identifier: Apache-2.0
// Burst: up to 32 frames that move together, with their metadata and verdicts. A stage writes
// verdicts; Pipeline::settle frees, counts and compacts once per stage, only if one left.
#pragma once
#include "dataplane/limits.h"
#include "dataplane/packet.h"
#include "dataplane/verdict.h"

namespace ravelin {

struct Burst {
    static constexpr unsigned kCapacity = limits::kBurst;
    static constexpr DropCode kGoesOn = 1;

    unsigned count = 0;
    bool changed = false;  ///< a verdict other than pass was written since the last settle
    bool watched = false;  ///< at least one packet carries PacketMeta::kWatched
    rte_mbuf* frames[kCapacity];
    Verdict verdicts[kCapacity];
    DropCode reasons[kCapacity];
    PacketMeta meta[kCapacity];

    /// Live packets are 0..count-1; after a verdict other than pass, a stage skips it itself.
    [[nodiscard]] Packet packet(unsigned i) const { return Packet(frames[i]); }
    [[nodiscard]] bool live(unsigned i) const { return verdicts[i] == Verdict::kPass; }
    [[nodiscard]] bool full() const { return count == kCapacity; }

    void add(rte_mbuf* frame, const PacketMeta& m) {
        frames[count] = frame;
        meta[count] = m;
        verdicts[count++] = Verdict::kPass;
        watched |= m.has(PacketMeta::kWatched);
    }
    /// The first `n` frames have just been received by `port`.
    void begin(unsigned n, PortId port) {
        count = n;
        for (unsigned i = 0; i < n; ++i) {
            meta[i] = kFreshMeta;
            meta[i].in_port = port;
            verdicts[i] = Verdict::kPass;
        }
    }
    void drop(unsigned i, DropCode reason) {
        verdicts[i] = Verdict::kDrop;
        reasons[i] = reason;
        changed = true;
    }
    /// The stage has taken the frame; nobody frees it here. It is done with.
    void consume(unsigned i) {
        verdicts[i] = Verdict::kConsumed;
        reasons[i] = 0;
        changed = true;
    }
    /// The same where its way goes on: by another worker, or later.
    void hand_on(unsigned i) {
        consume(i);
        reasons[i] = kGoesOn;
    }
    [[nodiscard]] bool goes_on(unsigned i) const {
        return verdicts[i] == Verdict::kConsumed && reasons[i] == kGoesOn;
    }
};

}  // namespace ravelin
