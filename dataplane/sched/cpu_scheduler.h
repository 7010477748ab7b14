// SPDX-License-Identifier: Apache-2.0
// CpuScheduler: what a worker does next, asked at every control point (a function's return, the
// budget timer, the end of a burst). In this order:
//   1. the core context: generic flows and control messages, always (S18, S30);
//   2. admitted principals by earliest deadline, each within what it reserved (DeadlineServers);
//   3. everybody else, and what the admitted want beyond that, in weighted max-min fair shares
//      whose virtual time stands still meanwhile (FairTree, S22).
// Bursts are split so that a run's expected cycles stay within the function's `max_run`; the worker
// says afterwards what a run took. Cycles are the caller's unit of cost, ns its clock; they are
// never mixed. One worker's own: no locks, no allocation after construction.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/sched/core_envelope.h"
#include "dataplane/sched/deadline_servers.h"
#include "dataplane/sched/fair_tree.h"
#include "dataplane/sched/invocation.h"
#include "dataplane/sched/invocation_queues.h"
#include "dataplane/sched/timing_wheel.h"
#include "dataplane/sched/usage.h"

namespace ravelin::sched {

/// One run: frames `first` to `first + count` of the invocation.
struct Slice {
    enum class By : uint8_t { kNobody, kCore, kReservation, kShare };
    By by = By::kNobody;
    Waiting* work = nullptr;
    PrincipalId principal = kNoPrincipal;
    unsigned first = 0, count = 0;
    uint64_t limit = 0;  ///< cycles at which a budget timer interrupts the run; 0: never
    uint64_t started_ns = 0;
    uint64_t release_ns = 0, deadline_ns = 0;  ///< of the first packet, by reservation

    explicit operator bool() const { return by != By::kNobody; }
    [[nodiscard]] std::span<void* const> frames() const {
        return {work->frames + first, work->count == 0 ? 0 : count};
    }
};

class CpuScheduler {
  public:
    struct Config {
        uint32_t functions = 16;         ///< slots in use, at most kMaxFunctions
        uint32_t invocations = 4096;     ///< that wait, over all principals; 328 bytes each
        uint32_t timers = 1024;          ///< that run
        uint64_t max_run = 100'000;      ///< cycles of an uninterrupted run, by default
        uint64_t cap_burst = 300'000;    ///< cycles a cap lets through at once
        uint32_t workers = 1;            ///< a cap on cycles is divided among them
        uint32_t cycles_per_us = 1'000;  ///< how long a run will take
        uint64_t around = 0;             ///< of a budget, what a run takes beside its own cycles
        DisciplineLimits discipline = {};
        CoreEnvelope envelope = {};
    };
    /// `functions` and `usage` are the worker's and outlive this.
    CpuScheduler(const PrincipalTable& principals, const FunctionTable& functions, Usage& usage,
                 const Config& config, Release release, uint64_t now_ns);

    /// Asked of each principal before it is served; timers and messages are lost with the rest.
    void drop_if(Beyond beyond) noexcept { beyond_ = beyond; }
    /// Queues work. Takes the frames only if it returns kNone; a refusal costs no more than the
    /// checks.
    Refusal post(const Invocation& invocation, std::span<void* const> frames,
                 uint64_t now) noexcept;
    Refusal start_timer(const Invocation& invocation, uint64_t when_ns) noexcept;
    /// What to run now. Report it with done() before the next call.
    [[nodiscard]] Slice next(uint64_t now) noexcept;
    /// The slice took `cycles` and finished `completed` of its frames by `now`; fewer than its
    /// count if it was interrupted. What it hands to the next function is to be posted before:
    /// `handed_on` packets, which are not at their end.
    void done(const Slice& slice, uint64_t cycles, unsigned completed, uint64_t now,
              unsigned handed_on = 0) noexcept;
    /// Core work that had no invocation (rx, generic bursts), and polling that found nothing.
    void charge_core(uint64_t cycles, uint64_t now) noexcept;
    void charge_idle(uint64_t cycles) noexcept { usage_.add(kIdlePrincipal, Use::kCycles, cycles); }

    /// Grants, changes or (work 0) withdraws a reservation, cycles a packet.
    void reserve(PrincipalId id, const Contract& contract, uint64_t now) noexcept;
    /// What `before` granted `id` goes on where it stood, in the place of what reserve() began.
    void go_on(PrincipalId id, const CpuScheduler& before, uint64_t now) noexcept {
        servers_.go_on(id, before.servers_, now);
    }
    /// Takes out the first that waits of `id` for good, given to `fn` before; false: nothing does.
    /// It counts as neither run nor dropped.
    template <typename Fn>
    bool withdraw(PrincipalId id, Fn&& fn) noexcept {
        Waiting* const head = head_of(id);
        if (head == nullptr) return false;
        fn(*head);
        queues_.pop(*head);
        if (!queues_.any(id)) {
            servers_.disarm(id);
            if (id != kCorePrincipal) shares_.deactivate(id);
        }
        return true;
    }
    /// Ends a suspension and forgets the strikes.
    void pardon(PrincipalId id, unsigned function) noexcept;
    /// When there may be something to do: `now` if something waits already; UINT64_MAX: never,
    /// until a post.
    [[nodiscard]] uint64_t wake_at(uint64_t now) const noexcept;

    /// Of what is just being given to Release: its function's slot.
    [[nodiscard]] unsigned releasing() const { return releasing_; }
    [[nodiscard]] const InvocationQueues& queues() const { return queues_; }
    [[nodiscard]] const CoreEnvelope& envelope() const { return config_.envelope; }

  private:
    static constexpr unsigned kTimersATurn = 16;
    static constexpr unsigned kDropsATurn = 8;

    /// What reserved cycles are for goes in the order it came: the k-th packet is the k-th job, and
    /// no function's deadline makes others late that share them.
    [[nodiscard]] Waiting* head_of(PrincipalId id) noexcept {
        return queues_.head(id, servers_.admitted(id));
    }
    void run_timers(uint64_t now) noexcept;
    [[nodiscard]] Waiting* servable(PrincipalId id, uint64_t now) noexcept;
    void discard(Waiting& waiting, Refusal why) noexcept;
    [[nodiscard]] Slice by_reservation(uint64_t now) noexcept;
    void fit_to(const DeadlineServers::Turn& turn, Slice& slice, uint64_t now) noexcept;
    [[nodiscard]] Slice by_share(uint64_t now) noexcept;
    [[nodiscard]] Slice slice_of(Slice::By by, Waiting& work, uint64_t now) noexcept;
    [[nodiscard]] uint64_t run_limit(const Waiting& work) const noexcept;
    [[nodiscard]] uint64_t head_owes(const Waiting& work) noexcept;
    void arm(PrincipalId id, const Waiting& head, uint64_t now) noexcept;
    void account(const Slice& slice, uint64_t cycles, unsigned completed, uint64_t now,
                 unsigned handed_on) noexcept;
    void judge(const Slice& slice, uint64_t cycles, unsigned completed) noexcept;
    void settle(const Slice& slice, uint64_t cycles, bool finished, bool interrupted,
                uint64_t now) noexcept;

    const FunctionTable& functions_;
    Usage& usage_;
    Config config_;
    Release release_;
    Beyond beyond_;
    InvocationQueues queues_;
    DeadlineServers servers_;
    FairTree shares_;
    TimingWheel timer_wheel_;
    std::vector<Invocation> timers_;
    std::vector<uint32_t> free_timers_, timers_of_;  ///< by principal: no more than are free
    unsigned drops_left_ = 0, releasing_ = 0;
};

}  // namespace ravelin::sched
