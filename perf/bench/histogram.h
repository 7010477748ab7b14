// SPDX-License-Identifier: Apache-2.0
// Histogram: counts of values by their size, each within 1/32 of what it was, as HdrHistogram keeps
// them (log-linear): recording is two additions, whatever the value.
#pragma once
#include <algorithm>
#include <bit>
#include <cstdint>
#include <vector>

namespace ravelin::perf {

class Histogram {
  public:
    void record(uint64_t value) {
        ++counts_[slot_of(value)];
        ++count_;
        max_ = std::max(max_, value);
    }
    /// The least value that a share of `q` (0 to 1) of all do not exceed; rounded up within its
    /// slot, never above the greatest. 0 of none.
    [[nodiscard]] uint64_t quantile(double q) const {
        const auto wanted = static_cast<uint64_t>(q * static_cast<double>(count_) + 0.999999);
        uint64_t seen = 0;
        for (size_t slot = 0; slot < counts_.size(); ++slot) {
            seen += counts_[slot];
            if (seen >= std::max<uint64_t>(wanted, 1)) return std::min(end_of(slot), max_);
        }
        return 0;
    }

  private:
    static constexpr unsigned kBits = 6;  // significant ones of a value
    static size_t slot_of(uint64_t value) {
        const unsigned octave =
            static_cast<unsigned>(std::bit_width(value | ((1u << kBits) - 1))) - kBits;
        return (size_t{octave} << kBits) + (value >> octave);  // of octaves but the first: 32 to 63
    }
    /// The greatest value of a slot.
    static uint64_t end_of(size_t slot) {
        const unsigned octave = static_cast<unsigned>(slot >> kBits);
        const uint64_t low = slot & ((1u << kBits) - 1);
        if (octave == 0) return low;
        return ((low + 1) << octave) - 1;
    }
    std::vector<uint64_t> counts_ = std::vector<uint64_t>((64 - kBits + 2) << kBits);
    uint64_t count_ = 0, max_ = 0;
};

}  // namespace ravelin::perf
