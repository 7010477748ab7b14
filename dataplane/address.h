// SPDX-License-Identifier: Apache-2.0
// IpAddress, Prefix and MacAddress: one type for both families. IPv4 a.b.c.d is held as
// ::ffff:a.b.c.d (RFC 4291 section 2.5.5.2), so keys and tables need no second path.
#pragma once
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "dataplane/bytes.h"
#include "dataplane/result.h"

namespace ravelin {

/// 16 bytes, network order. IPv4 is the mapped form.
struct IpAddress {
    std::array<uint8_t, 16> bytes{};

    static constexpr IpAddress v4(uint32_t host) {
        IpAddress a;
        a.bytes[10] = a.bytes[11] = 0xff;
        for (int i = 0; i < 4; ++i) a.bytes[12 + i] = static_cast<uint8_t>(host >> (24 - 8 * i));
        return a;
    }
    static IpAddress v6(const uint8_t* network_order) {
        IpAddress a;
        std::memcpy(a.bytes.data(), network_order, 16);
        return a;
    }
    [[nodiscard]] constexpr bool is_v4() const {
        for (int i = 0; i < 10; ++i)
            if (bytes[i] != 0) return false;
        return bytes[10] == 0xff && bytes[11] == 0xff;
    }
    /// Host-order IPv4 address; meaningful only if is_v4().
    [[nodiscard]] constexpr uint32_t v4_host() const {
        return uint32_t{bytes[12]} << 24 | uint32_t{bytes[13]} << 16 | uint32_t{bytes[14]} << 8 |
               bytes[15];
    }
    /// Most and least significant 64 bits in host order, so that numeric order is address order.
    [[nodiscard]] uint64_t high() const { return half(0); }
    [[nodiscard]] uint64_t low() const { return half(8); }
    [[nodiscard]] bool is_multicast() const {
        return is_v4() ? (bytes[12] & 0xf0) == 0xe0 : bytes[0] == 0xff;
    }
    [[nodiscard]] bool is_link_local() const {
        return is_v4() ? bytes[12] == 169 && bytes[13] == 254
                       : bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
    }
    [[nodiscard]] bool is_unspecified() const { return *this == IpAddress{} || *this == v4(0); }
    [[nodiscard]] bool is_loopback() const;
    /// Dotted quad or RFC 5952 text.
    [[nodiscard]] std::string to_string() const;
    static Result<IpAddress> parse(std::string_view text);
    auto operator<=>(const IpAddress&) const = default;

  private:
    [[nodiscard]] uint64_t half(int at) const {
        be64 v;
        std::memcpy(&v, bytes.data() + at, 8);
        return v.host();
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
