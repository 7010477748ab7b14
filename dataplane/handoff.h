// SPDX-License-Identifier: Apache-2.0
// Handoff: bounded single-producer single-consumer rings between every pair of workers. Metadata
// travels in the frame's private area; frames are given in batches, one index update per target
// and turn, so that a cache line moves per burst and not per packet.
#pragma once
#include <memory>
#include <utility>
#include <vector>

#include "dataplane/limits.h"
#include "dataplane/packet.h"
#include "dataplane/spsc_ring.h"

namespace ravelin {

/// The rings of all workers; made at boot.
class HandoffMatrix {
  public:
    using Ring = SpscRing<rte_mbuf*>;
    explicit HandoffMatrix(WorkerId workers) : workers_(workers) {
        for (unsigned i = 0; i < workers * workers; ++i)
            rings_.push_back(std::make_unique<Ring>(limits::kHandoffRing));
    }
    HandoffMatrix(const HandoffMatrix&) = delete;
    HandoffMatrix& operator=(const HandoffMatrix&) = delete;
    /// Frees what nobody took. The workers are gone.
    ~HandoffMatrix() {
        for (const auto& ring : rings_)
            for (rte_mbuf* left = nullptr; ring->pop(&left, 1) == 1;) rte_pktmbuf_free(left);
    }
    [[nodiscard]] WorkerId workers() const { return workers_; }
    Ring& ring(WorkerId from, WorkerId to) { return *rings_[size_t{from} * workers_ + to]; }

  private:
    WorkerId workers_;
    std::vector<std::unique_ptr<Ring>> rings_;
};

/// Frames that a full ring refused, which are freed.
struct LostFrames {
    unsigned all = 0;
    unsigned received = 0;  ///< of these, by a port, and neither sent nor charged yet
};

/// One worker's side of it.
class Handoff {
  public:
    /// PacketMeta::resume value: send out of PacketMeta::out_port, run no stage.
    static constexpr uint16_t kResumeTransmit = 0xffff;
    /// The same, beside a stage: goes to a function first (Invocations::arrive), then on behind it.
    static constexpr uint16_t kByFunction = 0x8000;
    static bool by_function(uint16_t resume) {
        return resume != kResumeTransmit && (resume & kByFunction) != 0;
    }

    Handoff(HandoffMatrix& matrix, WorkerId self)
        : matrix_(matrix), self_(self), batches_(matrix.workers()) {}

    /// Queues a frame for `to`; its pipeline continues there after stage `resume`. Takes the frame.
    void send(WorkerId to, rte_mbuf* frame, const PacketMeta& meta, uint16_t resume) noexcept {
        PacketMeta* travelling = travelling_meta(frame);
        *travelling = meta;
        travelling->resume = resume;
        Batch& batch = batches_[to];
        if (batch.count == Batch::kCapacity) flush(to);
        batch.frames[batch.count++] = frame;
    }
    /// Gives all batches over.
    LostFrames flush() noexcept {
        for (WorkerId to = 0; to < matrix_.workers(); ++to)
            if (batches_[to].count != 0) flush(to);
        return std::exchange(lost_, {});
    }
    /// Up to `n` frames that `from` sent here.
    unsigned receive(WorkerId from, rte_mbuf** frames, unsigned n) noexcept {
        return matrix_.ring(from, self_).pop(frames, n);
    }
    [[nodiscard]] bool anything_waits() const noexcept {
        for (WorkerId from = 0; from < matrix_.workers(); ++from)
            if (!matrix_.ring(from, self_).empty()) return true;
        return false;
    }
    [[nodiscard]] WorkerId workers() const { return matrix_.workers(); }

  private:
    struct Batch {
        static constexpr unsigned kCapacity = limits::kBurst;
        unsigned count = 0;
        rte_mbuf* frames[kCapacity];
    };
    void flush(WorkerId to) noexcept {
        Batch& batch = batches_[to];
        const unsigned sent = matrix_.ring(self_, to).push(batch.frames, batch.count);
        if (sent < batch.count) lose(batch.frames + sent, batch.count - sent);
        batch.count = 0;
    }
    void lose(rte_mbuf** frames, unsigned n) noexcept {
        lost_.all += n;
        for (unsigned i = 0; i < n; ++i)
            lost_.received += travelling_meta(frames[i])->has(PacketMeta::kLocalOrigin) ? 0 : 1;
        rte_pktmbuf_free_bulk(frames, n);
    }
    HandoffMatrix& matrix_;
    WorkerId self_;
    std::vector<Batch> batches_;
    LostFrames lost_;
};

}  // namespace ravelin
