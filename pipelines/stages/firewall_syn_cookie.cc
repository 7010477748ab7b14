// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/firewall_syn_cookie.h"

#include <algorithm>
#include <bit>

namespace ravelin::firewall {
namespace {

using Sizes = std::array<uint16_t, 8>;
// Ethernet, PPPoE and tunnels, the least that every path carries, jumbo frames. What lies between
// is rounded down; below the first, up to it.
constexpr Sizes kSizes4{64, 536, 1240, 1360, 1400, 1440, 1460, 8960};
constexpr Sizes kSizes6{64, 1220, 1280, 1360, 1400, 1420, 1440, 8940};
constexpr unsigned kDefaultSize = 1;
constexpr uint32_t kDataMask = 0xff;
constexpr uint64_t kLabel = 0x6b6f6f632d6e7973;  // "syn-cook"

const Sizes& sizes_for(const FlowKey& key) noexcept {
    return key.first.is_v4() ? kSizes4 : kSizes6;
}

uint8_t encode(const Sizes& sizes, const SynOptions& o) noexcept {
    unsigned size = kDefaultSize;
    if (o.segment_size != 0) {
        const auto* above = std::upper_bound(sizes.begin(), sizes.end(), o.segment_size);
        size = above == sizes.begin() ? 0 : static_cast<unsigned>(above - sizes.begin()) - 1;
    }
    const int scale = std::clamp<int>(o.window_scale, -1, kMaxWindowScale) + 1;
    return static_cast<uint8_t>(size << 5 | unsigned{o.sack} << 4 | static_cast<unsigned>(scale));
}

SynOptions decode(const Sizes& sizes, unsigned data) noexcept {
    return {sizes[data >> 5 & 7], static_cast<int8_t>(static_cast<int>(data & 15) - 1),
            (data & 16) != 0};
}

}  // namespace

// Each minute's key says nothing about another's.
void SynCookies::derive(uint64_t minute) noexcept {
    minute_ = minute;
    const SipKey root{secret_[0], secret_[1]};
    for (unsigned age = 0; age < kKept; ++age) {
        for (uint64_t half = 0; half < 2; ++half) {
            const std::array<uint64_t, 7> words{kLabel,     minute - age, half,      secret_[2],
                                                secret_[3], secret_[4],   secret_[5]};
            keys_[age][half] = siphash(root, words);
        }
    }
}

uint64_t SynCookies::hash(unsigned age, const FlowKey& key, bool swapped, uint32_t sequence,
                          uint8_t data) const noexcept {
    const auto ends = std::bit_cast<std::array<uint64_t, 5>>(key);
    const std::array<uint64_t, 6> words{
        ends[0], ends[1], ends[2],
        ends[3], ends[4], sequence | uint64_t{data} << 32 | uint64_t{swapped} << 40};
    return siphash(keys_[age], words);
}

SynCookies::Cookie SynCookies::make(const FlowKey& key, bool swapped, uint32_t sequence,
                                    const SynOptions& wanted) const noexcept {
    const uint8_t data = encode(sizes_for(key), wanted);
    const uint64_t mac = hash(0, key, swapped, sequence, data);
    return {(static_cast<uint32_t>(mac) & ~kDataMask) | data, static_cast<uint32_t>(mac >> 32)};
}

SynCookies::Verdict SynCookies::check(const FlowKey& key, bool swapped, uint32_t sequence,
                                      uint32_t cookie, SynOptions& out) const noexcept {
    const auto data = static_cast<uint8_t>(cookie & kDataMask);
    for (unsigned age = 0; age < kKept; ++age) {
        const auto mac = static_cast<uint32_t>(hash(age, key, swapped, sequence, data));
        if (((mac ^ cookie) & ~kDataMask) != 0) continue;
        out = decode(sizes_for(key), data);
        return age < kValid ? Verdict::kValid : Verdict::kExpired;
    }
    return Verdict::kForged;
}

}  // namespace ravelin::firewall
