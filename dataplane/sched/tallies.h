// SPDX-License-Identifier: Apache-2.0
// Tallies: what packets came to, two words for each principal, until the accounts (usage.h) are
// told of it, some at a time. An account is a line of 64 bytes, and those of a thousand are more
// than L1 holds: where each packet is another's, every line would come from L2 and go back. A
// packet is added to one of its principal's words, its neighbours to the other: an add waits for
// the one before that wrote the same word, and so half as long where packets are of a few.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "dataplane/huge_array.h"
#include "dataplane/sched/usage.h"

namespace ravelin::sched {

/// Of one worker, and of packets that cost alike.
class Tallies {
  public:
    static constexpr uint32_t kRow = 8;          ///< principals that are told together: a line
    static constexpr uint32_t kRound = 1 << 17;  ///< packets in which all rows are told

    /// Room for ids below `principals`. `dropped`: so are these packets, and accounts are told so.
    explicit Tallies(uint32_t principals, bool dropped = false)
        : even_(HugeArray<uint64_t>::allocate(words_of(principals))),
          odd_(HugeArray<uint64_t>::allocate(kApart + words_of(principals))),
          dropped_(dropped) {
        if (even_.data() == nullptr || odd_.data() == nullptr) std::abort();  // no memory
        std::fill_n(even_.data(), even_.size(), 0);  // there before packets are
        std::fill_n(odd_.data(), odd_.size(), 0);
    }
    /// From here on packets may be of ids below `principals`, beside those of before.
    void reach(uint32_t principals) noexcept { rows_ = std::max(rows_, rows_of(principals)); }
    /// `n` packets of one principal, of so many bytes, at most 64 KiB each.
    void add(uint32_t id, uint32_t n, uint64_t bytes) noexcept {
        even_.data()[id] += n * kPacket + bytes;
    }
    /// A packet each of those, column by column.
    void add_each(const uint32_t* whom, const uint32_t* bytes, uint32_t n) noexcept {
        uint64_t *const even = even_.data(), *const odd = odd_.data() + kApart;
        constexpr unsigned kAtOnce = 8;
        const uint32_t* const end = whom + n;
        for (; end - whom >= kAtOnce; whom += kAtOnce, bytes += kAtOnce)
#pragma GCC unroll 4
            for (unsigned i = 0; i < kAtOnce; i += 2) {
                even[whom[i]] += kPacket + bytes[i];
                odd[whom[i + 1]] += kPacket + bytes[i + 1];
            }
        for (; whom != end; ++whom, ++bytes) even[*whom] += kPacket + *bytes;
    }
    /// What all that were added since the last call took, and how many they are. Each principal
    /// gets its part of these cycles by the mean of what nobody was told of yet.
    void took(uint64_t cycles, uint32_t packets) noexcept {
        cycles_ += cycles;
        packets_ += packets;
    }
    /// All are told of all.
    [[nodiscard]] bool empty() const noexcept { return packets_ == 0; }
    /// Packets of all principals for which a row is to be told: nobody has more than kRound of its
    /// own meanwhile, for which a word has room. Up to 2,048 principals it is for so many that it
    /// costs them little.
    [[nodiscard]] uint32_t packets_a_row() const noexcept {
        return std::min(uint32_t{512}, kRound / std::max(rows_, 1u));
    }
    /// Tells the accounts of the next `rows`. Not between an add() and took().
    void tell(uint32_t rows, Usage& usage) noexcept {
        if (empty()) return;
        const uint64_t each = cycles_ / packets_;
        for (; rows != 0 && !empty(); --rows) {
            tell_row(next_, each, usage);
            if (++next_ >= rows_) next_ = 0;
        }
    }
    void tell_all(Usage& usage) noexcept { tell(rows_, usage); }

    static constexpr size_t memory_bytes(uint32_t principals) noexcept {
        return (2 * words_of(principals) + kApart) * sizeof(uint64_t);
    }

  private:
    static constexpr unsigned kBytesBits = 40;
    static constexpr uint64_t kPacket = uint64_t{1} << kBytesBits;
    static constexpr uint32_t rows_of(uint32_t principals) noexcept {
        return (principals + kRow - 1) / kRow;
    }
    static constexpr size_t words_of(uint32_t principals) noexcept {
        return size_t{rows_of(principals)} * kRow;
    }
    // The last of all has what a division leaves over.
    void tell_row(uint32_t row, uint64_t each, Usage& usage) noexcept {
        uint64_t* const even = even_.data() + size_t{row} * kRow;
        uint64_t* const odd = odd_.data() + kApart + size_t{row} * kRow;
        uint64_t left = packets_, cycles_left = cycles_;
        for (uint32_t i = 0; i < kRow; ++i) {
            const uint64_t word = even[i] + odd[i], packets = word >> kBytesBits;
            if (word == 0) continue;
            even[i] = odd[i] = 0;
            left -= packets;
            const uint64_t cycles = left == 0 ? cycles_left : each * packets;
            cycles_left -= cycles;
            usage.add(PrincipalId{row * kRow + i}, cycles, packets, word & (kPacket - 1));
            if (dropped_) usage.add(PrincipalId{row * kRow + i}, Use::kDrops, packets);
        }
        packets_ = left;
        cycles_ = cycles_left;
    }

    // A CPU takes a read for one of what was just written at the same place of another page.
    static constexpr size_t kApart = 17 * kRow;
    HugeArray<uint64_t> even_, odd_;     // by id: packets above, bytes below; odd_: from kApart on
    uint64_t cycles_ = 0, packets_ = 0;  // that nobody was told of
    uint32_t next_ = 0, rows_ = 0;       // the next row, of how many
    bool dropped_;
};

}  // namespace ravelin::sched
