// SPDX-License-Identifier: Apache-2.0
#include "dataplane/neighbour_table.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "dataplane/flow.h"
#include "dataplane/fold.h"

namespace ravelin {
namespace {

constexpr unsigned kLongestWalk = 64;  // a reader in a chain under change must come to an end
constexpr unsigned kEvictionLook = 128;

uint64_t pack(const MacAddress& mac, NeighbourState state) {
    uint64_t word = static_cast<uint64_t>(state) << 56;
    for (unsigned i = 0; i < 6; ++i)
        word |= uint64_t{mac.bytes[i]} << (8 * i);  // as memcpy reads it
    return word;
}
NeighbourState state_of(uint64_t word) { return static_cast<NeighbourState>(word >> 56); }
MacAddress mac_of(uint64_t word) {
    MacAddress mac;
    std::memcpy(mac.bytes.data(), &word, sizeof mac);
    return mac;
}
bool timed(NeighbourState s) {
    return s == NeighbourState::kIncomplete || s == NeighbourState::kDelay ||
           s == NeighbourState::kProbing || s == NeighbourState::kFailed;
}
IpAddress address_of(uint64_t high, uint64_t low) {
    const be64 halves[2] = {be64(high), be64(low)};
    return IpAddress::v6(reinterpret_cast<const uint8_t*>(halves));
}

}  // namespace

struct alignas(64) NeighbourTable::Entry {
    std::atomic<uint32_t> version{0}, next{kNoSlot};
    std::atomic<uint64_t> high{0}, low{0}, word{0};
    std::atomic<uint32_t> port{0};
    mutable std::atomic<uint32_t> used{0};  // the one field that any worker may write
    std::atomic<uint32_t> changed_ms{0};
    Timer timer;  // from here on worker 0's alone
    uint32_t active_at = kNoSlot;
    uint16_t held_first = kNoHeld, held_last = kNoHeld;
    uint8_t held = 0;

