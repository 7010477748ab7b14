// SPDX-License-Identifier: Apache-2.0
// Transmitter: one worker's way out. Collects frames per port and sends them once a turn; a port
// with fewer transmit queues than workers is reached through the worker that owns its queue, one
// with a rate through the worker that paces it, whose frames wait in a PacedLink for their turn.
#pragma once
#include <vector>

#include "dataplane/burst.h"
#include "dataplane/handoff.h"
#include "dataplane/sched/counts_from.h"
#include "dataplane/stage.h"
#include "dataplane/vlan.h"

namespace ravelin {

/// Where a worker's frames for one port go.
struct TxRoute {
    uint16_t device = 0;  ///< DPDK port id
    uint16_t queue = 0;
    WorkerId owner = 0;       ///< the worker that may use this queue
    bool segments = false;    ///< the device sends frames that lie in several buffers
    VlanTags tags = {};       ///< a sub-interface: what its frames leave with
    PortId parent = kNoPort;  ///< a sub-interface: the port whose queue carries them
    bool tunnel = false;      ///< a tunnel end: frames come back as what is around them
    WorkerId pacer = 0;       ///< the worker that sends all while the port has a rate; by its queue
};

class PacedLink;

class Transmitter {
  public:
    /// `routes[port]` for this worker.
    Transmitter(std::vector<TxRoute> routes, WorkerId self);

    /// Paces the ports that context.policy says, from now on. Once a turn, before anything is sent.
    /// Frames that wait go on waiting as far as their port has a rate.
    void follow(WorkerContext& context) noexcept;
    /// Whether frames for `port` go into this worker's queue as they are. Where they do not,
    /// charge() says whose they are.
    [[nodiscard]] bool is_direct(PortId port) const { return exits_[port].direct; }
    /// Whether a link orders what leaves by `port`, this worker's or another's: there caps on
    /// bandwidth are kept, and nobody need be asked before.
    [[nodiscard]] bool is_paced(PortId port) const {
        return port < exits_.size() && exits_[port].paced;
    }
    /// Queues frames for `port`. Takes them.
    void send(rte_mbuf* const* frames, unsigned n, PortId port, WorkerContext& context) noexcept;
    void send(rte_mbuf* frame, PortId port, WorkerContext& context) noexcept {
        send(&frame, 1, port, context);
    }
    /// What ports with a rate get from now on counts there from then, where that is before it
    /// comes: by when a reservation of cycles has what a stall of the machine held up. {}: from
    /// when it comes.
    void count_from(sched::CountsFrom from) noexcept { counted_from_ = from; }
    /// Queues a frame for the pipeline, as PacketMeta::flags say: of the box itself unless told
    /// otherwise.
    void emit(rte_mbuf* frame, PortId in_port, WorkerContext& context,
              uint32_t flags = PacketMeta::kLocalOrigin) noexcept;
    /// Moves up to a burst of emitted frames into `burst`, which must be empty.
    void take_emitted(Burst& burst) noexcept;
    [[nodiscard]] bool takes_segments(PortId port) const { return routes_[port].segments; }
    [[nodiscard]] bool has_emitted() const { return emitted_count_ != 0; }
    [[nodiscard]] unsigned emitted() const { return emitted_count_; }
    /// Sends what was queued and whose time has come; what a queue refuses is dropped and counted.
    /// `clock`: read behind what ports with a rate are given; null: no time passes in a turn.
    void flush(WorkerContext& context, Clock clock = nullptr) noexcept;
    /// When a frame that waits for its port's rate may leave, ns; UINT64_MAX: none waits.
    [[nodiscard]] uint64_t wake_at(uint64_t now_ns) const noexcept;

  private:
    /// Where frames for a port go under the policy in force.
    struct Exit {
        bool direct = true;
        bool paced = false;
        WorkerId owner = 0;         ///< who sends them
        PacedLink* link = nullptr;  ///< that this worker serves; null: none
    };
    struct Queue {
        static constexpr unsigned kCapacity = 2 * limits::kBurst;
        unsigned count = 0;
        rte_mbuf* frames[kCapacity];
    };
    void flush(PortId port, WorkerContext& context) noexcept;
    void pace(const PacedPorts* paced, WorkerContext& context) noexcept;
    void serve(PortId port, PacedLink* next, WorkerContext& context) noexcept;
    void send_due(PortId port, WorkerContext& context, Clock clock) noexcept;
    void push(rte_mbuf* frame, PortId port, WorkerContext& context) noexcept;
    void send_elsewhere(rte_mbuf* frame, PortId port, WorkerContext& context) noexcept;
    void send_tagged(rte_mbuf* frame, PortId port, WorkerContext& context) noexcept;
    void send_by_tunnel(rte_mbuf* frame, PortId port, WorkerContext& context) noexcept;
    struct Emitted {
        rte_mbuf* frame;
        PortId in_port;
        uint32_t flags;
    };
    static constexpr unsigned kMaxEmitted = 512;

    std::vector<TxRoute> routes_;
    std::vector<Exit> exits_;
    std::vector<Queue> queues_;
    std::vector<PortId> served_;  // those with a link
    uint64_t paced_ = 0;          // PacedPorts::serial that exits_ are of
    sched::CountsFrom counted_from_;
    WorkerId self_;
    unsigned emitted_count_ = 0;
    Emitted emitted_[kMaxEmitted];
};

}  // namespace ravelin
