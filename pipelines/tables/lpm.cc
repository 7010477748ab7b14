// SPDX-License-Identifier: Apache-2.0
#include "pipelines/tables/lpm.h"

#include <algorithm>
#include <vector>

namespace ravelin {
namespace {

// Roots: 512 bytes, 128 KiB, 32 MiB. The large one pays off when its pages are mostly used; up to
// then nodes and buckets below a 16-bit root are smaller than its first touch.
constexpr size_t kTinyTable = 64, kLargeV4Table = 65536;

unsigned v4_root_bits(size_t prefixes) {
    return prefixes <= kTinyTable ? 8 : prefixes <= kLargeV4Table ? 16 : 24;
}
// A wide IPv6 root would be nearly empty: global addresses all begin 2000::/3.
unsigned v6_root_bits(size_t prefixes) { return prefixes <= kTinyTable ? 8 : 16; }

template <typename Key>
Key network_of(Key key, unsigned length) {
    const unsigned host_bits = sizeof(Key) * 8 - length;
    return length == 0 ? Key{0} : static_cast<Key>(key >> host_bits << host_bits);
}

/// Sorted by (first, length); of equal prefixes only the last given stays.
template <typename Item>
void sort_unique(std::vector<Item>& items) {
    const auto before = [](const Item& a, const Item& b) {
        return a.first != b.first ? a.first < b.first : a.length < b.length;
    };
    if (!std::is_sorted(items.begin(), items.end(), before))
        std::stable_sort(items.begin(), items.end(), before);
    size_t kept = 0;
    for (size_t i = 0; i < items.size(); ++i)
        if (i + 1 == items.size() || before(items[i], items[i + 1])) items[kept++] = items[i];
    items.resize(kept);
}

/// Sorted by (first, length), as sort_unique() leaves them.
FewPrefixes few_of(const std::vector<MultibitTrie<uint32_t>::Item>& items) {
    FewPrefixes few;
    if (items.size() > FewPrefixes::kMost) return few;
    for (unsigned length = 0; length <= 32; ++length)
        for (const auto& item : items)
            if (item.length == length) few.add(item.first, length, item.value);
    return few;
}

}  // namespace

Result<Lpm> Lpm::build(std::span<const LpmEntry> entries) {
    std::vector<MultibitTrie<uint32_t>::Item> v4;
    std::vector<MultibitTrie<Uint128>::Item> v6;
    for (const auto& [prefix, value] : entries) {
        const unsigned widest = prefix.is_v4() ? 32 : 128;
        if (prefix.length > widest)
            return Error{"prefix " + prefix.to_string() + " is longer than its family's addresses"};
        if (value >= kNoRoute)
            return Error{"value " + std::to_string(value) + " of prefix " + prefix.to_string() +
                         " is too large, expected below " + std::to_string(kNoRoute)};
        if (prefix.is_v4())
            v4.push_back(
                {network_of(prefix.address.v4_host(), prefix.length), value, prefix.length});
        else
            v6.push_back({network_of(key_of(prefix.address), prefix.length), value, prefix.length});
    }
    sort_unique(v4);
    sort_unique(v6);
    Lpm out;
    const bool built = (v4.empty() || out.v4_.build(v4, v4_root_bits(v4.size()))) &&
                       (v6.empty() || out.v6_.build(v6, v6_root_bits(v6.size())));
    if (!built)
        return Error{"no memory for a table of " + std::to_string(entries.size()) + " prefixes"};
    if (FewPrefixes::kPays) out.few_v4_ = few_of(v4);
    return out;
}

void Lpm::lookup_v4_burst(const uint32_t* hosts, uint32_t* values, unsigned n) const {
    if (!few_v4_.empty()) return few_v4_.lookup(hosts, values, n, kNoRoute);
    constexpr unsigned kStep = MultibitTrie<uint32_t>::kBurst;
    for (unsigned at = 0; at < n; at += kStep)
        v4_.lookup_burst(hosts + at, values + at, std::min(kStep, n - at));
}

void Lpm::lookup_v6_burst(const IpAddress* const* addresses, uint32_t* values, unsigned n) const {
    constexpr unsigned kStep = MultibitTrie<Uint128>::kBurst;
    Uint128 keys[kStep];
    for (unsigned at = 0; at < n; at += kStep) {
        const unsigned count = std::min(kStep, n - at);
        for (unsigned i = 0; i < count; ++i) keys[i] = key_of(*addresses[at + i]);
        v6_.lookup_burst(keys, values + at, count);
    }
}

}  // namespace ravelin
