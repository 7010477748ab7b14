// SPDX-License-Identifier: Apache-2.0
// The Internet checksum (RFC 1071): a one's complement sum of 16-bit words. It does not care about
// byte order as long as all words are taken alike, so sums here are of words in host registers.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/address.h"
#include "dataplane/bytes.h"

namespace ravelin::net {

/// Adds `length` bytes to a running sum; an odd last byte counts as the first of a word. Only the
/// last piece of a message may be odd.
inline uint64_t checksum_add(uint64_t sum, const void* data, size_t length) noexcept {
    const auto* at = static_cast<const uint8_t*>(data);
    for (; length >= 4; length -= 4, at += 4) {
        uint32_t word;
        std::memcpy(&word, at, 4);
        sum += word;  // 2^16 is 1 modulo 2^16-1: halves may be added later
    }
    if (length >= 2) {
        uint16_t word;
        std::memcpy(&word, at, 2);
        sum += word;
        at += 2;
        length -= 2;
    }
    if (length == 1) {
        uint16_t word = 0;
        std::memcpy(&word, at, 1);
        sum += word;
    }
    return sum;
}

/// The same over the 20 bytes of an IPv4 header without options, which no loop need count.
inline uint64_t checksum_of_header(const void* header) noexcept {
    const auto word = [header](unsigned i) {
        uint32_t v;
        std::memcpy(&v, static_cast<const uint8_t*>(header) + i * sizeof v, sizeof v);
        return uint64_t{v};
    };
    return word(0) + word(1) + word(2) + word(3) + word(4);
}

/// The sum folded to 16 bits, not complemented, as it stands in memory.
inline uint16_t checksum_fold(uint64_t sum) noexcept {
    // A word plus itself turned around has the sum of its halves, carry included, in the upper one.
    sum += std::rotl(sum, 32);
    auto half = static_cast<uint32_t>(sum >> 32);
    half += std::rotl(half, 16);
    return static_cast<uint16_t>(half >> 16);
}

/// What goes into a checksum field, given the sum of everything with the field zero.
inline be16 checksum_finish(uint64_t sum) noexcept {
    return be16::from_raw(static_cast<uint16_t>(~checksum_fold(sum)));
}

/// `checksum` after one 16-bit word it covers changed; RFC 1624 equation 3. Words in wire order.
inline be16 updated_checksum(be16 checksum, uint16_t before, uint16_t after) noexcept {
    return checksum_finish(uint64_t{static_cast<uint16_t>(~checksum.raw())} +
                           static_cast<uint16_t>(~before) + after);
}

/// Sum of the pseudo-header: RFC 9293 section 3.1 for IPv4, RFC 8200 section 8.1 for IPv6. Folds to
/// the same value for both families' widths. `length` in bytes of the upper-layer packet.
inline uint64_t pseudo_header_sum(const IpAddress& source, const IpAddress& destination,
                                  uint8_t protocol, uint32_t length) noexcept {
    const unsigned from = source.is_v4() ? 12 : 0;
    uint64_t sum = checksum_add(0, source.bytes.data() + from, 16 - from);
    sum = checksum_add(sum, destination.bytes.data() + from, 16 - from);
    const be32 words[2]{be32(length), be32(protocol)};
    return checksum_add(sum, words, sizeof words);
}

}  // namespace ravelin::net
