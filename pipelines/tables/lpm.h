// SPDX-License-Identifier: Apache-2.0
// Lpm: longest-prefix match for both families; immutable, so workers share one without locks.
//
// Cost, full Internet table: see perf/micro/lpm_bench.cc. IPv4 is one read for prefixes up to /24
// (DIR-24-8) once the table is large; small tables, and those with more than 65,536 different
// slots (values, and /24s with longer prefixes in them), use a smaller root.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/address.h"
#include "dataplane/result.h"
#include "pipelines/tables/few_prefixes.h"
#include "pipelines/tables/multibit_trie.h"

namespace ravelin {

/// Host bits of `prefix` are ignored. `value` must be below Lpm::kNoRoute.
struct LpmEntry {
    Prefix prefix;
    uint32_t value = 0;
};

class Lpm {
  public:
    /// What a lookup returns where no prefix holds the address.
    static constexpr uint32_t kNoRoute = MultibitTrie<uint32_t>::kNone;

    /// An empty table.
    Lpm() = default;

    /// Entries in any order and of both families; of equal prefixes the last wins. Linear in the
    /// entries when they come sorted by address and length, else one sort. Errors: a length beyond
    /// the family's, a value of kNoRoute or more, no memory.
    static Result<Lpm> build(std::span<const LpmEntry> entries);

    /// `host` is in host order.
    [[nodiscard]] uint32_t lookup_v4(uint32_t host) const { return v4_.lookup(host); }
    /// IPv4 addresses find nothing useful here: use lookup().
    [[nodiscard]] uint32_t lookup_v6(const IpAddress& address) const {
        return v6_.lookup(key_of(address));
    }
    /// Either family.
    [[nodiscard]] uint32_t lookup(const IpAddress& address) const {
        return address.is_v4() ? lookup_v4(address.v4_host()) : lookup_v6(address);
    }

    /// Any `n`; works in groups of 32 whose cache misses overlap, or without memory where there are
    /// few prefixes. Does not allocate.
    void lookup_v4_burst(const uint32_t* hosts, uint32_t* values, unsigned n) const;
    void lookup_v6_burst(const IpAddress* const* addresses, uint32_t* values, unsigned n) const;

    /// Bytes of both families' tables.
    [[nodiscard]] size_t memory_bytes() const { return v4_.memory_bytes() + v6_.memory_bytes(); }

  private:
    static Uint128 key_of(const IpAddress& address) {
        return Uint128{address.high()} << 64 | address.low();
    }

    MultibitTrie<uint32_t> v4_;
    FewPrefixes few_v4_;  // the same, if there are few
    MultibitTrie<Uint128> v6_;
};

}  // namespace ravelin
