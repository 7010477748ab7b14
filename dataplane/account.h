// SPDX-License-Identifier: Apache-2.0
// Account: whose the packets and cycles of one worker were. A turn takes one reading of the TSC and
// its cycles are divided among the packets it moved (sched/cycle_split.h): by how far they came,
// whether by the shortcut or through the stages. What a turn costs by itself (timers, queues that
// had nothing) is `core`'s, and a turn that moved nothing is `idle`'s.
//
// Only where principals are declared; else WorkerContext::account is null, and all there is to know
// are the counters worker.busy_ns and worker.idle_ns.
#pragma once
#include <rte_cycles.h>

#include <algorithm>
#include <array>

#include "dataplane/burst.h"
#include "dataplane/charge.h"
#include "dataplane/limits.h"
#include "dataplane/sched/cycle_split.h"
#include "dataplane/sched/two_kinds.h"
#include "dataplane/sched/usage.h"

namespace ravelin {

class Account {
  public:
    using PrincipalId = sched::PrincipalId;
    /// Places that packets pass, each with a cost of its own, in such an order that a packet's are
    /// in a row. By the shortcut: kHit to kReceive. Through the pipeline: kSend (left out where it
    /// is dropped) to as many from kStages on as it passed; the one behind the last step queues it.
    enum Place : unsigned { kHit, kSend, kReceive, kMiss, kStages };
    static constexpr unsigned kTurn = sched::CycleSplit::kMaxStages - 1;  ///< of the turn itself
    static constexpr unsigned kPlaces = kTurn;

    using Clock = uint64_t (*)() noexcept;
    /// `clock` tells cycles.
    explicit Account(Clock clock = tsc) : usage_(sched::kMaxPrincipals + 1), clock_(clock) {
        calibrate();
    }

    /// The cycles from here on are of turns.
    void open() noexcept {
        opened_ = lap_ = clock_();
        overhead_ = 0;
        laps_taken_ = 0;
    }
    /// The turn is over, which may have been asleep since open() or the last call. Charges its
    /// cycles.
    void close(bool moved) noexcept;
    /// What has passed since close() is idle's: the worker slept.
    void slept() noexcept { charge_all(sched::kIdlePrincipal); }
    /// The same, of the control thread's commands: core's.
    void served() noexcept { charge_all(sched::kCorePrincipal); }

    /// Of a turn whose places are timed: what has passed since the last call was spent on
    /// `packets` at `place`.
    void lap(unsigned place, unsigned packets) noexcept {
        if (sampling_) [[unlikely]]
            take_lap(place, packets, 0);
    }
    /// The same of Shortcut::take().
    void lap_shortcut(unsigned hits, unsigned misses) noexcept {
        if (sampling_) [[unlikely]]
            take_lap(kHit, hits, misses);
    }

    /// Of step `step` of the policy, and of what comes behind the last.
    static unsigned place_of(size_t step) noexcept {
        return static_cast<unsigned>(std::min<size_t>(kStages + step, kPlaces - 1));
    }
    /// Packets run through the pipeline from here on begin at this place.
    void enter(unsigned place) noexcept { entry_ = place; }
    /// Frames that leave by the shortcut, at most kArrivals: charge() has said whose they are. All
    /// of them have come as far and so cost the same.
    void passed(rte_mbuf* const* frames, unsigned n) noexcept;
    /// Given up unread: `core`'s, as nobody knows whose.
    void shed(unsigned packets) noexcept;
    /// Packets of the burst with a verdict other than pass, which came `end` places far.
    void leave(const Burst& burst, unsigned end) noexcept;
    /// Those that are left and go out.
    void send(const Burst& burst, unsigned end) noexcept;

    /// Each turn is timed place by place and divided by what it says itself: the measure of how
    /// far off the one in about 64 is (perf/run accounts). Costs a clock reading a place.
    void time_every_turn(bool on) noexcept { every_turn_ = sampling_ = on; }

    static size_t memory_bytes() noexcept {
        return sizeof(Account) + size_t{sched::kMaxPrincipals + 1} * sched::Usage::kBytesEach;
    }
    /// TSC up to which every cycle is charged. Of the worker.
    [[nodiscard]] uint64_t charged_until() const noexcept { return opened_; }
    [[nodiscard]] const sched::Usage& usage() const noexcept { return usage_; }
    [[nodiscard]] sched::Usage& usage() noexcept { return usage_; }
    /// Who pays for what is done for a packet: the box's own frames, and nobody's, are core's.
    static PrincipalId payer(const PacketMeta& meta) noexcept {
        const bool nobody = meta.principal == sched::kNoPrincipal || meta.principal == kBoxFrames;
        return nobody ? sched::kCorePrincipal : meta.principal;
    }

  private:
    static uint64_t tsc() noexcept { return rte_rdtsc(); }
    void calibrate() noexcept;
    void charge(uint64_t cycles, uint64_t own) noexcept;
    void charge_so_far() noexcept;
    void charge_several() noexcept;
    void charge_all(PrincipalId id) noexcept;
    void add(PrincipalId id, unsigned packets, unsigned end, unsigned first) noexcept;
    struct Lap {
        uint64_t cycles;
        unsigned place, packets, misses;  ///< kHit: of the shortcut, `packets` by it
    };
    void take_lap(unsigned place, unsigned packets, unsigned misses) noexcept;
    void learn() noexcept;
    void learn_shortcut(const Lap& lap) noexcept;
    [[nodiscard]] unsigned begin_of(const PacketMeta& meta) const noexcept;
    void count(PrincipalId id, const PacketMeta& meta) noexcept;

    sched::Usage usage_;
    sched::CycleSplit split_;
    sched::TwoKinds hits_to_misses_{2};
    Clock clock_;
    uint64_t opened_ = 0;  // TSC: cycles before it are charged
    static constexpr unsigned kRuns = 4 * limits::kArrivals;
    static constexpr PrincipalId kSeveral{sched::kMaxPrincipals};  ///< of usage_, until divided
    /// Packets of the shortcut, one behind the other, of one principal.
    struct Run {
        PrincipalId id;
        uint32_t packets, bytes;
    };
    std::array<Run, kRuns> runs_;
    unsigned runs_taken_ = 0, passed_ = 0;
    unsigned sent_ = 0;  // packets of the turn that kSend sends
    unsigned entry_ = kReceive;
    // Of a turn that is timed.
    bool sampling_ = false, every_turn_ = false;
    uint64_t lap_ = 0, overhead_ = 0, stamp_ = 0;
    static constexpr unsigned kLaps = 64;  ///< of two ports' calls; what is beyond is not learned
    std::array<Lap, kLaps> laps_;
    unsigned laps_taken_ = 0;
};

}  // namespace ravelin
