// SPDX-License-Identifier: Apache-2.0
#include "dataplane/net/packet_options.h"

#include <array>
#include <limits>
#include <span>
#include <type_traits>

#include "dataplane/limits.h"

namespace ravelin::net {
namespace {

using Kind = PacketSpec::Kind;
using Setter = Status (*)(PacketSpec&, const Token&);
struct Option {
    std::string_view name;
    Setter set;
};
struct Word {
    std::string_view name;
    void (*set)(PacketSpec&);
};

template <typename T>
struct Unwrapped {
    using type = T;
};
template <typename T>
struct Unwrapped<std::optional<T>> {
    using type = T;
};

/// Reads a number into a member of any unsigned type.
template <auto Member>
Status set_number(PacketSpec& spec, const Token& token) {
    using T = typename Unwrapped<std::remove_reference_t<decltype(spec.*Member)>>::type;
    constexpr uint64_t kMost = sizeof(T) == 8 ? limits::kMaxFrame : std::numeric_limits<T>::max();
    const auto value = number(token, token.value(), kMost);
    if (!value) return value.error();
    spec.*Member = static_cast<T>(*value);
    return ok_status();
}

template <auto Member>
Status set_mac(PacketSpec& spec, const Token& token) {
    const auto mac = MacAddress::parse(token.value());
    if (!mac) return unexpected(token, "a MAC address like 02:00:5e:10:00:01");
    spec.*Member = *mac;
    return ok_status();
}

Status set_port(PacketSpec& spec, const Token& token) {
    if (token.value().empty()) return unexpected(token, "a port name");
    spec.port = token.value();
    return ok_status();
}

Status set_vlans(PacketSpec& spec, const Token& token) {
    std::string_view rest = token.value();
    while (true) {
        const size_t comma = rest.find(',');
        const auto tag = number(token, rest.substr(0, comma), 0xffff);
        if (!tag) return tag.error();
        spec.vlans.push_back(static_cast<uint16_t>(*tag));
        if (comma == std::string_view::npos) return ok_status();
        rest.remove_prefix(comma + 1);
    }
}

/// ICMP echo has an identifier of its own; ip-id= names IP's.
Status set_id(PacketSpec& spec, const Token& token) {
    if (spec.kind == Kind::kIcmp || spec.kind == Kind::kIcmp6)
        return set_number<&PacketSpec::icmp_id>(spec, token);
    return set_number<&PacketSpec::id>(spec, token);
}

Status set_length(PacketSpec& spec, const Token& token) {
    const auto length = number(token, token.value(), limits::kMaxFrame);
    if (!length) return length.error();
    spec.payload.resize(*length);
    for (size_t i = 0; i < *length; ++i) spec.payload[i] = payload_pattern(i);
    return ok_status();
}

Status set_text(PacketSpec& spec, const Token& token) {
    spec.payload.assign(token.value().begin(), token.value().end());
    return ok_status();
}

Status set_hex(PacketSpec& spec, const Token& token) {
    auto bytes = hex_bytes(token, token.value());
    if (!bytes) return bytes.error();
    if (bytes->size() > limits::kMaxFrame) return unexpected(token, "no more than a jumbo frame");
    spec.payload = std::move(*bytes);
    return ok_status();
}

Status set_target(PacketSpec& spec, const Token& token) {
    const auto address = IpAddress::parse(token.value());
    if (!address || address->is_v4()) return unexpected(token, "an IPv6 address");
    spec.target = *address;
    return ok_status();
}

/// Two numbers with `between` between them.
Result<std::array<uint32_t, 2>> pair_of(const Token& token, std::string_view text, char between,
                                        std::string_view expected) {
    const size_t at = text.find(between);
    if (at == std::string_view::npos) return unexpected(token, expected);
    constexpr uint64_t kMost = std::numeric_limits<uint32_t>::max();
    const auto first = number(token, text.substr(0, at), kMost);
    if (!first) return first.error();
    const auto second = number(token, text.substr(at + 1), kMost);
    if (!second) return second.error();
    return std::array{static_cast<uint32_t>(*first), static_cast<uint32_t>(*second)};
}

Status set_timestamps(PacketSpec& spec, const Token& token) {
    const auto both = pair_of(token, token.value(), '/', "ts=VALUE/ECHO");
    if (!both) return both.error();
    spec.timestamps = {(*both)[0], (*both)[1]};
    return ok_status();
}

Status set_sack(PacketSpec& spec, const Token& token) {
    constexpr size_t kMost = 4;  // more have no room
    for (std::string_view rest = token.value();; rest.remove_prefix(rest.find(',') + 1)) {
        const auto edges = pair_of(token, rest.substr(0, rest.find(',')), '-', "sack=FROM-TO,...");
        if (!edges) return edges.error();
        spec.sack.push_back({(*edges)[0], (*edges)[1]});
        if (spec.sack.size() > kMost) return unexpected(token, "four blocks at most");
        if (rest.find(',') == std::string_view::npos) return ok_status();
    }
}

Status set_type(PacketSpec& spec, const Token& token) {
    spec.has_type = true;
    return set_number<&PacketSpec::type>(spec, token);
}

Status add_poke(PacketSpec& spec, const Token& token) {
    const size_t colon = token.value().find(':');
    if (colon == std::string_view::npos) return unexpected(token, "poke=OFFSET:HEX");
    const auto offset = number(token, token.value().substr(0, colon), limits::kMaxFrame);
    if (!offset) return offset.error();
    auto bytes = hex_bytes(token, token.value().substr(colon + 1));
    if (!bytes) return bytes.error();
    spec.pokes.push_back({*offset, std::move(*bytes)});
    return ok_status();
}

using S = PacketSpec;
constexpr Option kOptions[]{
    {"in", set_port},
    {"vlan", set_vlans},
    {"src-mac", set_mac<&S::source_mac>},
    {"dst-mac", set_mac<&S::destination_mac>},
    {"lladdr", set_mac<&S::link_address>},
    {"ttl", set_number<&S::ttl>},
    {"tos", set_number<&S::tos>},
    {"id", set_id},
    {"ip-id", set_number<&S::id>},
    {"frag", set_number<&S::fragment>},
    {"proto", set_number<&S::protocol>},
    {"seq", set_number<&S::sequence>},
    {"ack", set_number<&S::acknowledgement>},
    {"win", set_number<&S::window>},
    {"mss", set_number<&S::mss>},
    {"wscale", set_number<&S::window_scale>},
    {"ts", set_timestamps},
    {"sack", set_sack},
    {"type", set_type},
    {"code", set_number<&S::code>},
    {"mtu", set_number<&S::mtu>},
    {"target", set_target},
    {"len", set_length},
    {"data", set_text},
    {"hex", set_hex},
    {"pad", set_number<&S::pad>},
    {"cut", set_number<&S::cut>},
    {"poke", add_poke},
};

template <bool S::*Member>
void set_true(S& spec) {
    spec.*Member = true;
}

constexpr Word kWords[]{
    {"df", set_true<&S::df>},
    {"mf", set_true<&S::mf>},
    {"options", set_true<&S::options>},
    {"router-alert", set_true<&S::router_alert>},
    {"sack-permitted", set_true<&S::sack_permitted>},
    {"bad-checksum", set_true<&S::bad_checksum>},
    {"no-checksum", set_true<&S::no_checksum>},
    {"bad-ip-checksum", set_true<&S::bad_ip_checksum>},
    {"partial-checksum", set_true<&S::partial_checksum>},
    {"solicited", set_true<&S::solicited>},
    {"override", set_true<&S::override_flag>},
    {"router", set_true<&S::router>},
    {"qinq", set_true<&S::service_tag>},
};

/// "syn" or "syn,ack"; zero where a part is no flag.
uint8_t tcp_flags(std::string_view list) {
    uint8_t flags = 0;
    while (true) {
        const size_t comma = list.find(',');
        uint8_t bit = 0;
        for (const TcpFlagName& name : kTcpFlagNames)
            if (name.name == list.substr(0, comma)) bit = name.bit;
        if (bit == 0) return 0;
        flags |= bit;
        if (comma == std::string_view::npos) return flags;
        list.remove_prefix(comma + 1);
    }
}

Result<bool> icmp_type(PacketSpec& spec, const Token& token, std::span<const IcmpName> names) {
    const std::string_view text = token.text;
    const size_t slash = text.find('/');
    for (const IcmpName& name : names) {
        if (name.name != text.substr(0, slash)) continue;
        spec.type = name.type;
        spec.has_type = true;
        if (slash == std::string_view::npos) return true;
        const auto code = number(token, text.substr(slash + 1), 255);
        if (!code) return code.error();
        spec.code = static_cast<uint8_t>(*code);
        return true;
    }
    return false;
}

bool add_extension(PacketSpec& spec, std::string_view text) {
    if (text == "rh0") {
        spec.extensions.push_back(kRouting);
        spec.routing_zero = true;
        return true;
    }
    for (const ExtensionName& name : kExtensionNames) {
        if (name.name != text) continue;
        spec.extensions.push_back(name.protocol);
        return true;
    }
    return false;
}

}  // namespace

Status apply_option(PacketSpec& spec, const Token& token) {
    for (const Option& option : kOptions)
        if (option.name == token.key()) return option.set(spec, token);
    std::string known;
    for (const Option& option : kOptions)
        (known += known.empty() ? "" : " ").append(option.name) += "=";
    return unexpected(token, "one of " + known);
}

Result<bool> apply_word(PacketSpec& spec, const Token& token) {
    for (const Word& word : kWords)
        if (word.name == token.text) {
            word.set(spec);
            return true;
        }
    if (spec.kind == Kind::kTcp)
        if (const uint8_t flags = tcp_flags(token.text); flags != 0) {
            spec.flags |= flags;
            return true;
        }
    if (spec.kind == Kind::kIcmp) return icmp_type(spec, token, kIcmp4Names);
    if (spec.kind == Kind::kIcmp6)
        if (auto known = icmp_type(spec, token, kIcmp6Names); !known || *known) return known;
    return add_extension(spec, token.text);
}

}  // namespace ravelin::net
