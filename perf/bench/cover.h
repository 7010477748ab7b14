// SPDX-License-Identifier: Apache-2.0
// Cover: which packets may be late by the machine's stalls, and by how much. What a stall holds up
// takes as long again to work off where half of the worker is promised: so a packet may be late
// that was in the box in it, or came while that went on, and by twice the stall at the most.
// Another stall meanwhile puts off what is left of it: of stalls in a row, what is held up adds up.
#pragma once
#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace ravelin::perf {

class Cover {
  public:
    /// Of anything with `at_ns` and `ns`, in the order of time.
    template <typename Stalls>
    explicit Cover(const Stalls& stalls) {
        uint64_t until = 0;
        for (const auto& stall : stalls) {
            until = std::max(until, stall.at_ns) + 2 * stall.ns;
            longest_ = std::max(longest_, stall.ns);
            stalls_.push_back({stall.at_ns, stall.ns, until});
        }
    }
    /// A packet that the box had from `from_ns` until `until_ns`, and that was due in between.
    [[nodiscard]] bool of(uint64_t from_ns, uint64_t due_ns, uint64_t until_ns) const {
        uint64_t own = 0, behind = 0;  // that each held up itself; by those that came meanwhile
        // None before may reach so far by itself.
        const uint64_t first = from_ns - std::min(from_ns, 2 * longest_);
        for (auto one = since(first); one != stalls_.end() && one->at_ns < until_ns; ++one) {
            if (from_ns < one->at_ns + 2 * one->ns) own += 2 * one->ns;
            if (one->at_ns > from_ns) behind += 2 * one->ns;
        }
        const auto next = std::ranges::upper_bound(stalls_, from_ns, {}, &Stalled::at_ns);
        const uint64_t before = next == stalls_.begin() ? 0 : std::prev(next)->until_ns;
        const uint64_t left = before - std::min(before, from_ns),
                       held = std::max(own, left + behind);
        return held != 0 && until_ns - due_ns <= held;
    }

  private:
    struct Stalled {
        uint64_t at_ns, ns;
        uint64_t until_ns;  // all is worked off that it and those before it held up
    };
    [[nodiscard]] std::vector<Stalled>::const_iterator since(uint64_t ns) const {
        return std::ranges::lower_bound(stalls_, ns, {}, &Stalled::at_ns);
    }
    std::vector<Stalled> stalls_;
    uint64_t longest_ = 0;
};

}  // namespace ravelin::perf
