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
#include "dataplane/caps.h"
#include "dataplane/charge.h"
#include "dataplane/idle.h"
#include "dataplane/leaving.h"
#include "dataplane/limits.h"
#include "dataplane/sched/cycle_split.h"
#include "dataplane/sched/tallies.h"
#include "dataplane/sched/two_kinds.h"
#include "dataplane/sched/usage.h"

namespace ravelin {

struct WorkerContext;

class Account {
  public:
    using PrincipalId = sched::PrincipalId;
    /// Places that packets pass, each with a cost of its own, in such an order that a packet's are
    /// in a row, but for one. By the shortcut: kSend, kReceive, kHit. By the express: kSend (left
    /// out where it is dropped) to kMiss, kExpress. Through the pipeline: kSend (the same) to as
    /// many from kStages on as it passed; the one behind the last step queues it.
    enum Place : unsigned { kSend, kReceive, kMiss, kLeft, kStages };
    static constexpr unsigned kTurn = sched::CycleSplit::kMaxStages - 1;  ///< of the turn itself
    static constexpr unsigned kHit = kTurn - 1, kExpress = kTurn - 2, kShed = kTurn - 3,
                              kPlaces = kTurn - 3;

    using Clock = uint64_t (*)() noexcept;
    /// `clock` tells cycles.
    explicit Account(Clock clock = tsc) : usage_(kIds), caps_(usage_), clock_(clock) {
        calibrate();
    }
    Account(const Account&) = delete;

    /// The cycles from here on are of turns.
    void open() noexcept {
        opened_ = lap_ = clock_();
        overhead_ = 0;
        laps_taken_ = 0;
    }
    /// Once a turn: whose caps hold. Of who had an id before everything is told by then.
    void follow(const Principals& principals, uint64_t now_ns) noexcept {
        if (principals.serial != serial_) [[unlikely]]
            begin(&principals);
        caps_.follow(principals, now_ns);
        caps_.cycles().follow(principals, usage_, opened_);
    }
    /// The policy in force has no principals.
    void forget() noexcept {
        begin(nullptr);
        caps_.forget();
    }
    /// The turn is over, which may have been asleep since open() or the last call. Charges its
    /// cycles. `now`: the clock has just been read.
    void close(bool moved, uint64_t now) noexcept;
    void close(bool moved) noexcept { close(moved, clock_()); }
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
    /// The same of Shortcut::take(), kHit, or Express::take(), kExpress: how many it took, and how
    /// many it left.
    void lap_taken(unsigned place, unsigned taken, unsigned left) noexcept {
        if (sampling_) [[unlikely]]
            take_lap(place, taken, left);
    }

    /// Of step `step` of the policy, and of what comes behind the last.
    static unsigned place_of(size_t step) noexcept {
        return static_cast<unsigned>(std::min<size_t>(kStages + step, kPlaces - 1));
    }
    /// Packets run through the pipeline from here on begin at this place.
    void enter(unsigned place) noexcept { entry_ = place; }
    using Kind = Leaving::Kind;
    using enum Leaving::Kind;
    /// Those beyond a cap are dropped; what is left stands at the front. `paced`: they go to a
    /// link, which shapes.
    void leave_by(Kind kind, Leaving& leaving, bool paced, WorkerContext& context) noexcept;
    /// Asks for the memory that a packet of the pipeline is counted in.
    void fetch(PrincipalId id) const noexcept { usage_.fetch(id); }
    /// A packet that the express drops.
    void drop(PrincipalId id, uint32_t bytes) noexcept {
        note(kDropped, 1);
        add_alike(kDropped, id, 1, bytes);
    }
    /// Buckets of caps on bandwidth.
    [[nodiscard]] Caps& caps() noexcept { return caps_; }
    /// Given up unread: `core`'s, as nobody knows whose.
    void shed(unsigned packets) noexcept;
    /// Received and given up elsewhere, unread or on the way to another worker.
    void lost(unsigned packets) noexcept {
        usage_.add(sched::kCorePrincipal, sched::Use::kPackets, packets);
        usage_.add(sched::kCorePrincipal, sched::Use::kDrops, packets);
    }
    /// A function ran for `id`: what it took is no part of what the turn is divided by.
    void ran(PrincipalId id, uint64_t cycles) noexcept {
        usage_.add(id, sched::Use::kCycles, cycles);
        opened_ += cycles;
        lap_ += cycles;
    }
    /// A received packet that ends behind the pipeline's back, dropped.
    void end(const PacketMeta& meta) noexcept {
        count(payer(meta), meta);
        count_drop(meta);
    }
    /// A packet that was counted before is dropped after all.
    void count_drop(const PacketMeta& meta) noexcept {
        if (!meta.has(PacketMeta::kLocalOrigin)) usage_.add(payer(meta), sched::Use::kDrops);
    }
    /// Packets of the burst with a verdict other than pass, which came `end` places far.
    void leave(const Burst& burst, unsigned end) noexcept;
    /// Those that are left and go out.
    void send(const Burst& burst, unsigned end) noexcept;

    /// Each turn is timed place by place and divided by what it says itself: the measure of how
    /// far off the one in about 64 is (perf/run accounts). Costs a clock reading a place.
    void time_every_turn(bool on) noexcept { every_turn_ = sampling_ = on; }

