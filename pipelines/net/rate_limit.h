// SPDX-License-Identifier: Apache-2.0
// RateLimit: a token bucket as one timestamp (ITU-T I.371's virtual scheduling). One per worker and
// purpose; no division but by the configured rate.
#pragma once
#include <algorithm>
#include <cstdint>

namespace ravelin {

class RateLimit {
  public:
    /// Takes one of `rate` a second, up to `burst` at once. A rate of 0 lets nothing pass.
    bool take(uint64_t now_ns, uint64_t rate, uint64_t burst) noexcept {
        if (rate == 0) return false;
        const uint64_t each = 1'000'000'000 / rate;
        if (next_ns_ > now_ns + each * (burst - 1)) return false;
        next_ns_ = std::max(next_ns_, now_ns) + each;
        return true;
    }

  private:
    uint64_t next_ns_ = 0;  // when the next one would be due at an even pace
};

}  // namespace ravelin
