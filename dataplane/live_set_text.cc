// SPDX-License-Identifier: Apache-2.0
// Elements of live sets as the operator writes them and as they travel.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "dataplane/live_set.h"

namespace ravelin {
namespace {

std::optional<uint16_t> port_of(std::string_view text) {
    uint16_t port = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), port);
    if (status != std::errc{} || end != text.data() + text.size() || text.empty())
        return std::nullopt;
    return port;
}

Error unexpected(std::string_view text, std::string_view expected) {
    return Error{fmt::format("found '{}', expected {}", text, expected)};
}

Result<SetElement> parse_prefix(std::string_view text) {
    const auto prefix = Prefix::parse(text);
    if (!prefix) return unexpected(text, "a prefix like 192.0.2.0/24 or an address");
    if (!prefix->is_canonical())
        return Error{fmt::format("'{}' has host bits; did you mean {}?", text,
                                 Prefix{prefix->first(), prefix->length}.to_string())};
    return SetElement{prefix->address, {}, prefix->mapped_length(), 0};
}

Result<SetElement> parse_ports(std::string_view text) {
    const size_t dash = text.find('-');
    const auto low = port_of(text.substr(0, dash));
    const auto high = dash == text.npos ? low : port_of(text.substr(dash + 1));
    if (!low || !high || *low > *high)
        return unexpected(text, "a port 0 to 65535 or a range like 1000-2000");
    return SetElement{{}, {}, *low, *high};
}

Result<SetElement> parse_endpoint(std::string_view text) {
    constexpr std::string_view kExpected = "192.0.2.1:80 or [2001:db8::1]:80";
    const size_t colon = text.rfind(':');
    if (colon == text.npos) return unexpected(text, kExpected);
    std::string_view host = text.substr(0, colon);
    const bool bracketed = host.starts_with('[') && host.ends_with(']');
    if (bracketed) host = host.substr(1, host.size() - 2);
    const auto address = IpAddress::parse(host);
    const auto port = port_of(text.substr(colon + 1));
    if (!address || !port || address->is_v4() == bracketed) return unexpected(text, kExpected);
    return SetElement{*address, {}, *port, 0};
}

Result<SetElement> parse_pair(std::string_view text) {
    constexpr std::string_view kExpected =
        "two addresses of one family like '192.0.2.1 198.51.100.2'";
    const size_t gap = text.find_first_of(" ,");
    if (gap == text.npos) return unexpected(text, kExpected);
    const auto from = IpAddress::parse(text.substr(0, gap));
    const auto to =
        IpAddress::parse(text.substr(std::min(text.find_first_not_of(" ,", gap), text.size())));
    if (!from || !to || from->is_v4() != to->is_v4()) return unexpected(text, kExpected);
    return SetElement{*from, *to, 0, 0};
}

bool valid(SetType type, const SetElement& e) {
    const bool no_second = e.second == IpAddress{};
    switch (type) {
        case SetType::kPrefixes: {
            if (e.low > 128 || (e.first.is_v4() && e.low < 96)) return false;
            return no_second && e.high == 0 && e.prefix().is_canonical();
        }
        case SetType::kPorts:
            return no_second && e.first == IpAddress{} && e.low <= e.high && e.high <= 65535;
        case SetType::kEndpoints:
            return no_second && e.low <= 65535 && e.high == 0;
        case SetType::kPairs:
            return e.low == 0 && e.high == 0 && e.first.is_v4() == e.second.is_v4();
    }
    return false;
}

}  // namespace

std::optional<SetType> set_type_of(std::string_view word) {
    const auto at = std::ranges::find(kSetTypes, word);
    if (at == kSetTypes.end()) return std::nullopt;
    return static_cast<SetType>(at - kSetTypes.begin());
}

Result<SetElement> SetElement::parse(SetType type, std::string_view text) {
    switch (type) {
        case SetType::kPrefixes:
            return parse_prefix(text);
        case SetType::kPorts:
            return parse_ports(text);
        case SetType::kEndpoints:
            return parse_endpoint(text);
        case SetType::kPairs:
            break;
    }
    return parse_pair(text);
}

std::string SetElement::to_string(SetType type) const {
    switch (type) {
        case SetType::kPrefixes:
            return prefix().to_string();
        case SetType::kPorts:
            return low == high ? fmt::format("{}", low) : fmt::format("{}-{}", low, high);
        case SetType::kEndpoints:
            return endpoint(first, static_cast<uint16_t>(low));
        case SetType::kPairs:
            break;
    }
    return first.to_string() + " " + second.to_string();
}

void SetElement::append_to(std::string& out) const {
    const be32 numbers[] = {be32(low), be32(high)};
    out.append(reinterpret_cast<const char*>(first.bytes.data()), 16);
    out.append(reinterpret_cast<const char*>(second.bytes.data()), 16);
    out.append(reinterpret_cast<const char*>(numbers), sizeof numbers);
}

std::optional<SetElement> SetElement::read(SetType type, const char* bytes) {
    be32 numbers[2];
    SetElement e;
    std::memcpy(e.first.bytes.data(), bytes, 16);
    std::memcpy(e.second.bytes.data(), bytes + 16, 16);
    std::memcpy(numbers, bytes + 32, sizeof numbers);
    e.low = numbers[0].host();
    e.high = numbers[1].host();
    if (!valid(type, e)) return std::nullopt;
    return e;
}

}  // namespace ravelin
