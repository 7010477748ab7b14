// SPDX-License-Identifier: Apache-2.0
#include "dataplane/address.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <charconv>

namespace ravelin {

std::string IpAddress::to_string() const {
    char text[INET6_ADDRSTRLEN];
    if (is_v4()) return inet_ntop(AF_INET, bytes.data() + 12, text, sizeof text);
    return inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
}

Result<IpAddress> IpAddress::parse(std::string_view text) {
    const std::string terminated(text);
    uint8_t raw[16];
    if (inet_pton(AF_INET, terminated.c_str(), raw) == 1) {
        be32 v;
        std::memcpy(&v, raw, 4);
        return v4(v.host());
    }
    if (inet_pton(AF_INET6, terminated.c_str(), raw) == 1) return v6(raw);
    return Error{fmt::format("'{}' is not an IPv4 or IPv6 address", text)};
}

IpAddress Prefix::first() const {
    IpAddress out = address;
    for (unsigned bit = mapped_length(); bit < 128; ++bit)
        out.bytes[bit / 8] &= static_cast<uint8_t>(~(0x80u >> (bit % 8)));
    return out;
}

IpAddress Prefix::last() const {
    IpAddress out = address;
    for (unsigned bit = mapped_length(); bit < 128; ++bit)
        out.bytes[bit / 8] |= static_cast<uint8_t>(0x80u >> (bit % 8));
    return out;
}

bool Prefix::contains(const IpAddress& a) const {
    if (is_v4() != a.is_v4()) return false;
    const unsigned whole = mapped_length() / 8, rest = mapped_length() % 8;
    if (std::memcmp(address.bytes.data(), a.bytes.data(), whole) != 0) return false;
    if (rest == 0) return true;
    const auto mask = static_cast<uint8_t>(0xff00u >> rest);
    return ((address.bytes[whole] ^ a.bytes[whole]) & mask) == 0;
}

std::string Prefix::to_string() const { return fmt::format("{}/{}", address.to_string(), length); }

Result<Prefix> Prefix::parse(std::string_view text) {
    const size_t slash = text.find('/');
    auto address = IpAddress::parse(text.substr(0, slash));
    if (!address) return Error{fmt::format("'{}' is not a prefix like 192.0.2.0/24", text)};
    const unsigned widest = address->is_v4() ? 32 : 128;
    if (slash == std::string_view::npos) return Prefix{*address, static_cast<uint8_t>(widest)};
    const std::string_view digits = text.substr(slash + 1);
    unsigned length = 0;
    const auto [end, status] = std::from_chars(digits.begin(), digits.end(), length);
    if (status != std::errc{} || end != digits.end() || length > widest)
        return Error{fmt::format("'{}' has a prefix length outside 0 to {}", text, widest)};
    return Prefix{*address, static_cast<uint8_t>(length)};
}

std::string endpoint(const IpAddress& address, uint16_t port) {
    if (address.is_v4()) return fmt::format("{}:{}", address.to_string(), port);
    return fmt::format("[{}]:{}", address.to_string(), port);
}

bool MacAddress::is_broadcast() const {
    for (const uint8_t b : bytes)
        if (b != 0xff) return false;
    return true;
}

std::string MacAddress::to_string() const {
    return fmt::format("{:02x}:{:02x}:{:02x}:{:02x}:{:02x}:{:02x}", bytes[0], bytes[1], bytes[2],
                       bytes[3], bytes[4], bytes[5]);
}

Result<MacAddress> MacAddress::parse(std::string_view text) {
    MacAddress mac;
    const Error bad{fmt::format("'{}' is not a MAC address like 02:00:5e:10:00:01", text)};
    if (text.size() != 17) return bad;
    for (size_t i = 0; i < 6; ++i) {
        const char* at = text.data() + 3 * i;
        const auto [end, status] = std::from_chars(at, at + 2, mac.bytes[i], 16);
        if (status != std::errc{} || end != at + 2 || (i < 5 && at[2] != ':')) return bad;
    }
    return mac;
}

}  // namespace ravelin
