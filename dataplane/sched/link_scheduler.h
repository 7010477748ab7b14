// SPDX-License-Identifier: Apache-2.0
// LinkScheduler: what a port sends next. Admitted principals by earliest deadline in bytes, each
// within what it reserved; everybody else, and what the admitted send beyond that, in weighted
// max-min fair shares over the hierarchy of principals, so that an organisation with a hundred
// times the flows gains nothing (S63). Caps shape, in wire bytes. The scheduler emulates a wire of
// the stated rate and lets at most `ring_bytes` be on their way to it: that is how long a frame can
// wait behind others that were chosen before it came. One owner worker a port: no locks, no
// allocation after construction. All lengths are of frames; `overhead` is added to each for what
// the wire takes, and contracts, shares and caps are in wire bytes.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/sched/counts_from.h"
#include "dataplane/sched/deadline_servers.h"
#include "dataplane/sched/fair_tree.h"
#include "dataplane/sched/fifo_pool.h"
#include "dataplane/sched/invocation.h"
#include "dataplane/sched/pace.h"
#include "dataplane/sched/usage.h"

namespace ravelin::sched {

/// Marks a frame "congestion experienced" (RFC 3168); false: it is not of a transport that knows.
struct Marker {
    bool (*call)(void* context, void* frame) noexcept = nullptr;
    void* context = nullptr;
};

class LinkScheduler {
  public:
    struct Config {
        uint64_t rate = 0;         ///< wire bytes/s to pace at, just below the port's own
        uint32_t overhead = 24;    ///< wire bytes a frame takes beyond its own: FCS, preamble, gap
        uint32_t least_frame = 0;  ///< bytes; shorter ones the wire has padded
        uint32_t most_frame = 1518;    ///< bytes of the longest frame
        uint64_t ring_bytes = 6'168;   ///< wire bytes chosen and not yet sent; four longest frames
        uint32_t packets = 16'384;     ///< that wait, over all principals; 32 bytes each
        uint32_t queue_packets = 256;  ///< that wait for one principal
        uint64_t queue_bytes = 256 * 1518;  ///< the same in bytes
        uint64_t mark_bytes = 0;  ///< a queue longer than this has what comes marked; 0: none
        uint64_t cap_burst = 16 * 1518;  ///< wire bytes, or what the cap carries in
        uint64_t cap_burst_ns = 0;       ///< that time: no less than may be between two turns
        // Who has a cap, of its own or from above, has so much of its queue: what the cap carries
        // in that time, but for reservations.
        uint64_t cap_queue_ns = 0;     ///< 0: all of it
        uint64_t cap_queue_least = 0;  ///< bytes
        uint32_t ports = 1;            ///< a cap on bytes is divided among them
        bool drop_stale = true;        ///< frames past their own deadline are dropped, not sent

        /// Wire bytes of a frame of so many bytes.
        [[nodiscard]] constexpr uint64_t on_wire(uint64_t bytes) const {
            return std::max<uint64_t>(bytes, least_frame) + overhead;
        }
    };
    LinkScheduler(const PrincipalTable& principals, Usage& usage, const Config& config,
                  Release release, Marker marker, uint64_t now_ns);

    /// Queues a frame, whose last use is at `deadline_ns`. It counts, and is counted as waiting,
    /// from `from.ns` if that is before now; where it is due by then already, who held it up has
    /// counted the miss. What it is late beyond that is made good when no reserved frame waits
    /// (DeadlineServers), unless it has a last use. Takes it only if it returns kNone.
    Refusal enqueue(PrincipalId id, void* frame, uint32_t bytes, uint64_t now,
                    uint64_t deadline_ns = kNoDeadline, CountsFrom from = {}) noexcept;
    /// Frames to give to the port now, in this order; how many.
    unsigned dequeue(uint64_t now, std::span<void*> out) noexcept;
    /// What the last dequeue() gave out came to the port now, later than it was told: the wire may
    /// have run dry before. True: it has, and dequeue() may have more.
    bool arrived(uint64_t now) noexcept { return wire_.delay(now, given_); }
    /// Wire bytes that the last dequeue() gave out, and that may be on their way.
    [[nodiscard]] uint64_t given() const { return given_; }
    [[nodiscard]] uint64_t ring_bytes() const { return config_.ring_bytes; }
    /// When the last frame given out has left the emulated wire, ns.
    [[nodiscard]] uint64_t busy_until() const { return wire_.busy_until(); }
    /// When dequeue() may have something; UINT64_MAX: never, until a frame comes.
    [[nodiscard]] uint64_t wake_at(uint64_t now) const noexcept;

