// SPDX-License-Identifier: Apache-2.0
// SourceCounts: how many live flows a source has, by kind. One table for all workers, so that a
// source has no more of anything because its flows fall to several of them. Words are changed by
// compare-and-swap, only where a flow that is counted begins or ends: the one table of the path
// with several writers.
//
// A word is tag << 24 | count, 0 where it is free; a key has 16 places in two cache lines. What two
// workers put in two places at the same moment is added up, so no count is lost. Tags are 40 bits
// of a hash under the flows' secret: two sources share a count by chance once in 10^12.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>

#include "dataplane/address.h"
#include "dataplane/flow.h"
#include "dataplane/result.h"

namespace ravelin {

class SourceCounts {
  public:
    /// Kinds below this are slots of rules.
    static constexpr uint32_t kUnproven = 0xffffffff;
    static constexpr uint32_t kNoLimit = (1u << 24) - 1;

    /// For so many flows, each counted twice. 24 bytes a flow, taken from the kernel page by page
    /// when first used. Error: no memory.
    static Result<std::unique_ptr<SourceCounts>> create(uint64_t flows);
    SourceCounts(const SourceCounts&) = delete;
    SourceCounts& operator=(const SourceCounts&) = delete;
    ~SourceCounts();

    /// Counts one more unless there are `limit`, or no place is left.
    bool acquire(const IpAddress& source, uint32_t kind, uint32_t limit = kNoLimit) noexcept;
    void release(const IpAddress& source, uint32_t kind) noexcept;
    [[nodiscard]] uint32_t count(const IpAddress& source, uint32_t kind) const noexcept;

    [[nodiscard]] size_t memory_bytes() const noexcept { return lines_ * sizeof(Line); }
    [[nodiscard]] uint64_t capacity() const noexcept { return lines_ * kLineWords; }

    /// Who is one source: an IPv4 address or an IPv6 /64, of which every host has a whole one. For
    /// the budget of unproven flows: an IPv4 /24 or an IPv6 /56, as they are assigned to a site
    /// (RFC 6177), since addresses next to one's own are the easiest to forge.
    static IpAddress network_of(const IpAddress& source, uint32_t kind) noexcept;

  private:
    static constexpr unsigned kLineWords = 8;
    static constexpr uint64_t kCountMask = kNoLimit;
    struct alignas(64) Line {
        std::atomic<uint64_t> words[kLineWords];
    };
    /// Where a key's words are, and what they begin with.
    struct Place {
        Line* lines[2];
        uint64_t tag;
    };
    SourceCounts(Line* memory, uint64_t lines) : memory_(memory), lines_(lines) {}
    [[nodiscard]] Place place_of(const IpAddress& source, uint32_t kind) const noexcept;
    static uint32_t sum(const Place& place) noexcept;
    static std::atomic<uint64_t>* word_for(const Place& place, uint64_t& value) noexcept;

    Line* memory_;
    uint64_t lines_;
};

}  // namespace ravelin
