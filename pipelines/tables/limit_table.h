// SPDX-License-Identifier: Apache-2.0
// LimitTable: token buckets of one rule, one for all packets or one for each source or destination.
// Shared by all workers, so that nobody has a bucket at each of them. A bucket is the time at which
// it is full again (ITU-T I.371's virtual scheduling), changed by compare-and-swap and only when a
// packet is within the rate: beyond it, workers only read.
//
// Keyed buckets lie in 8 places of two cache lines. One that is full again says nothing and may be
// another key's next; so memory is bounded, and no busy bucket ever makes room. Where all 8 are
// busy the packet counts as beyond the rate.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <vector>

#include "dataplane/address.h"

namespace ravelin {

/// What a limit allows. Times in nanoseconds; a packet costs units * cost / per.
struct LimitSpec {
    enum class Unit : uint8_t { kPackets, kBytes } unit = Unit::kPackets;  ///< bytes: of L3
    enum class Key : uint8_t { kRule, kSource, kDestination } key = Key::kRule;
    bool over = false;  ///< the rule takes packets beyond the rate, not those within
    uint64_t cost = 0, per = 1;
    uint64_t depth_ns = 0;  ///< cost of all that may come at once
    uint32_t size = 0;      ///< most keys
    bool operator==(const LimitSpec&) const = default;
};

class LimitTable {
  public:
    enum class Verdict : uint8_t { kWithin, kOver, kNoRoom };

    explicit LimitTable(const LimitSpec& spec);
    [[nodiscard]] const LimitSpec& spec() const noexcept { return spec_; }

    /// Whether a packet of `bytes` between these two is within the rate at `now_ns` (one clock for
    /// all callers, not before 1); takes its cost off the bucket if it is and `spend` says so. IPv6
    /// addresses count by their /64.
    Verdict check(const IpAddress& source, const IpAddress& destination, uint32_t bytes,
                  uint64_t now_ns, bool spend) noexcept;
    [[nodiscard]] size_t memory_bytes() const noexcept {
        return sizeof *this + lines_.capacity() * sizeof(Line);
    }

  private:
    static constexpr unsigned kLineBuckets = 4;
    struct Bucket {
        std::atomic<uint64_t> tag{0};  ///< 0: nobody's
        std::atomic<uint64_t> full_ns{0};
    };
    struct alignas(64) Line {
        Bucket buckets[kLineBuckets];
    };
    Bucket* find(const IpAddress& key, uint64_t now_ns, bool claim, bool& room) noexcept;
    [[nodiscard]] Verdict take(std::atomic<uint64_t>& full_ns, uint64_t cost, uint64_t now_ns,
                               bool spend) const noexcept;

    LimitSpec spec_;
    std::vector<Line> lines_;
    alignas(64) std::atomic<uint64_t> whole_{0};
};

}  // namespace ravelin