    static size_t memory_bytes() noexcept {
        return sizeof(Account) + Caps::memory_bytes() + kIds * sched::Usage::kBytesEach +
               kKinds * sched::Tallies::memory_bytes(sched::kMaxPrincipals);
    }
    /// TSC up to which every cycle is charged, also where an account was not told yet. Of the
    /// worker.
    [[nodiscard]] uint64_t charged_until() const noexcept { return opened_; }
    [[nodiscard]] const sched::Usage& usage() const noexcept { return usage_; }
    /// Who pays for what is done for a packet: the box's own frames, and nobody's, are core's.
    static PrincipalId payer(const PacketMeta& meta) noexcept {
        const bool nobody = meta.principal == sched::kNoPrincipal || meta.principal == kBoxFrames;
        return nobody ? sched::kCorePrincipal : meta.principal;
    }

    static uint64_t tsc() noexcept { return rte_rdtsc(); }

  private:
    void calibrate() noexcept;
    void charge(uint64_t cycles, uint64_t own) noexcept;
    void charge_so_far() noexcept;
    void begin(const Principals* principals) noexcept;
    void close_timed(uint64_t cycles, uint64_t now) noexcept;
    void divide(unsigned noted, uint64_t cycles, uint64_t own) noexcept;
    void tell(uint32_t rows) noexcept;
    void tell_due() noexcept;
    void count_and_police(Kind kind, Leaving& leaving, bool paced, WorkerContext& context) noexcept;
    void police(Leaving& leaving, bool bandwidth, WorkerContext& context) noexcept;
    void drop_beyond(Leaving& leaving, uint64_t of_cpu, uint64_t of_bandwidth,
                     WorkerContext& context) noexcept;
    void charge_all(PrincipalId id) noexcept;
    void add(PrincipalId id, unsigned packets, unsigned end, unsigned first) noexcept;
    struct Lap {
        uint64_t cycles;
        unsigned place, packets, left;  ///< kHit, kExpress: `packets` by it
    };
    uint64_t lap_cycles(uint64_t now) noexcept;
    void take_lap(unsigned place, unsigned packets, unsigned left) noexcept;
    void learn() noexcept;
    void learn_taken(const Lap& lap) noexcept;
    [[nodiscard]] unsigned begin_of(const PacketMeta& meta) const noexcept;
    void count(PrincipalId id, const PacketMeta& meta) noexcept;

    sched::Usage usage_;
    sched::CycleSplit split_;
    sched::TwoKinds hits_to_misses_{2}, express_to_left_{4};
    Caps caps_;
    Clock clock_;
    uint64_t opened_ = 0;  // TSC: cycles before it are charged, to accounts or tallies
    uint64_t serial_ = 0;  // of the principals that hold; 0: none
    // What one kind had in a turn is charged to an id of its own until it is divided.
    static constexpr size_t kIds = sched::kMaxPrincipals + kKinds;
    static constexpr PrincipalId all_of(unsigned kind) noexcept {
        return PrincipalId{sched::kMaxPrincipals + kind};
    }
    static_assert(kKinds < sched::CycleSplit::kRoom);
    // Rows of tallies that are told in a turn without packets: in kSpinTurns of these everybody is,
    // and only then may the worker sleep. (Turns in which timers emit are none of these.)
    static constexpr uint32_t kRowsIdle = 64;
    static_assert(kRowsIdle * kSpinTurns * sched::Tallies::kRow >= sched::kMaxPrincipals);
    std::array<sched::Tallies, kKinds> tallies_{sched::Tallies{sched::kMaxPrincipals},
                                                sched::Tallies{sched::kMaxPrincipals},
                                                sched::Tallies{sched::kMaxPrincipals, true}};
    static_assert(kDropped == kKinds - 1);
    /// Packets of one principal that no tally has yet: what a turn of theirs alone took is theirs.
    struct Run {
        PrincipalId id;
        uint32_t packets;
        uint64_t bytes;
    };
    std::array<Run, kKinds> runs_{};
    std::array<uint32_t, kKinds> packets_{};  // of the turn, the run's among them
    void note(Kind kind, uint32_t packets) noexcept {
        noted_ |= 1u << kind;
        packets_[kind] += packets;
    }
    void add_alike(Kind kind, PrincipalId id, uint32_t packets, uint64_t bytes) noexcept {
        Run& run = runs_[kind];
        if (run.id != id) end_run(kind);
        run.id = id;
        run.packets += packets;
        run.bytes += bytes;
    }
    [[nodiscard]] bool of_one(unsigned kind) const noexcept {
        return runs_[kind].packets == packets_[kind];
    }
    void end_run(unsigned kind) noexcept {
        const Run run = std::exchange(runs_[kind], {});
        if (run.packets != 0) tallies_[kind].add(index(run.id), run.packets, run.bytes);
    }
    void add(Kind kind) noexcept;
    void settle(unsigned kind, uint64_t cycles) noexcept;
    void settle_run(unsigned kind, uint64_t cycles) noexcept;
    unsigned noted_ = 0;                             // bit of each kind that has any in this turn
    uint32_t due_ = 0, packets_a_row_ = UINT32_MAX;  // packets that no row was told for
    unsigned sent_ = 0;                              // packets of the turn that kSend sends
    unsigned entry_ = kReceive;
    // Of a turn that is timed.
    bool sampling_ = false, every_turn_ = false;
    uint64_t lap_ = 0, overhead_ = 0, stamp_ = 0;
    static constexpr unsigned kLaps = 256;  ///< what is beyond is not learned
    std::array<Lap, kLaps> laps_;
    unsigned laps_taken_ = 0;
};

}  // namespace ravelin
