// SPDX-License-Identifier: Apache-2.0
#include "dataplane/account.h"

#include <algorithm>

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

void Account::close(bool moved) noexcept {
    const uint64_t now = clock_(), cycles = now - opened_;
    opened_ = now;
    const bool any = std::ranges::any_of(runs_, [](const Runs& r) { return r.taken != 0; });
    if (!moved && !any && split_.empty()) {
        usage_.add(sched::kIdlePrincipal, Use::kCycles, cycles);
    } else {
        if (sampling_) {
            const uint64_t sending = lap_cycles();  // nothing else has happened since
            learn();
            split_.timed(kSend, sending,
                         sent_ + runs_[kByShortcut].packets + runs_[kByExpress].packets);
        }
        charge(cycles, every_turn_ ? overhead_ : split_.reckoned(kTurn, 1));
        sampling_ = split_.sample() || every_turn_;
        sent_ = 0;
    }
    overhead_ = 0;
    lap_ = now;
}

void Account::charge_all(PrincipalId id) noexcept {
    const uint64_t now = clock_();
    usage_.add(id, Use::kCycles, now - opened_);
    opened_ = lap_ = now;
}

void Account::charge(uint64_t cycles, uint64_t own) noexcept {
    for (unsigned kind = 0; kind < kKinds; ++kind)
        if (runs_[kind].taken != 0) add(static_cast<Kind>(kind));
    split_.charge(cycles, usage_, sched::kCorePrincipal, own);
    sent_ += runs_[kByShortcut].packets + runs_[kByExpress].packets;
    for (Runs& runs : runs_)
        if (runs.taken != 0) divide(runs);
}

// One part of the split each, whosever they are: it was the same that was done for them.
void Account::add(Kind kind) noexcept {
    const Runs& of = runs_[kind];
    const PrincipalId id = of.taken == 1 ? of.runs[0].id : of.several;
    if (kind == kByShortcut)
        split_.add(id, of.packets, kReceive + 1, kSend, kHit);
    else
        split_.add(id, of.packets, kMiss + 1, kind == kByExpress ? kSend : kReceive, kExpress);
}

void Account::divide(Runs& of) noexcept {
    if (of.taken == 1) {
        usage_.add(of.runs[0].id, 0, of.runs[0].packets, of.runs[0].bytes);
    } else {
        const uint64_t cycles = usage_.take(of.several, Use::kCycles), each = cycles / of.packets;
        for (unsigned i = 0; i < of.taken; ++i) {
            const auto& [id, packets, bytes] = of.runs[i];
            usage_.add(id, each * packets, packets, bytes);
        }
        usage_.add(of.runs[0].id, Use::kCycles, cycles - each * of.packets);
    }
    of.taken = of.packets = 0;
}

unsigned Account::leave_by(Kind kind, rte_mbuf** frames, unsigned n, PortId port,
                           WorkerContext& context) noexcept {
    constexpr uint32_t kEthernet = sizeof(net::Ethernet);
    const PrincipalId first = charged_to(*frames[0]);
    uint32_t differ = 0, bytes = 0;
#pragma GCC unroll 4
    for (unsigned i = 0; i < n; ++i) {
        differ |= index(charged_to(*frames[i])) ^ index(first);
        bytes += frames[i]->pkt_len;
    }
    bytes -= n * kEthernet;
    const bool bandwidth = caps_.any() && !context.transmitter->is_paced(port);
    const bool cycles = caps_.cycles().anybody(), asked = bandwidth || cycles;
    if (differ == 0) {
        note(kind, first, n, bytes);
        if (!asked || (!cycles && caps_.take_all(first, bytes, context.now.ns))) return n;
    } else {
        Runs& of = runs_[kind];
        if (of.taken + n > Runs::kMost) [[unlikely]]
            charge_so_far();
        for (unsigned i = 0; i < n; ++i) {
            const PrincipalId id = charged_to(*frames[i]);
            of.runs[of.taken + i] = {id, 1, frames[i]->pkt_len - kEthernet};
            usage_.fetch(id);
        }
        of.taken += n;
        of.packets += n;
    }
    return asked ? police(frames, n, bandwidth, context) : n;
}

// What is dropped has come as far as the rest.
unsigned Account::police(rte_mbuf** frames, unsigned n, bool bandwidth,
                         WorkerContext& context) noexcept {
    rte_mbuf* dead[limits::kArrivals];
    unsigned kept = 0, dropped = 0, over_cpu = 0;
    if (bandwidth)
        for (unsigned i = 0; i < n; ++i) caps_.fetch(charged_to(*frames[i]));
    for (unsigned i = 0; i < n; ++i) {
        const PrincipalId id = charged_to(*frames[i]);
        const auto bytes = frames[i]->pkt_len - uint32_t{sizeof(net::Ethernet)};
        const bool beyond = caps_.cycles().beyond(id);
        over_cpu += beyond ? 1 : 0;
        if (!beyond && (!bandwidth || caps_.take(id, bytes, context.now.ns))) [[likely]] {
            frames[kept++] = frames[i];
        } else {
            dead[dropped++] = frames[i];
            usage_.add(id, Use::kDrops);
        }
    }
    if (dropped != 0) {
        free_frames(dead, dropped);
        context.counters.add(kDropOverCap, dropped - over_cpu);
        context.counters.add(kDropOverCpu, over_cpu);
    }
    return kept;
}

void Account::note(Kind kind, PrincipalId id, uint32_t packets, uint32_t bytes) noexcept {
    Runs& of = runs_[kind];
    if (of.taken == Runs::kMost) [[unlikely]]
        charge_so_far();
    of.packets += packets;
    Run* const last = of.runs.data() + of.taken - 1;
    if (of.taken != 0 && last->id == id) {
        last->packets += packets;
        last->bytes += bytes;
    } else {
        of.runs[of.taken++] = {id, packets, bytes};
    }
}

// A turn has more than there is room for: what came so far has had the cycles so far.
void Account::charge_so_far() noexcept {
    const uint64_t now = clock_();
    charge(now - opened_, 0);
    opened_ = now;
}

uint64_t Account::lap_cycles() noexcept {
    const uint64_t now = clock_(), spent = now - lap_;
    lap_ = now;
    return spent - std::min(spent, stamp_);
}

// Learned from when the turn is over, so that it runs as those that are not timed.
void Account::take_lap(unsigned place, unsigned packets, unsigned left) noexcept {
    const uint64_t spent = lap_cycles();
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
