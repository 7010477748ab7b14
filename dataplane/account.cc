// SPDX-License-Identifier: Apache-2.0
#include "dataplane/account.h"

#include <algorithm>

#include "dataplane/net/headers.h"

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
    if (!moved && passed_ == 0 && split_.empty()) {
        usage_.add(sched::kIdlePrincipal, Use::kCycles, cycles);
    } else {
        if (sampling_) {
            take_lap(kSend, sent_ + passed_, 0);  // nothing else has happened since
            learn();
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
    if (passed_ == 0) return split_.charge(cycles, usage_, sched::kCorePrincipal, own);
    const Run& first = runs_[0];
    const bool several = runs_taken_ != 1;
    split_.add(several ? kSeveral : first.id, passed_, kReceive + 1, kHit);
    split_.charge(cycles, usage_, sched::kCorePrincipal, own);
    if (several)
        charge_several();
    else
        usage_.add(first.id, 0, first.packets, first.bytes);
    sent_ += passed_;
    passed_ = runs_taken_ = 0;
}

void Account::passed(rte_mbuf* const* frames, unsigned n) noexcept {
    if (runs_taken_ + n > kRuns) [[unlikely]]
        charge_so_far();
    constexpr uint32_t kEthernet = sizeof(net::Ethernet);
    const PrincipalId first = charged_to(*frames[0]);
    uint32_t differ = 0, bytes = 0;
#pragma GCC unroll 4
    for (unsigned i = 0; i < n; ++i) {
        differ |= index(charged_to(*frames[i])) ^ index(first);
        bytes += frames[i]->pkt_len;
    }
    passed_ += n;
    Run* to = runs_.data() + runs_taken_;
    if (differ != 0) {
        runs_taken_ += n;
        for (unsigned i = 0; i < n; ++i)
            *to++ = {charged_to(*frames[i]), 1, frames[i]->pkt_len - kEthernet};
    } else if (runs_taken_ != 0 && to[-1].id == first) {
        to[-1].packets += n;
        to[-1].bytes += bytes - n * kEthernet;
    } else {
        ++runs_taken_;
        *to = {first, n, bytes - n * kEthernet};
    }
}

// A turn has more than there is room for: what came so far has had the cycles so far.
void Account::charge_so_far() noexcept {
    const uint64_t now = clock_();
    charge(now - opened_, 0);
    opened_ = now;
}

void Account::charge_several() noexcept {
    const uint64_t cycles = usage_.take(kSeveral, Use::kCycles), each = cycles / passed_;
    for (unsigned i = 0; i < runs_taken_; ++i) {
        const auto& [id, packets, bytes] = runs_[i];
        usage_.add(id, each * packets, packets, bytes);
    }
    usage_.add(runs_[0].id, Use::kCycles, cycles - each * passed_);
}

// Learned from when the turn is over, so that it runs as those that are not timed.
void Account::take_lap(unsigned place, unsigned packets, unsigned misses) noexcept {
    const uint64_t now = clock_();
    uint64_t spent = now - lap_;
    lap_ = now;
    spent -= std::min(spent, stamp_);
    if (place == kTurn || packets + misses == 0)
        overhead_ += spent;
    else if (laps_taken_ != kLaps)
        laps_[laps_taken_++] = {spent, place, packets, misses};
}

void Account::learn() noexcept {
    if (every_turn_) split_.forget(kPlaces);
    for (unsigned i = 0; i < laps_taken_; ++i)
        if (laps_[i].misses == 0 && laps_[i].place != kHit)
            split_.timed(laps_[i].place, laps_[i].cycles, laps_[i].packets);
        else
            learn_shortcut(laps_[i]);
    split_.timed(kTurn, overhead_, 1);
    laps_taken_ = 0;
}

// Those that took it and those that did not are looked at in one pass. How it was divided before
// must not count, or any error would stay.
void Account::learn_shortcut(const Lap& lap) noexcept {
    const unsigned hits = lap.packets, misses = lap.misses;
    const auto cycles = static_cast<double>(lap.cycles);
    hits_to_misses_.timed(hits, misses, cycles);
    const auto part = static_cast<uint64_t>(cycles * hits_to_misses_.part_of_a(hits, misses));
    split_.timed(kHit, part, hits);
    split_.timed(kMiss, lap.cycles - part, misses);
}

void Account::add(PrincipalId id, unsigned packets, unsigned end, unsigned first) noexcept {
    if (split_.full()) [[unlikely]]
        charge_so_far();
    split_.add(id, packets, end, first);
}

void Account::shed(unsigned packets) noexcept {
    add(sched::kCorePrincipal, packets, kMiss + 1, kReceive);
    usage_.add(sched::kCorePrincipal, Use::kPackets, packets);
    usage_.add(sched::kCorePrincipal, Use::kDrops, packets);
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
        if (burst.verdicts[i] == Verdict::kDrop) usage_.add(id, Use::kDrops);
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
