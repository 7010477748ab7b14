// SPDX-License-Identifier: Apache-2.0
// FewPrefixes: longest-prefix match over a handful of IPv4 prefixes. Sixteen addresses are compared
// with one prefix after the other: no memory is looked up, so it costs the same whatever the
// addresses are, and less than a trie up to kMost. Most routers' own tables, and most lists of
// principals, are no longer.
#pragma once
#include <array>
#include <cstdint>

#include "dataplane/lanes.h"

namespace ravelin {

class FewPrefixes {
  public:
    static constexpr unsigned kMost = 16;
#ifdef RAVELIN_LANES
    static constexpr bool kPays = true;
#else
    static constexpr bool kPays = false;  // one after the other they cost more than a trie
#endif

    /// From short to long prefixes. `first` in host order, without host bits.
    void add(uint32_t first, unsigned length, uint32_t value) noexcept {
        const uint32_t mask = length == 0 ? 0 : ~uint32_t{0} << (32 - length);
        entries_[count_++] = {first, mask, value};
    }
    [[nodiscard]] bool empty() const noexcept { return count_ == 0; }

    /// Values of the longest prefixes that hold `hosts`, `otherwise` where none does; any `n`.
    void lookup(const uint32_t* hosts, uint32_t* values, unsigned n,
                uint32_t otherwise) const noexcept {
#ifdef RAVELIN_LANES
        for (unsigned done = 0; done < n; done += lanes::kLanes) {
            const lanes::Which there = lanes::first(n - done);
            const lanes::Lanes host = lanes::load(hosts + done, there);
            lanes::Lanes value = lanes::all(otherwise);
            for (unsigned i = 0; i < count_; ++i) {
                const Entry& e = entries_[i];
                value =
                    lanes::choose(lanes::within(host, e.first, e.mask), value, lanes::all(e.value));
            }
            lanes::store(values + done, value, there);
        }
#else
        for (unsigned i = 0; i < n; ++i) values[i] = lookup(hosts[i], otherwise);
#endif
    }

  private:
    [[nodiscard]] uint32_t lookup(uint32_t host, uint32_t otherwise) const noexcept {
        for (unsigned i = count_; i-- > 0;)
            if (((host ^ entries_[i].first) & entries_[i].mask) == 0) return entries_[i].value;
        return otherwise;
    }
    struct Entry {
        uint32_t first, mask, value;
    };
    std::array<Entry, kMost> entries_{};
    unsigned count_ = 0;
};

}  // namespace ravelin