    struct Content {
        uint64_t high, low, word;
        uint32_t port, changed_ms;
    };
    // Acquire loads keep the second look at the version last; release stores on the other side
    // keep the odd version first. No fences: ThreadSanitizer does not model them.
    bool read(Content& c) const noexcept {
        const uint32_t before = version.load(std::memory_order_acquire);
        c.high = high.load(std::memory_order_acquire);
        c.low = low.load(std::memory_order_acquire);
        c.port = port.load(std::memory_order_acquire);
        c.changed_ms = changed_ms.load(std::memory_order_acquire);
        c.word = word.load(std::memory_order_acquire);
        return (before & 1) == 0 && version.load(std::memory_order_relaxed) == before;
    }
    void write(const Content& c) noexcept {
        const uint32_t now = version.load(std::memory_order_relaxed);
        version.store(now + 1, std::memory_order_relaxed);
        high.store(c.high, std::memory_order_release);
        low.store(c.low, std::memory_order_release);
        port.store(c.port, std::memory_order_release);
        changed_ms.store(c.changed_ms, std::memory_order_release);
        word.store(c.word, std::memory_order_release);
        version.store(now + 2, std::memory_order_release);
    }
};

size_t NeighbourTable::memory_bytes() const {
    return sizeof *this + capacity_ * sizeof(Entry) + (size_t{mask_} + 1) * sizeof heads_[0] +
           (free_.capacity() + active_.capacity()) * sizeof(uint32_t);
}

NeighbourTable::NeighbourTable(uint32_t capacity)
    : capacity_(capacity),
      mask_(std::bit_ceil(capacity) - 1),
      heads_(new std::atomic<uint32_t>[size_t{mask_} + 1]),
      entries_(new Entry[capacity]) {
    for (uint32_t i = 0; i <= mask_; ++i) heads_[i].store(kNoSlot, std::memory_order_relaxed);
    free_.reserve(capacity);
    active_.reserve(capacity);
    for (unsigned i = 0; i < kHeldFrames; ++i)
        held_[i] = {nullptr, i + 1 < kHeldFrames ? static_cast<uint16_t>(i + 1) : kNoHeld};
}

NeighbourTable::~NeighbourTable() {
    for (uint32_t slot = 0; slot < fresh_; ++slot)
        while (rte_mbuf* frame = release(slot)) rte_pktmbuf_free(frame);
}

std::atomic<uint32_t>& NeighbourTable::head(PortId port, const IpAddress& address) const noexcept {
    // Keyed: who could aim at a chain would hide a neighbour of another port behind it.
    const auto& k = flow_hash_secret;
    return heads_[fold(address.high() ^ k[0], address.low() ^ k[1] ^ port) & mask_];
}

uint32_t NeighbourTable::search(PortId port, const IpAddress& address, uint64_t& word,
                                unsigned longest) const noexcept {
    const uint64_t high = address.high(), low = address.low();
    uint32_t slot = head(port, address).load(std::memory_order_acquire);
    for (unsigned i = 0; slot != kNoSlot && i < longest; ++i) {
        const Entry& entry = entries_[slot];
        Entry::Content c{};
        if (entry.read(c) && c.high == high && c.low == low && c.port == port &&
            state_of(c.word) != NeighbourState::kNone) {
            word = c.word;
            return slot;
        }
        slot = entry.next.load(std::memory_order_acquire);
    }
    return kNoSlot;
}

std::optional<MacAddress> NeighbourTable::lookup(PortId port,
                                                 const IpAddress& address) const noexcept {
    MacAddress mac;
    return lookup(port, address, mac) ? std::optional(mac) : std::nullopt;
}

bool NeighbourTable::lookup(PortId port, const IpAddress& address, MacAddress& mac) const noexcept {
    uint64_t word = 0;
    const uint32_t slot = search(port, address, word, kLongestWalk);
    if (slot == kNoSlot) return false;
    switch (state_of(word)) {
        case NeighbourState::kStale: {
            // Read first: a line that every worker reads must not be written for each packet.
            auto& used = entries_[slot].used;
            if (used.load(std::memory_order_relaxed) == 0) used.store(1, std::memory_order_relaxed);
            break;
        }
        case NeighbourState::kReachable:
        case NeighbourState::kDelay:
        case NeighbourState::kProbing:
        case NeighbourState::kPermanent:
            break;
        default:
            return false;
    }
    mac = mac_of(word);
    return true;
}

std::optional<NeighbourView> NeighbourTable::view(PortId port,
                                                  const IpAddress& address) const noexcept {
    uint64_t word = 0;
    const uint32_t slot = search(port, address, word, kLongestWalk);
    if (slot == kNoSlot) return std::nullopt;
    return NeighbourView{port, address, mac_of(word), state_of(word),
                         entries_[slot].changed_ms.load(std::memory_order_relaxed)};
}

std::vector<NeighbourView> NeighbourTable::list() const {
    std::vector<NeighbourView> out;
    for (uint32_t slot = 0; slot < capacity_; ++slot) {
        Entry::Content c{};
        bool whole = false;
        for (unsigned tries = 0; tries < 4 && !whole; ++tries) whole = entries_[slot].read(c);
        if (whole && state_of(c.word) != NeighbourState::kNone)
            out.push_back({static_cast<PortId>(c.port), address_of(c.high, c.low), mac_of(c.word),
                           state_of(c.word), c.changed_ms});
    }
    return out;
}

NeighbourView NeighbourTable::at(uint32_t slot) const noexcept {
    Entry::Content c{};
    entries_[slot].read(c);  // the owner never meets itself writing
    return {static_cast<PortId>(c.port), address_of(c.high, c.low), mac_of(c.word),
            state_of(c.word), c.changed_ms};
}

uint32_t NeighbourTable::free_slot() noexcept {
    if (free_.empty() && fresh_ < capacity_) return fresh_++;
    if (free_.empty()) {
        uint32_t oldest = kNoSlot, oldest_ms = 0;
        for (unsigned i = 0; i < std::min(kEvictionLook, capacity_); ++i) {
            hand_ = hand_ + 1 < capacity_ ? hand_ + 1 : 0;
            const Entry& e = entries_[hand_];
            const uint32_t since = e.changed_ms.load(std::memory_order_relaxed);
            const bool stale =
                state_of(e.word.load(std::memory_order_relaxed)) == NeighbourState::kStale;
            if (stale && (oldest == kNoSlot || static_cast<int32_t>(since - oldest_ms) < 0)) {
                oldest = hand_;
                oldest_ms = since;
            }
        }
        auto& counter = oldest == kNoSlot ? refused_ : evicted_;
        counter.store(counter.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        if (oldest == kNoSlot) return kNoSlot;
        erase(oldest);
    }
    const uint32_t slot = free_.back();
    free_.pop_back();
    return slot;
}

uint32_t NeighbourTable::insert(PortId port, const IpAddress& address, const MacAddress& mac,
                                NeighbourState state, uint32_t now_ms) noexcept {
    const uint32_t slot = free_slot();
    if (slot == kNoSlot) return kNoSlot;
    Entry& entry = entries_[slot];
    entry.used.store(0, std::memory_order_relaxed);
    entry.timer = {};
    entry.write({address.high(), address.low(), pack(mac, state), port, now_ms});
    auto& first = head(port, address);
    entry.next.store(first.load(std::memory_order_relaxed), std::memory_order_release);
    first.store(slot, std::memory_order_release);
    track(slot, state);
    return slot;
}

void NeighbourTable::set(uint32_t slot, const MacAddress& mac, NeighbourState state,
                         uint32_t now_ms) noexcept {
    Entry& entry = entries_[slot];
    entry.used.store(0, std::memory_order_relaxed);
    entry.changed_ms.store(now_ms, std::memory_order_relaxed);
    entry.word.store(pack(mac, state), std::memory_order_release);
    track(slot, state);
}

void NeighbourTable::set(uint32_t slot, NeighbourState state, uint32_t now_ms) noexcept {
    set(slot, mac_of(entries_[slot].word.load(std::memory_order_relaxed)), state, now_ms);
}

void NeighbourTable::erase(uint32_t slot) noexcept {
    Entry& entry = entries_[slot];
    const NeighbourView view = at(slot);
    std::atomic<uint32_t>* link = &head(view.port, view.address);
    while (link->load(std::memory_order_relaxed) != slot)
        link = &entries_[link->load(std::memory_order_relaxed)].next;
    link->store(entry.next.load(std::memory_order_relaxed), std::memory_order_release);
    entry.write({});
    track(slot, NeighbourState::kNone);
    while (rte_mbuf* frame = release(slot)) rte_pktmbuf_free(frame);
    free_.push_back(slot);
}

void NeighbourTable::track(uint32_t slot, NeighbourState state) noexcept {
    Entry& entry = entries_[slot];
    version_.raise();
    if (timed(state) == (entry.active_at != kNoSlot)) return;
    if (timed(state)) {
        entry.active_at = static_cast<uint32_t>(active_.size());
        active_.push_back(slot);
        return;
    }
    const uint32_t last = active_.back();
    active_[entry.active_at] = last;
    entries_[last].active_at = entry.active_at;
    active_.pop_back();
    entry.active_at = kNoSlot;
}

bool NeighbourTable::used(uint32_t slot) const noexcept {
    return entries_[slot].used.load(std::memory_order_relaxed) != 0;
}

NeighbourTable::Timer& NeighbourTable::timer(uint32_t slot) noexcept {
    return entries_[slot].timer;
}

bool NeighbourTable::hold(uint32_t slot, rte_mbuf* frame) noexcept {
    Entry& entry = entries_[slot];
    if (entry.held == kHeldPerNeighbour || free_held_ == kNoHeld) return false;
    const uint16_t at = free_held_;
    free_held_ = held_[at].next;
    held_[at] = {frame, kNoHeld};
    if (entry.held++ == 0)
        entry.held_first = at;
    else
        held_[entry.held_last].next = at;
    entry.held_last = at;
    return true;
}

rte_mbuf* NeighbourTable::release(uint32_t slot) noexcept {
    Entry& entry = entries_[slot];
    if (entry.held == 0) return nullptr;
    const uint16_t at = entry.held_first;
    rte_mbuf* frame = held_[at].frame;
    entry.held_first = held_[at].next;
    --entry.held;
    held_[at] = {nullptr, free_held_};
    free_held_ = at;
    return frame;
}

}  // namespace ravelin
