// SPDX-License-Identifier: Apache-2.0
// Big-endian field types: byte order is a compile error, not a bug hunt. Unaligned by construction.
#pragma once
#include <bit>
#include <cstdint>
#include <cstring>

namespace ravelin {

/// A `T` as it stands on the wire, most significant byte first. Alignment 1, size of T.
template <typename T>
class BigEndian {
  public:
    constexpr BigEndian() = default;
    constexpr explicit BigEndian(T host) : raw_(std::bit_cast<Raw>(swap(host))) {}
    [[nodiscard]] constexpr T host() const { return swap(std::bit_cast<T>(raw_)); }
    /// The bytes as they are, in host registers: only for checksums and hashing.
    [[nodiscard]] constexpr T raw() const { return std::bit_cast<T>(raw_); }
    static constexpr BigEndian from_raw(T raw) {
        BigEndian out;
        out.raw_ = std::bit_cast<Raw>(raw);
        return out;
    }
    constexpr bool operator==(const BigEndian&) const = default;

  private:
    struct Raw {
        uint8_t bytes[sizeof(T)];
        constexpr bool operator==(const Raw&) const = default;
    };
    static constexpr T swap(T v) {
        if constexpr (std::endian::native == std::endian::big || sizeof(T) == 1) return v;
        if constexpr (sizeof(T) == 2) return static_cast<T>(__builtin_bswap16(v));
        if constexpr (sizeof(T) == 4) return __builtin_bswap32(v);
        if constexpr (sizeof(T) == 8) return __builtin_bswap64(v);
    }
    Raw raw_{};
};

using be16 = BigEndian<uint16_t>;
using be32 = BigEndian<uint32_t>;
using be64 = BigEndian<uint64_t>;
static_assert(sizeof(be16) == 2 && alignof(be16) == 1 && sizeof(be32) == 4 && alignof(be32) == 1);

}  // namespace ravelin
