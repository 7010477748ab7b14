// SPDX-License-Identifier: Apache-2.0
// IpAddress, Prefix and MacAddress: one type for both families. IPv4 a.b.c.d is held as
// ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so keys and tables need no second path.
#pragma once
#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/bytes.h"
#include "dataplane/result.h"

namespace ravelin {

/// 16 bytes, network order. IPv4 is the mapped form. On the path it is written and read as two
/// 64-bit halves: a load that covers several narrower stores waits for them to reach the cache.
struct IpAddress {
    std::array<uint8_t, 16> bytes{};

    static constexpr IpAddress v4(uint32_t host) {
        return std::bit_cast<IpAddress>(std::array{be64(0), be64(kMapped | host)});
    }
    static IpAddress v6(const uint8_t* network_order) {
        IpAddress a;
        std::memcpy(a.bytes.data(), network_order, 16);
        return a;
    }
    [[nodiscard]] constexpr bool is_v4() const {
        return high() == 0 && low() >> 32 == kMapped >> 32;
    }
    /// Host-order IPv4 address; meaningful only if is_v4().
    [[nodiscard]] constexpr uint32_t v4_host() const { return static_cast<uint32_t>(low()); }
    /// Most and least significant 64 bits in host order, so that numeric order is address order.
    [[nodiscard]] constexpr uint64_t high() const { return halves()[0].host(); }
    [[nodiscard]] constexpr uint64_t low() const { return halves()[1].host(); }
    [[nodiscard]] bool is_multicast() const {
        return is_v4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff;
    }
    [[nodiscard]] bool is_link_local() const {
        return is_v4() ? bytes[12] == 169 && bytes[13] == 254
                       : bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    }
    [[nodiscard]] bool is_unspecified() const {
        return high() == 0 && (low() == 0 || low() == kMapped);
    }
    [[nodiscard]] bool is_loopback() const {
        return high() == 0 && (low() == 1 || low() >> 24 == (kMapped | 0x7f000000) >> 24);
    }
    /// Dotted quad or RFC 5952 text.
    [[nodiscard]] std::string to_string() const;
    static Result<IpAddress> parse(std::string_view text);
    auto operator<=>(const IpAddress&) const = default;
    constexpr bool operator==(const IpAddress& o) const {
        const auto a = halves(), b = o.halves();
        return ((a[0].raw() ^ b[0].raw()) | (a[1].raw() ^ b[1].raw())) == 0;
    }

  private:
    static constexpr uint64_t kMapped = 0xffff'0000'0000;
    [[nodiscard]] constexpr std::array<be64, 2> halves() const {
        return std::bit_cast<std::array<be64, 2>>(bytes);
    }
};

/// An address and a length in bits of its own family: 0..32 for IPv4, 0..128 for IPv6.
struct Prefix {
    IpAddress address;
    uint8_t length = 0;

    [[nodiscard]] bool is_v4() const { return address.is_v4(); }
    /// Length within the 128-bit mapped form: IPv4 /24 is 120.
    [[nodiscard]] unsigned mapped_length() const { return is_v4() ? 96u + length : length; }
    [[nodiscard]] bool contains(const IpAddress& a) const;
    /// First and last address covered.
    [[nodiscard]] IpAddress first() const;
    [[nodiscard]] IpAddress last() const;
    [[nodiscard]] std::string to_string() const;
    /// "10.0.0.0/8", "2001:db8::/32", or a bare address (a host prefix). Host bits are kept;
    /// `is_canonical` tells whether there were any.
    static Result<Prefix> parse(std::string_view text);
    [[nodiscard]] bool is_canonical() const { return first() == address; }
    auto operator<=>(const Prefix&) const = default;
};

/// "192.0.2.1:80", "[2001:db8::1]:80".
std::string endpoint(const IpAddress& address, uint16_t port);

struct MacAddress {
    std::array<uint8_t, 6> bytes{};
    [[nodiscard]] bool is_multicast() const { return (bytes[0] & 1) != 0; }
    [[nodiscard]] bool is_broadcast() const;
    [[nodiscard]] std::string to_string() const;
    static Result<MacAddress> parse(std::string_view text);
    auto operator<=>(const MacAddress&) const = default;
};

}  // namespace ravelin
