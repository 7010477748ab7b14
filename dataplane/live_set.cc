// SPDX-License-Identifier: Apache-2.0
// The table of a live set. Its elements as text stand in live_set_text.cc.
#include "dataplane/live_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "dataplane/flow.h"
#include "dataplane/fold.h"

namespace ravelin {
namespace {

constexpr uint64_t kDead = UINT32_MAX;  // an index no entry has; its tag is 0 and fits none
constexpr uint32_t kPortWords = 65536 / 64;
constexpr uint32_t kSpareEntries = 64;  // for elements that wait for their grace period

uint64_t word(const IpAddress& address, unsigned at) noexcept {
    uint64_t out = 0;
    std::memcpy(&out, address.bytes.data() + at * 8, 8);
    return out;
}

// Keyed, because what fills a block list is often chosen by those who are blocked.
uint64_t hash_of(const SetElement& e) noexcept {
    const auto& k = flow_hash_secret;
    return fold(word(e.first, 0) ^ k[0], word(e.first, 1) ^ k[1]) ^
           fold(word(e.second, 0) ^ k[2], word(e.second, 1) ^ k[3]) ^
           fold((uint64_t{e.low} << 32 | e.high) ^ k[4], k[5]);
}

uint64_t tag_of(uint64_t hash) noexcept { return (hash >> 32 | 1) << 32; }

void keep_bits(IpAddress& address, unsigned mapped_length) noexcept {
    const unsigned whole = mapped_length / 8;
    for (unsigned i = whole; i < 16; ++i) {
        const unsigned kept = i == whole ? mapped_length % 8 : 0;
        address.bytes[i] &= static_cast<uint8_t>(0xff00u >> kept);
    }
}

}  // namespace

uint32_t LiveSet::cells_for(uint32_t size) noexcept {
    return std::bit_ceil(std::max<uint32_t>(size * 2, 64));
}

size_t LiveSet::bytes_for(uint32_t size) noexcept {
    const size_t entries = size_t{size} + size / 4 + kSpareEntries;
    return sizeof(LiveSet) + 2 * sizeof(Cell) * cells_for(size) + sizeof(Entry) * entries +
           sizeof(Cell) * kPortWords;
}

Result<std::unique_ptr<LiveSet>> LiveSet::create(const SetDecl& decl) {
    std::unique_ptr<LiveSet> set(new LiveSet(decl));
    if (Status s = set->allocate(); !s) return std::move(s.error());
    return set;
}

Status LiveSet::allocate() {
    const auto array = [](auto& to, size_t n) {
        using T = std::remove_reference_t<decltype(to[0])>;
        to.reset(static_cast<T*>(std::calloc(n, sizeof(T))));
        return to != nullptr;
    };
    const uint32_t cells = cells_for(decl_.size);
    mask_ = cells - 1;
    capacity_ = decl_.size + decl_.size / 4 + kSpareEntries;
    if (!array(tables_[0], cells) || !array(tables_[1], cells) || !array(entries_, capacity_) ||
        !array(ports_, kPortWords))
        return Error{fmt::format("set '{}': no memory for {} bytes", decl_.name, memory_bytes())};
    if (decl_.type == SetType::kPorts) port_counts_.assign(65536, 0);
    wheel_.fill(kNone);
    cells_.store(tables_[0].get(), std::memory_order_release);
    return ok_status();
}

uint32_t LiveSet::probe(const SetElement& element, uint64_t hash,
                        const Cell* cells) const noexcept {
    const uint64_t tag = tag_of(hash);
    for (uint64_t at = hash;; ++at) {
        const uint64_t cell = cells[at & mask_].load(std::memory_order_acquire);
        if (cell == 0) return kNone;
        if ((cell & ~uint64_t{UINT32_MAX}) != tag) continue;
        const auto index = static_cast<uint32_t>(cell) - 1;
        if (entries_[index].element == element) return index;
    }
}

uint32_t LiveSet::find(const SetElement& element) const noexcept {
    return probe(element, hash_of(element), cells_.load(std::memory_order_acquire));
}

bool LiveSet::holds_address(const IpAddress& address) const noexcept {
    SetElement key{address, {}, 0, 0};
    if (address.is_v4()) {
        for (uint64_t left = lengths4_.load(std::memory_order_acquire); left != 0;
             left &= left - 1) {
            key.low = 96 + static_cast<uint32_t>(std::countr_zero(left));
            key.first = address;
            keep_bits(key.first, key.low);
            if (find(key) != kNone) return true;
        }
        return false;
    }
    for (unsigned w = 0; w < lengths6_.size(); ++w)
        for (uint64_t left = lengths6_[w].load(std::memory_order_acquire); left != 0;
             left &= left - 1) {
            key.low = w * 64 + static_cast<uint32_t>(std::countr_zero(left));
            key.first = address;
            keep_bits(key.first, key.low);
            if (find(key) != kNone) return true;
        }
    return false;
}

void LiveSet::place(Cell* cells, uint32_t index) noexcept {
    const uint64_t hash = hash_of(entries_[index].element);
    for (uint64_t at = hash;; ++at) {
        Cell& cell = cells[at & mask_];
        const uint64_t there = cell.load(std::memory_order_relaxed);
        if (there != 0 && there != kDead) continue;
        if (there == kDead) --dead_;
        return cell.store(tag_of(hash) | (index + 1), std::memory_order_release);
    }
}

uint32_t LiveSet::take_entry() noexcept {
    if (free_ == kNone) return fresh_ < capacity_ ? fresh_++ : kNone;
    const uint32_t index = free_;
    free_ = entries_[index].next;
    return index;
}

LiveSet::Added LiveSet::add(const SetElement& element, uint64_t expires_ms) noexcept {
    if (const uint32_t known = find(element); known != kNone) {
        disarm(known);
        entries_[known].expires_ms = expires_ms;
        arm(known);
        return Added::kKnown;
    }
    if (size_ >= decl_.size) return Added::kFull;
    if (size_ + dead_ >= mask_ / 8 * 5 && !rebuild()) return Added::kWait;
    const uint32_t index = take_entry();
    if (index == kNone) return Added::kWait;
    entries_[index] = {element, expires_ms, kNone, kNone, 0, true};
    arm(index);
    place(cells_.load(std::memory_order_relaxed), index);
    count(element, 1);
    ++size_;
    return Added::kNew;
}

bool LiveSet::remove(const SetElement& element) noexcept {
    const uint32_t index = find(element);
    if (index == kNone) return false;
    disarm(index);
    drop_entry(index);
    return true;
}

// The entry itself stays as it is until reclaim(): a reader may be comparing it.
void LiveSet::drop_entry(uint32_t index) noexcept {
    Cell* cells = cells_.load(std::memory_order_relaxed);
    const uint64_t hash = hash_of(entries_[index].element), wanted = tag_of(hash) | (index + 1);
    uint64_t at = hash;
    while (cells[at & mask_].load(std::memory_order_relaxed) != wanted) ++at;
    cells[at & mask_].store(kDead, std::memory_order_release);
    ++dead_;
    count(entries_[index].element, -1);
    entries_[index].used = false;
    entries_[index].next = limbo_;
    limbo_ = index;
    --size_;
}

bool LiveSet::clear() noexcept {
    if (spare_used_) return false;
    for (uint32_t i = 0; i < fresh_; ++i) {
        if (!entries_[i].used) continue;
        disarm(i);
        drop_entry(i);
    }
    return rebuild();
}

// Into the other table, without the dead cells. Readers in the old one find what they would have
// found before.
bool LiveSet::rebuild() noexcept {
    if (spare_used_) return false;
    Cell* fresh = tables_[table_ ^ 1].get();
    for (uint32_t i = 0; i <= mask_; ++i) fresh[i].store(0, std::memory_order_relaxed);
    for (uint32_t i = 0; i < fresh_; ++i)
        if (entries_[i].used) place(fresh, i);
    dead_ = 0;
    table_ ^= 1;
    spare_used_ = true;
    cells_.store(fresh, std::memory_order_release);
    return true;
}

void LiveSet::reclaim() noexcept {
    spare_used_ = false;
    while (limbo_ != kNone) {
        const uint32_t index = limbo_;
        limbo_ = entries_[index].next;
        entries_[index].next = free_;
        free_ = index;
    }
}

void LiveSet::count(const SetElement& element, int by) noexcept {
    if (decl_.type == SetType::kPrefixes) return count_length(element, by);
    if (decl_.type != SetType::kPorts) return;
    for (uint32_t port = element.low; port <= element.high; ++port) {
        const uint32_t now = port_counts_[port] += static_cast<uint32_t>(by);
        Cell& bits = ports_[port / 64];
        const uint64_t bit = uint64_t{1} << (port % 64), old = bits.load(std::memory_order_relaxed);
        bits.store(now != 0 ? old | bit : old & ~bit, std::memory_order_release);
    }
}

void LiveSet::count_length(const SetElement& element, int by) noexcept {
    const bool v4 = element.first.is_v4();
    const uint32_t length = element.prefix().length;
    const uint32_t now = (v4 ? count4_[length] : count6_[length]) += static_cast<uint32_t>(by);
    std::atomic<uint64_t>& bits = v4 ? lengths4_ : lengths6_[length / 64];
    const uint64_t bit = uint64_t{1} << (length % 64), old = bits.load(std::memory_order_relaxed);
    bits.store(now != 0 ? old | bit : old & ~bit, std::memory_order_release);
}

void LiveSet::arm(uint32_t index) noexcept {
    Entry& entry = entries_[index];
    if (entry.expires_ms == 0) return;
    entry.slot = static_cast<uint16_t>(std::max(entry.expires_ms / 1000, second_) % kWheel);
    uint32_t& head = wheel_[entry.slot];
    entry.previous = kNone;
    entry.next = head;
    if (head != kNone) entries_[head].previous = index;
    head = index;
}

void LiveSet::disarm(uint32_t index) noexcept {
    Entry& entry = entries_[index];
    if (entry.expires_ms == 0) return;
    if (entry.next != kNone) entries_[entry.next].previous = entry.previous;
    if (entry.previous != kNone)
        entries_[entry.previous].next = entry.next;
    else
        wheel_[entry.slot] = entry.next;
}

uint32_t LiveSet::expire(uint64_t now_ms) noexcept {
    const uint64_t now = now_ms / 1000;
    // A whole round at most, however long nobody called.
    const uint64_t turns = std::min<uint64_t>(now - std::min(now, second_), kWheel - 1);
    uint32_t expired = 0;
    for (uint64_t s = now - turns; s <= now; ++s)
        expired += expire_slot(static_cast<uint32_t>(s % kWheel), now_ms);
    second_ = std::max(second_, now);
    return expired;
}

uint32_t LiveSet::expire_slot(uint32_t slot, uint64_t now_ms) noexcept {
    uint32_t expired = 0;
    for (uint32_t index = wheel_[slot]; index != kNone;) {
        const uint32_t next = entries_[index].next;
        if (entries_[index].expires_ms <= now_ms) {
            disarm(index);
            drop_entry(index);
            ++expired;
        }
        index = next;
    }
    return expired;
}

}  // namespace ravelin
