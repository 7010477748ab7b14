// SPDX-License-Identifier: Apache-2.0
#include "dataplane/account.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "dataplane/engine_counters.h"
#include "dataplane/free_frames.h"
#include "dataplane/net/headers.h"
#include "dataplane/stage.h"
#include "dataplane/transmitter.h"

namespace ravelin {

using sched::Use;

void Account::calibrate() noexcept {
    stamp_ = UINT64_MAX;
    for (unsigned i = 0; i < 64; ++i) {
        const uint64_t first = clock_();
        stamp_ = std::min(stamp_, clock_() - first);
    }
}

void Account::close(bool moved, uint64_t now) noexcept {
    const uint64_t cycles = now - opened_;
    opened_ = now;
    if (!moved && noted_ == 0 && split_.empty()) {
        lap_ = now;
        overhead_ = 0;
        usage_.add(sched::kIdlePrincipal, Use::kCycles, cycles);
        tell(kRowsIdle);
    } else if (sampling_) [[unlikely]] {
        close_timed(cycles, now);
    } else {
        lap_ = now;
        sent_ = 0;
        sampling_ = split_.sample();
        charge(cycles, split_.reckoned(kTurn, 1));
    }
}

void Account::close_timed(uint64_t cycles, uint64_t now) noexcept {
    const uint64_t sending = lap_cycles(now);  // nothing else has happened since
    learn();
    split_.timed(kSend, sending, sent_ + packets_[kByShortcut] + packets_[kByExpress]);
    charge(cycles, every_turn_ ? overhead_ : split_.reckoned(kTurn, 1));
    sampling_ = split_.sample() || every_turn_;
    overhead_ = 0;
    sent_ = 0;
}

void Account::charge_all(PrincipalId id) noexcept {
    const uint64_t now = clock_();
    usage_.add(id, Use::kCycles, now - opened_);
    opened_ = lap_ = now;
}

// Most turns have packets of one kind alone, which leaves nothing to be divided by places.
inline void Account::charge(uint64_t cycles, uint64_t own) noexcept {
    const unsigned noted = std::exchange(noted_, 0);
    if (std::has_single_bit(noted) && split_.empty()) [[likely]] {
        const uint64_t others = std::min(own, cycles / 2);
        usage_.add(sched::kCorePrincipal, Use::kCycles, others);
        settle(static_cast<unsigned>(std::countr_zero(noted)), cycles - others);
    } else {
        divide(noted, cycles, own);
    }
    if (due_ >= packets_a_row_) [[unlikely]]
        tell_due();
}

// Who is told is told on though packets take the pipeline alone from here on.
void Account::divide(unsigned noted, uint64_t cycles, uint64_t own) noexcept {
    columns::for_each_bit(noted, [&](unsigned kind) { add(static_cast<Kind>(kind)); });
    split_.charge(cycles, usage_, sched::kCorePrincipal, own);
    columns::for_each_bit(noted, [&](unsigned kind) {
        settle(kind, of_one(kind) ? 0 : usage_.take(all_of(kind), Use::kCycles));
    });
    due_ += limits::kArrivals;
}

// One part of the split each, whosever they are: it was the same that was done for them.
void Account::add(Kind kind) noexcept {
    const unsigned packets = packets_[kind];
    const PrincipalId id = of_one(kind) ? runs_[kind].id : all_of(kind);
    if (kind == kByShortcut)
        split_.add(id, packets, kReceive + 1, kSend, kHit);
    else
        split_.add(id, packets, kMiss + 1, kind == kByExpress ? kSend : kReceive, kExpress);
}

inline void Account::settle(unsigned kind, uint64_t cycles) noexcept {
    const bool one = of_one(kind);
    const uint32_t packets = std::exchange(packets_[kind], 0);
    due_ += packets;
    if (one) return settle_run(kind, cycles);
    end_run(kind);
    tallies_[kind].took(cycles, packets);
}

void Account::settle_run(unsigned kind, uint64_t cycles) noexcept {
    const Run run = std::exchange(runs_[kind], {});
    usage_.add(run.id, cycles, run.packets, run.bytes);
    if (kind == kDropped) usage_.add(run.id, Use::kDrops, run.packets);
}

void Account::tell_due() noexcept {
    tell(due_ / packets_a_row_);
    due_ %= packets_a_row_;
}

void Account::tell(uint32_t rows) noexcept {
    for (sched::Tallies& tallies : tallies_) tallies.tell(rows, usage_);
}

void Account::begin(const Principals* principals) noexcept {
    if (noted_ != 0) charge_so_far();
    for (sched::Tallies& tallies : tallies_) {
        tallies.tell_all(usage_);
        if (principals != nullptr) tallies.reach(principals->table.size());
    }
    packets_a_row_ = tallies_[0].packets_a_row();
    // What somebody was not told of is owed to a cap in one piece.
    if (principals != nullptr && !principals->cpu.empty())
        packets_a_row_ = std::min(packets_a_row_, uint32_t{limits::kArrivals});
    serial_ = principals != nullptr ? principals->serial : 0;
    charge_all(sched::kCorePrincipal);
}

// Mostly nobody has a cap, and it is plain at once that packets are of several.
void Account::leave_by(Kind kind, Leaving& leaving, bool paced, WorkerContext& context) noexcept {
    note(kind, leaving.count);
    if (!leaving.begins_mixed() || caps_.any() || caps_.cycles().anybody())
        return count_and_police(kind, leaving, paced, context);
    tallies_[kind].add_each(leaving.whom.data(), leaving.bytes.data(), leaving.count);
}

void Account::count_and_police(Kind kind, Leaving& leaving, bool paced,
                               WorkerContext& context) noexcept {
    const PrincipalId first = leaving.payer(0);
    const uint64_t all = leaving.all();
    const bool alike = columns::equal(leaving.whom, index(first), all) == all;
    const bool bandwidth = caps_.any() && !paced, cycles = caps_.cycles().anybody();
    uint32_t bytes = 0;
    if (alike) {
        bytes = columns::sum(leaving.bytes, all);
        add_alike(kind, first, leaving.count, bytes);
    } else {
        if (bandwidth)
            for (unsigned i = 0; i < leaving.count; ++i) usage_.fetch(leaving.payer(i));
        tallies_[kind].add_each(leaving.whom.data(), leaving.bytes.data(), leaving.count);
    }
    if (!bandwidth && !cycles) return;
    if (alike && !cycles && caps_.take_all(first, bytes, context.now.ns)) return;
    police(leaving, bandwidth, context);
}

// What is dropped has come as far as the rest.
void Account::police(Leaving& leaving, bool bandwidth, WorkerContext& context) noexcept {
    uint64_t of_cpu = 0, of_bandwidth = 0;
    if (caps_.cycles().anybody())
        for (unsigned i = 0; i < leaving.count; ++i)
            of_cpu |= uint64_t{caps_.cycles().beyond(leaving.payer(i))} << i;
    if (bandwidth)
        columns::for_each_bit(leaving.all() & ~of_cpu, [&](unsigned i) {
            const bool fits = caps_.take(leaving.payer(i), leaving.bytes[i], context.now.ns);
            of_bandwidth |= uint64_t{!fits} << i;
        });
    if ((of_cpu | of_bandwidth) != 0) drop_beyond(leaving, of_cpu, of_bandwidth, context);
}

void Account::drop_beyond(Leaving& leaving, uint64_t of_cpu, uint64_t of_bandwidth,
                          WorkerContext& context) noexcept {
    const uint64_t beyond = of_cpu | of_bandwidth, kept = leaving.all() & ~beyond;
    rte_mbuf* dead[limits::kArrivals];
    unsigned dropped = 0;
    columns::for_each_bit(beyond, [&](unsigned i) {
        dead[dropped++] = leaving.frames[i];
        usage_.add(leaving.payer(i), Use::kDrops);
    });
    free_frames(dead, dropped);
    context.counters.add(kDropOverCap, static_cast<unsigned>(std::popcount(of_bandwidth)));
    context.counters.add(kDropOverCpu, static_cast<unsigned>(std::popcount(of_cpu)));
    leaving.count = 0;
    columns::for_each_bit(kept, [&](unsigned i) {
        leaving.add(leaving.frames[i], leaving.whom[i], leaving.bytes[i]);
    });
}

// A turn has more than there is room for: what came so far has had the cycles so far.
void Account::charge_so_far() noexcept {
    const uint64_t now = clock_();
    sent_ += packets_[kByShortcut] + packets_[kByExpress];
    charge(now - opened_, 0);
    opened_ = now;
}

uint64_t Account::lap_cycles(uint64_t now) noexcept {
    const uint64_t spent = now - lap_;
    lap_ = now;
    return spent - std::min(spent, stamp_);
}

// Learned from when the turn is over, so that it runs as those that are not timed.
void Account::take_lap(unsigned place, unsigned packets, unsigned left) noexcept {
    const uint64_t spent = lap_cycles(clock_());
    if (place == kTurn || packets + left == 0)
        overhead_ += spent;
    else if (laps_taken_ != kLaps)
        laps_[laps_taken_++] = {spent, place, packets, left};
}

void Account::learn() noexcept {
    if (every_turn_) split_.forget(kPlaces);
    for (unsigned i = 0; i < laps_taken_; ++i)
        if (laps_[i].place == kHit || laps_[i].place == kExpress)
            learn_taken(laps_[i]);
        else
            split_.timed(laps_[i].place, laps_[i].cycles, laps_[i].packets);
    split_.timed(kTurn, overhead_, 1);
    laps_taken_ = 0;
}

// Those that were taken and those that were left are looked at in one pass. How it was divided
// before must not count, or any error would stay.
void Account::learn_taken(const Lap& lap) noexcept {
    const bool shortcut = lap.place == kHit;
    sched::TwoKinds& kinds = shortcut ? hits_to_misses_ : express_to_left_;
    const auto cycles = static_cast<double>(lap.cycles);
    kinds.timed(lap.packets, lap.left, cycles);
    const auto part = static_cast<uint64_t>(cycles * kinds.part_of_a(lap.packets, lap.left));
    split_.timed(lap.place, part, lap.packets);
    split_.timed(shortcut ? kMiss : kLeft, lap.cycles - part, lap.left);
}

void Account::add(PrincipalId id, unsigned packets, unsigned end, unsigned first) noexcept {
    if (split_.full()) [[unlikely]]
        charge_so_far();
    split_.add(id, packets, end, first);
}

void Account::shed(unsigned packets) noexcept {
    if (split_.full()) [[unlikely]]
        charge_so_far();
    split_.add(sched::kCorePrincipal, packets, kMiss + 1, kReceive, kShed);
    lost(packets);
    lap(kShed, packets);
}

// Nobody received what the box made, or took out of a tunnel.
unsigned Account::begin_of(const PacketMeta& meta) const noexcept {
    const bool made = meta.has(PacketMeta::kLocalOrigin | PacketMeta::kTunnelled);
    return made ? std::max<unsigned>(entry_, kStages) : entry_;
}

// What the box makes is nobody's packet, though somebody's cycles.
void Account::count(PrincipalId id, const PacketMeta& meta) noexcept {
    if (meta.has(PacketMeta::kLocalOrigin)) return;
    usage_.add(id, Use::kPackets);
    usage_.add(id, Use::kBytes, meta.l3_total);
}

void Account::leave(const Burst& burst, unsigned end) noexcept {
    for (unsigned i = 0; i < burst.count; ++i) {
        if (burst.live(i)) continue;
        const PacketMeta& meta = burst.meta[i];
        const PrincipalId id = payer(meta);
        add(id, 1, std::min(end, kPlaces), begin_of(meta));
        if (burst.verdicts[i] == Verdict::kDrop) count_drop(meta);
        if (!burst.goes_on(i)) count(id, meta);
    }
}

void Account::send(const Burst& burst, unsigned end) noexcept {
    for (unsigned i = 0; i < burst.count; ++i) {
        const PacketMeta& meta = burst.meta[i];
        const PrincipalId id = payer(meta);
        const unsigned first = begin_of(meta);
        const bool received = first == kReceive;
        add(id, 1, std::min(end, kPlaces), received ? unsigned{kSend} : first);
        if (!received) add(id, 1, kSend + 1, kSend);
        count(id, meta);
    }
    sent_ += burst.count;
}

}  // namespace ravelin
