// SPDX-License-Identifier: Apache-2.0
// Room in the fragment table: who gets it, who loses it.
#include <algorithm>
#include <bit>

#include "pipelines/stages/steer_fragments.h"

namespace ravelin {

unsigned FragmentTable::held_limit(unsigned buffers, unsigned workers) noexcept {
    return std::clamp(buffers / (4 * workers), 8u, kMostHeld);
}

uint16_t FragmentTable::queue_of(const PacketMeta& m) noexcept {
    return static_cast<uint16_t>(m.in_port % limits::kMaxPorts * 2 +
                                 (m.has(PacketMeta::kIpv6) ? 1 : 0));
}

/// Whether a new datagram may take the room it needs from others. First what a flood is refused by.
bool FragmentTable::admits(const PacketMeta& m, const Arrival& arrival) noexcept {
    if (arrival.now_ms != replaced_at_ms_) {
        replaced_at_ms_ = arrival.now_ms;
        replaced_of_source_ = replaced_of_all_ = 0;
    }
    const bool frames = holds(m, arrival) && held_ >= held_limit_;
    if (!frames && free_ != kNone && !pool_.full()) return true;
    const Queue& fullest = most(frames ? &Queue::held : &Queue::datagrams);
    return &fullest != &queues_[queue_of(m)] || replaced_of_all_++ < kReplacedPerMs;
}

bool FragmentTable::admits_source(const Queue& source, const PacketMeta& m,
                                  const Arrival& arrival) noexcept {
    const bool frames = holds(m, arrival) && source.held >= held_limit_ / 4;
    if (!frames && source.datagrams < kPerSource) return true;
    return replaced_of_source_++ < kReplacedPerMs;
}

void FragmentTable::forget_held(Datagram& d) noexcept {
    held_ -= d.held;
    sources_[d.source_group].held = static_cast<uint16_t>(sources_[d.source_group].held - d.held);
    queues_[d.queue].held = static_cast<uint16_t>(queues_[d.queue].held - d.held);
    d.held = 0;
}

unsigned FragmentTable::free_frames(Datagram& d) noexcept {
    forget_held(d);
    return pool_.clear(d.pieces);
}

void FragmentTable::give_up(uint16_t at, FragmentDrop why) noexcept {
    drops_[static_cast<size_t>(why)] += free_frames(datagrams_[at]);
    close(at);
    if (why != FragmentDrop::kTimeout) ++given_up_;
}

/// The port and family that has most of `what`.
const FragmentTable::Queue& FragmentTable::most(uint16_t Queue::*what) const noexcept {
    const Queue* most = &queues_[0];
    for (unsigned word = 0; word < busy_.size(); ++word)
        for (uint64_t left = busy_[word]; left != 0; left &= left - 1) {
            const Queue& queue = queues_[word * 64 + static_cast<unsigned>(std::countr_zero(left))];
            if (queue.*what > most->*what) most = &queue;
        }
    return *most;
}

/// Room for one more piece of `at`, held or not; the reason where only its own end would make some.
std::optional<FragmentDrop> FragmentTable::make_room(uint16_t at, bool hold) noexcept {
    const Queue& source = sources_[datagrams_[at].source_group];
    for (;;) {
        uint16_t oldest = kNone;
        FragmentDrop why = FragmentDrop::kTableFull;
        if (hold && source.held >= held_limit_ / 4) {
            oldest = source.oldest;
            why = FragmentDrop::kSourceShare;
        } else if (hold && held_ >= held_limit_) {
            oldest = most(&Queue::held).oldest;
        } else if (pool_.full()) {
            oldest = most(&Queue::datagrams).oldest;
        } else {
            return std::nullopt;
        }
        if (oldest == at) return why;
        give_up(oldest, why);
    }
}

void FragmentTable::expire(uint32_t now_ms, Released& released) noexcept {
    if (used_ == 0 || now_ms == expired_at_ms_) return;
    expired_at_ms_ = now_ms;
    unsigned left = kExpirePerTurn;
    for (unsigned q = 0; q < kQueues && left != 0; ++q) {
        const uint32_t timeout = q % 2 == 0 ? kTimeout4Ms : kTimeout6Ms;
        for (uint16_t at = queues_[q].oldest; at != kNone && left != 0; at = queues_[q].oldest) {
            if (now_ms - datagrams_[at].created_ms < timeout) break;
            Datagram& d = datagrams_[at];
            rte_mbuf* first = timeout == kTimeout6Ms ? pool_.take_first(d.pieces) : nullptr;
            if (first != nullptr) released.frames[released.count++] = first;
            give_up(at, FragmentDrop::kTimeout);
            --left;
        }
    }
}

}  // namespace ravelin
