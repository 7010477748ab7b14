// SPDX-License-Identifier: Apache-2.0
// PacedLink: what stands in front of the transmit queue of a port with a rate. Frames wait for
// their turn by principal (sched/link_scheduler.h) and leave as a wire of that rate would take
// them. Made by the control thread with the policy, then one worker's, who is the only one to call
// what is not said to be for any thread. It holds frames, so it may be freed only when that worker
// has let it go (LinkKeeper).
#pragma once
#include <rte_mbuf.h>

#include <atomic>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/principals.h"
#include "dataplane/sched/link_scheduler.h"
#include "dataplane/stage.h"

namespace ravelin {

/// What a principal was granted at a link, wire bytes a packet.
struct Promise {
    sched::PrincipalId principal = sched::kNoPrincipal;
    sched::Contract contract;
    bool operator==(const Promise&) const = default;
};

/// Whose frames go on what another was granted, in its queue.
struct Sharer {
    sched::PrincipalId principal = sched::kNoPrincipal, payer = sched::kNoPrincipal;
    bool operator==(const Sharer&) const = default;
};

/// What a link is made from.
struct LinkPlan {
    uint64_t rate = 0;         ///< bit/s on the wire
    uint64_t queue_bytes = 0;  ///< that may wait for one principal
    uint32_t most_frame = 0;   ///< bytes of the longest, tags included
    uint32_t frames = 0;       ///< that may wait in all: buffers of the pools
    std::vector<Promise> promises = {};
    std::vector<Sharer> sharers = {};
    bool operator==(const LinkPlan&) const = default;
};

/// How the wire counts frames: what is shorter than 60 bytes it pads (IEEE 802.3), and 24 beside.
inline constexpr sched::LinkScheduler::Config kEthernet{.least_frame = 60};

// How a link of that plan is run: admission counts by the same.
/// Its scheduler; `ring_bytes` is what a frame finds ahead of it at most.
sched::LinkScheduler::Config config_of(const LinkPlan& plan);
/// What the box's own frames have before everybody else.
sched::Contract box_contract(const LinkPlan& plan);

class PacedLink {
  public:
    /// `principals` may be null: then everything is core's.
    PacedLink(const LinkPlan& plan, std::shared_ptr<const Principals> principals);
    PacedLink(const PacedLink&) = delete;
    PacedLink& operator=(const PacedLink&) = delete;
    /// Frees what still waits: the worker is gone.
    ~PacedLink() { release_all(); }

    /// A frame that charge() has seen, and from when it counts. Takes it; what has no room is
    /// dropped and counted.
    void enqueue(rte_mbuf* frame, sched::CountsFrom from, WorkerContext& context) noexcept;
    /// Frames whose time has come, in order, for the device; how many.
    unsigned dequeue(uint64_t now_ns, std::span<rte_mbuf*> out) noexcept;
    /// The device has them, since then at the latest: what a stall of the machine held up between
    /// dequeue() and here found the wire dry. True: it was, and more waits that may leave.
    bool arrived(uint64_t now_ns) noexcept {
        return scheduler_.arrived(now_ns) && scheduler_.waiting() != 0;
    }
    /// Wire bytes that the last dequeue() gave out, and that may be on their way.
    [[nodiscard]] uint64_t given() const { return scheduler_.given(); }
    [[nodiscard]] uint64_t ring_bytes() const { return scheduler_.ring_bytes(); }
    /// When one more may leave, ns; UINT64_MAX: none waits.
    [[nodiscard]] uint64_t wake_at(uint64_t now_ns) const noexcept {
        return scheduler_.wake_at(now_ns);
    }
    /// Goes on where `before` stops, with what waits there: each frame under its principal's name,
    /// those of names that are gone as core's. Contracts that are the same know nothing of it, and
    /// what has been used counts on.
    void take_over(PacedLink& before, WorkerContext& context) noexcept;
    /// The port has lost its rate: what waits is dropped and counted.
    void withdraw(WorkerContext& context) noexcept;
    void attach() noexcept { attached_.store(true, std::memory_order_relaxed); }
    void detach() noexcept { attached_.store(false, std::memory_order_release); }

    /// Any thread, as are all below.
    [[nodiscard]] bool attached() const noexcept {
        return attached_.load(std::memory_order_acquire);
    }
    [[nodiscard]] const LinkPlan& plan() const { return plan_; }
    [[nodiscard]] const std::shared_ptr<const Principals>& principals() const {
        return principals_;
    }
    [[nodiscard]] const sched::Usage& usage() const { return usage_; }
    /// As of the end of the worker's last turn.
    [[nodiscard]] uint64_t waiting_bytes() const noexcept {
        return bytes_.load(std::memory_order_relaxed);
    }
    [[nodiscard]] uint32_t waiting() const noexcept {
        return frames_.load(std::memory_order_relaxed);
    }
    /// The worker is gone: frees what waits.
    unsigned release_all() noexcept;
    [[nodiscard]] size_t memory_bytes() const noexcept;

  private:
    [[nodiscard]] sched::PrincipalId queue_of(sched::PrincipalId id) const noexcept;
    [[nodiscard]] const std::string& name(sched::PrincipalId id) const;
    /// Whether both call it the same, and somebody has it.
    [[nodiscard]] bool same(sched::PrincipalId id, const PacedLink& other) const;
    void drop(rte_mbuf* frame, sched::Refusal why, WorkerContext& context) noexcept;
    void publish() noexcept;

    LinkPlan plan_;
    std::shared_ptr<const Principals> principals_;
    std::vector<sched::PrincipalId> queues_;  // by id: whose queue its frames go to
    sched::Usage usage_;
    sched::LinkScheduler scheduler_;
    uint64_t marked_ = 0;  // by the frame being put in
    std::atomic<bool> attached_{false};
    std::atomic<uint64_t> bytes_{0};
    std::atomic<uint32_t> frames_{0};
};

}  // namespace ravelin
