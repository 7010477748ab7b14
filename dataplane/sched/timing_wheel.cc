// SPDX-License-Identifier: Apache-2.0
#include "dataplane/sched/timing_wheel.h"

#include <algorithm>
#include <bit>

namespace ravelin::sched {

TimingWheel::TimingWheel(uint32_t entries, uint64_t now_ns)
    : tick_(now_ns >> kTickLog2), links_(entries) {
    heads_.fill(kNone);
}

void TimingWheel::add(uint32_t entry, uint64_t when_ns) noexcept {
    links_[entry].tick = (when_ns + (uint64_t{1} << kTickLog2) - 1) >> kTickLog2;
    ++waiting_;
    place(entry);
}

// Into the slot of its tick, on the level that its distance asks for. What is further away than
// the wheel reaches goes to the last slot and is placed anew from there.
void TimingWheel::place(uint32_t entry) noexcept {
    constexpr uint64_t kReach = (uint64_t{1} << (kLevels * kSlotsLog2)) - 1;
    const uint64_t tick = std::clamp(links_[entry].tick, tick_ + 1, tick_ + kReach);
    // From the next tick on: when a round is cascaded at its first, all of it fits the level below.
    const uint64_t distance = tick - (tick_ + 1);
    const unsigned level = (static_cast<unsigned>(std::bit_width(distance | 1)) - 1) / kSlotsLog2;
    const auto in_level = static_cast<unsigned>(tick >> (level * kSlotsLog2) & kMask);
    const unsigned slot = level * kSlots + in_level;
    Link& link = links_[entry];
    link.slot = static_cast<uint16_t>(slot);
    link.previous = kNone;
    link.next = heads_[slot];
    if (link.next != kNone) links_[link.next].previous = entry;
    heads_[slot] = entry;
    used_[level] |= uint64_t{1} << in_level;
}

void TimingWheel::cancel(uint32_t entry) noexcept {
    Link& link = links_[entry];
    if (link.slot == kNowhere) return;
    if (link.previous != kNone)
        links_[link.previous].next = link.next;
    else
        heads_[link.slot] = link.next;
    if (link.next != kNone) links_[link.next].previous = link.previous;
    if (heads_[link.slot] == kNone)
        used_[link.slot >> kSlotsLog2] &= ~(uint64_t{1} << (link.slot & kMask));
    link.slot = kNowhere;
    --waiting_;
}

// Where something may have to be done next: a used slot in what is left of level 0's round, or the
// round's end; as many levels as are empty are left out.
uint64_t TimingWheel::next_stop() const noexcept {
    const uint64_t next = tick_ + 1;
    const uint64_t ahead = used_[0] >> (next & kMask);
    if (ahead != 0) return next + static_cast<unsigned>(std::countr_zero(ahead));
    unsigned level = 1;
    while (level < kLevels && used_[level - 1] == 0) ++level;
    const uint64_t round = (uint64_t{1} << (std::max(level - 1, 1u) * kSlotsLog2)) - 1;
    return (next | round) + 1;
}

void TimingWheel::cascade(uint64_t tick) noexcept {
    for (unsigned level = 1; level < kLevels; ++level) {
        const auto slot = static_cast<unsigned>(tick >> (level * kSlotsLog2) & kMask);
        uint32_t entry = heads_[level * kSlots + slot];
        heads_[level * kSlots + slot] = kNone;
        used_[level] &= ~(uint64_t{1} << slot);
        while (entry != kNone) {
            const uint32_t next = links_[entry].next;
            place(entry);
            entry = next;
        }
        if (slot != 0) return;
    }
}

// Moves to the tick before the first that has something due; false: none up to `target`.
bool TimingWheel::find_due(uint64_t target) noexcept {
    while (tick_ < target) {
        if (((tick_ + 1) & kMask) == 0) cascade(tick_ + 1);
        if ((used_[0] >> ((tick_ + 1) & kMask) & 1) != 0) return true;
        tick_ = std::min(next_stop() - 1, target);
    }
    return false;
}

uint64_t TimingWheel::next_ns() const noexcept {
    if (waiting_ == 0) return UINT64_MAX;
    const bool round_ends = ((tick_ + 1) & kMask) == 0;
    return (round_ends ? tick_ + 1 : next_stop()) << kTickLog2;
}

}  // namespace ravelin::sched
