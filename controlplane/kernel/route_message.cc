// SPDX-License-Identifier: Apache-2.0
#include "controlplane/kernel/route_message.h"

#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "pipelines/model/route_protocol.h"

namespace ravelin::control {
namespace {

std::optional<IpAddress> address_in(const nlattr* attribute, int family) {
    const int length = nla_len(attribute);
    const auto* bytes = static_cast<const uint8_t*>(nla_data(attribute));
    if (family == AF_INET && length == 4)
        return IpAddress::v4(uint32_t{bytes[0]} << 24 | uint32_t{bytes[1]} << 16 |
                             uint32_t{bytes[2]} << 8 | bytes[3]);
    if (family != AF_INET6 || length != 16) return std::nullopt;
    const IpAddress address = IpAddress::v6(bytes);
    if (address.is_v4()) return std::nullopt;  // mapped: no packet with it comes past parse
    return address;
}

std::optional<uint32_t> number_in(const nlattr* attribute) {
    uint32_t value = 0;
    if (nla_len(attribute) != sizeof value) return std::nullopt;
    std::memcpy(&value, nla_data(attribute), sizeof value);
    return value;
}

/// RTA_VIA: a gateway of the other family (RFC 8950).
std::optional<IpAddress> via_in(const nlattr* attribute) {
    rtvia via{};
    const int length = nla_len(attribute);
    if (length < static_cast<int>(sizeof via)) return std::nullopt;
    const auto* bytes = static_cast<const uint8_t*>(nla_data(attribute));
    std::memcpy(&via, bytes, sizeof via);
    if (via.rtvia_family != AF_INET6 || length != static_cast<int>(sizeof via) + 16)
        return std::nullopt;
    return IpAddress::v6(bytes + sizeof via);
}

bool read_gateway(const nlattr* attribute, int family, KernelHop& hop) {
    switch (nla_type(attribute)) {
        case RTA_GATEWAY:
            hop.gateway = address_in(attribute, family);
            return hop.gateway.has_value();
        case RTA_VIA:
            hop.gateway = via_in(attribute);
            return hop.gateway.has_value();
        default:
            return true;
    }
}

bool read_multipath(const nlattr* attribute, int family, std::vector<KernelHop>& hops) {
    const auto* at = static_cast<const uint8_t*>(nla_data(attribute));
    auto left = static_cast<size_t>(nla_len(attribute));
    while (left >= sizeof(rtnexthop)) {
        rtnexthop head{};
        std::memcpy(&head, at, sizeof head);
        if (head.rtnh_len < sizeof head || head.rtnh_len > left) return false;
        KernelHop hop{head.rtnh_ifindex, std::nullopt, 1};
        hop.weight = static_cast<uint8_t>(std::min(head.rtnh_hops + 1, 255));
        const auto* inner = reinterpret_cast<const nlattr*>(at + sizeof head);
        int rest = static_cast<int>(head.rtnh_len - sizeof head);
        for (; nla_ok(inner, rest); inner = nla_next(inner, &rest))
            if (!read_gateway(inner, family, hop)) return false;
        if ((head.rtnh_flags & RTNH_F_DEAD) == 0) hops.push_back(hop);
        const size_t step = std::min<size_t>(left, NLMSG_ALIGN(head.rtnh_len));
        at += step;
        left -= step;
    }
    return true;
}

KernelRouteKind kind_of(uint8_t type) {
    switch (type) {
        case RTN_UNICAST:
            return KernelRouteKind::kForward;
        case RTN_BLACKHOLE:
            return KernelRouteKind::kBlackhole;
        case RTN_UNREACHABLE:
            return KernelRouteKind::kUnreachable;
        case RTN_PROHIBIT:
            return KernelRouteKind::kProhibit;
        default:
            return KernelRouteKind::kOther;
    }
}

bool read_attribute(const nlattr* attribute, int family, KernelRoute& route, KernelHop& single) {
    const auto take = [&](auto& into) {
        const auto value = number_in(attribute);
        if (value) into = static_cast<std::remove_reference_t<decltype(into)>>(*value);
        return value.has_value();
    };
    switch (nla_type(attribute)) {
        case RTA_DST:
            if (const auto to = address_in(attribute, family))
                return route.prefix.address = *to, true;
            return false;
        case RTA_TABLE:
            return take(route.table);
        case RTA_PRIORITY:
            return take(route.metric);
        case RTA_OIF:
            return take(single.ifindex);
        case RTA_MULTIPATH:
            return read_multipath(attribute, family, route.hops);
        default:
            return read_gateway(attribute, family, single);
    }
}

}  // namespace

std::optional<KernelRoute> decode_route(std::span<const uint8_t> bytes) {
    nlmsghdr head{};
    rtmsg message{};
    if (bytes.size() < NLMSG_LENGTH(sizeof message)) return std::nullopt;
    std::memcpy(&head, bytes.data(), sizeof head);
    if (head.nlmsg_len > bytes.size() || head.nlmsg_len < NLMSG_LENGTH(sizeof message) ||
        (head.nlmsg_type != RTM_NEWROUTE && head.nlmsg_type != RTM_DELROUTE))
        return std::nullopt;
    std::memcpy(&message, bytes.data() + NLMSG_HDRLEN, sizeof message);
    const int family = message.rtm_family;
    if ((family != AF_INET && family != AF_INET6) || message.rtm_src_len != 0 ||
        message.rtm_dst_len > (family == AF_INET ? 32 : 128))
        return std::nullopt;
    KernelRoute route;
    route.gone = head.nlmsg_type == RTM_DELROUTE;
    route.appended = !route.gone && family == AF_INET6 && (head.nlmsg_flags & NLM_F_APPEND) != 0;
    route.cloned = (message.rtm_flags & RTM_F_CLONED) != 0;
    route.table = message.rtm_table;
    route.protocol = message.rtm_protocol;
    route.tos = message.rtm_tos;
    route.kind = kind_of(message.rtm_type);
    route.prefix = {family == AF_INET ? IpAddress::v4(0) : IpAddress{}, message.rtm_dst_len};
    KernelHop single;
    const size_t before = NLMSG_LENGTH(0) + NLMSG_ALIGN(sizeof message);
    int left = static_cast<int>(head.nlmsg_len - std::min<size_t>(before, head.nlmsg_len));
    const auto* attribute = reinterpret_cast<const nlattr*>(bytes.data() + before);
    for (; nla_ok(attribute, left); attribute = nla_next(attribute, &left))
        if (!read_attribute(attribute, family, route, single)) return std::nullopt;
    const bool dead = (message.rtm_flags & RTNH_F_DEAD) != 0;
    if (route.kind == KernelRouteKind::kForward && route.hops.empty() && single.ifindex != 0 &&
        !dead)
        route.hops.push_back(single);
    return route;
}

std::string protocol_name(uint8_t protocol) {
    const std::string_view name = model::route_protocol(protocol);
    return name.empty() ? std::to_string(protocol) : std::string(name);
}

std::optional<uint8_t> protocol_named(const std::string& name) {
    for (const auto& known : model::kRouteProtocols)
        if (known.name == name) return known.number;
    unsigned number = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error != std::errc() || end != name.data() + name.size() || number > UINT8_MAX)
        return std::nullopt;
    return static_cast<uint8_t>(number);
}

}  // namespace ravelin::control
