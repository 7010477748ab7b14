// SPDX-License-Identifier: Apache-2.0
// The hash by which NICs spread frames over queues: Toeplitz (Microsoft, "RSS hashing functions")
// with a key that repeats every 16 bits, which makes it symmetric (Woo and Park, 2012). Such a key
// turns it into a function of the XOR of all 16-bit words, so that software computes it in a dozen
// instructions and agrees with the NIC about who owns a flow.
#pragma once
#include <array>
#include <bit>
#include <cstdint>

#include "dataplane/address.h"

namespace ravelin::rss {

inline constexpr uint16_t kKeyWord = 0x6d5a;

/// The key as NICs take it; the longest asked for is 52 bytes.
inline constexpr std::array<uint8_t, 52> kKey = [] {
    std::array<uint8_t, 52> key{};
    for (size_t i = 0; i < key.size(); ++i)
        key[i] = static_cast<uint8_t>(i % 2 == 0 ? kKeyWord >> 8 : kKeyWord);
    return key;
}();

/// What the NIC hashes: addresses, and ports of TCP and UDP that is not fragmented, else 0.
inline uint32_t toeplitz(const IpAddress& source, const IpAddress& destination,
                         uint16_t source_port, uint16_t destination_port) noexcept {
    // IPv4 addresses are mapped here; the ::ffff before them cancels out in pairs.
    const uint64_t words = source.high() ^ destination.high() ^ source.low() ^ destination.low();
    const auto half = static_cast<uint32_t>(words >> 32 ^ words);
    const auto word = static_cast<uint16_t>((half >> 16) ^ half ^ source_port ^ destination_port);
    constexpr uint32_t kWindow = uint32_t{kKeyWord} << 16 | kKeyWord;
    uint32_t hash = 0;
    for (int bit = 0; bit < 16; ++bit)
        if (word >> (15 - bit) & 1) hash ^= std::rotl(kWindow, bit);
    return hash;
}

}  // namespace ravelin::rss