    /// Grants, changes or (work 0) withdraws a reservation, wire bytes a packet. Room for all
    /// packets that it may have waiting is set aside.
    void reserve(PrincipalId id, const Contract& contract, uint64_t now) noexcept;
    /// Takes out the frame that has waited longest for a principal; null: none does.
    [[nodiscard]] void* take(PrincipalId id) noexcept;
    /// For who puts this one in the place of another. The wire is as that one leaves it;
    void begin_after(const LinkScheduler& before) noexcept { wire_.begin(before.busy_until()); }
    /// a principal of the same name has used as much, and its contract goes on (DeadlineServers);
    void go_on(PrincipalId id, const LinkScheduler& before, uint64_t now) noexcept;
    /// the frames that wait there for `from` wait here for `to`, no shorter than they have, while
    /// there is room that is not set aside.
    void move(LinkScheduler& before, PrincipalId from, PrincipalId to, uint64_t now) noexcept;
    [[nodiscard]] uint32_t principals() const { return static_cast<uint32_t>(queues_.size()); }
    [[nodiscard]] uint32_t waiting() const { return pool_.used(); }
    [[nodiscard]] uint64_t waiting_bytes() const { return bytes_; }  ///< of frames
    [[nodiscard]] size_t memory_bytes() const noexcept;
    [[nodiscard]] uint32_t depth(PrincipalId id) const { return queues_[index(id)].count; }

  private:
    static constexpr unsigned kDropsATurn = 8;
    // Bits of Queued::deadline_ns, of frames that have none, beside when they were to come.
    static constexpr uint64_t kHeldUp = uint64_t{1} << 63, kLateAlready = uint64_t{1} << 62;
    struct Queued {
        void* frame = nullptr;
        uint64_t arrival_ns = 0, deadline_ns = 0;
        uint32_t bytes = 0, next = 0;  ///< next: of FifoPool
        [[nodiscard]] bool held_up() const {
            return deadline_ns >= kHeldUp && deadline_ns != kNoDeadline;
        }
        [[nodiscard]] bool late_already() const {
            return held_up() && (deadline_ns & kLateAlready) != 0;
        }
        [[nodiscard]] uint64_t due_ns() const {
            return held_up() ? deadline_ns & (kLateAlready - 1) : UINT64_MAX;
        }
    };
    struct Queue : Fifo {
        uint64_t bytes = 0;
        uint32_t own = 0;   ///< packets that room is set aside for
        uint32_t most = 0;  ///< bytes that may wait
        [[nodiscard]] uint32_t kept_free() const { return own > count ? own - count : 0; }
    };
    [[nodiscard]] uint64_t on_wire(const Queued& queued) const {
        return config_.on_wire(queued.bytes);
    }
    void bound_queues(const PrincipalTable& principals) noexcept;
    [[nodiscard]] bool is_long(const Queue& queue) const noexcept;
    [[nodiscard]] Refusal admits(PrincipalId id, uint32_t bytes) const noexcept;
    void push(PrincipalId id, const Queued& queued, uint64_t now) noexcept;
    [[nodiscard]] bool has_room(uint64_t now) const noexcept;
    void* send_next(uint64_t now) noexcept;
    [[nodiscard]] bool servable(PrincipalId id, uint64_t now) noexcept;
    void* send_reserved(const DeadlineServers::Turn& turn, uint64_t now) noexcept;
    void* send_shared(PrincipalId id, uint64_t now) noexcept;
    void* send(PrincipalId id, uint64_t now) noexcept;
    void pop(PrincipalId id) noexcept;
    void arm(PrincipalId id, uint64_t now) noexcept;

    Config config_;
    Usage& usage_;
    Release release_;
    Marker marker_;
    Pace wire_;
    uint64_t slack_ns_;  ///< how much may be on its way for one more to be chosen
    DeadlineServers servers_;
    FairTree shares_;
    FifoPool<Queued> pool_;
    std::vector<Queue> queues_;
    uint64_t bytes_ = 0, given_ = 0;  ///< given: wire bytes by the last dequeue()
    uint32_t aside_ = 0;              ///< Queue::kept_free() of all
    unsigned drops_left_ = 0;
};

}  // namespace ravelin::sched
