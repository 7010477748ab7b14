// SPDX-License-Identifier: Apache-2.0
// Calendar: items ordered by a virtual tag, in slots of 2^shift tag units with a bitmap over them:
// push and pop cost the same for one item and for ten thousand. Within a slot first come, first
// served, so an item may be served up to one slot before its turn; tags are kept exact by the
// owner, so that this error does not add up. Tags wrap: all lie within 2^63 of each other.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace ravelin::sched {

class Calendar {
  public:
    static constexpr uint32_t kNone = UINT32_MAX;

    /// 64 << `words_log2` slots (at most 4,096). `horizon`: the furthest that a tag lies ahead as a
    /// rule; what lies further is met again on the way and pushed again.
    Calendar(unsigned words_log2, uint64_t horizon)
        : words_(size_t{1} << words_log2),
          heads_(words_.size() * 64, kNone),
          tails_(words_.size() * 64, kNone) {
        while ((horizon >> shift_) >= heads_.size() - 1) ++shift_;
    }
    [[nodiscard]] bool empty() const { return summary_ == 0; }
    /// `next` is the owner's link of each item.
    template <typename Next>
    void push(uint32_t item, uint64_t tag, Next&& next) noexcept {
        const uint64_t slots = heads_.size();
        const auto ahead = static_cast<int64_t>(tag - (base_ << shift_));
        uint64_t distance = ahead < 0 ? 0 : static_cast<uint64_t>(ahead) >> shift_;
        if (distance >= slots) {
            if (empty()) base_ = tag >> shift_;
            distance = empty() ? 0 : slots - 1;
        }
        const uint64_t slot = (base_ + distance) & (slots - 1);
        next(item) = kNone;
        if (tails_[slot] == kNone)
            heads_[slot] = item;
        else
            next(tails_[slot]) = item;
        tails_[slot] = item;
        words_[slot / 64] |= uint64_t{1} << (slot % 64);
        summary_ |= uint64_t{1} << (slot / 64);
    }
    /// The item with the lowest tag; not when empty.
    template <typename Next>
    uint32_t pop(Next&& next) noexcept {
        const uint64_t slots = heads_.size();
        const uint64_t slot = first_used();
        base_ += (slot - base_) & (slots - 1);
        const uint32_t item = heads_[slot];
        heads_[slot] = next(item);
        if (heads_[slot] == kNone) {
            tails_[slot] = kNone;
            words_[slot / 64] &= ~(uint64_t{1} << (slot % 64));
            if (words_[slot / 64] == 0) summary_ &= ~(uint64_t{1} << (slot / 64));
        }
        return item;
    }
    [[nodiscard]] size_t memory_bytes() const {
        return words_.size() * sizeof words_[0] + 2 * heads_.size() * sizeof heads_[0];
    }
    /// Where the slot of the last pop begins: no tag in here is lower.
    [[nodiscard]] uint64_t virtual_time() const { return base_ << shift_; }
    /// Whether `tag` belongs to a later slot than that of the last pop.
    [[nodiscard]] bool is_later(uint64_t tag) const {
        return static_cast<int64_t>(tag - (base_ << shift_)) >> shift_ > 0;
    }

  private:
    // From the base on, around.
    [[nodiscard]] uint64_t first_used() const noexcept {
        const uint64_t at = base_ & (heads_.size() - 1), word = at / 64;
        const uint64_t here = words_[word] & (~uint64_t{0} << (at % 64));
        if (here != 0) return word * 64 + static_cast<unsigned>(std::countr_zero(here));
        const uint64_t after = word == 63 ? 0 : summary_ & (~uint64_t{0} << (word + 1));
        const auto found = static_cast<unsigned>(std::countr_zero(after != 0 ? after : summary_));
        return found * 64 + static_cast<unsigned>(std::countr_zero(words_[found]));
    }
    std::vector<uint64_t> words_;
    std::vector<uint32_t> heads_, tails_;
    uint64_t base_ = 0;  ///< absolute slot of the last pop
    uint64_t summary_ = 0;
    unsigned shift_ = 0;
};

}  // namespace ravelin::sched
