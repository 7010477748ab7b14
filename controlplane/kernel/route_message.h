// SPDX-License-Identifier: Apache-2.0
// What rtnetlink says about a route: RTM_NEWROUTE and RTM_DELROUTE, IPv4 and IPv6, plain, multipath
// and by next-hop objects (the kernel spells those out). Any bytes may come; nothing is read beyond
// the message.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/address.h"

namespace ravelin::control {

enum class KernelRouteKind : uint8_t { kForward, kBlackhole, kUnreachable, kProhibit, kOther };

struct KernelHop {
    int ifindex = 0;
    std::optional<IpAddress> gateway;  ///< none: the destinations are on the link
    uint8_t weight = 1;
    auto operator<=>(const KernelHop&) const = default;
};

struct KernelRoute {
    bool gone = false;      ///< RTM_DELROUTE
    bool appended = false;  ///< IPv6: one more next hop for what is there
    bool cloned = false;    ///< a cache entry or exception, no route
    uint32_t table = 0;
    uint8_t protocol = 0, tos = 0;
    uint32_t metric = 0;
    Prefix prefix;
    KernelRouteKind kind = KernelRouteKind::kForward;
    std::vector<KernelHop> hops;
};

/// The message at the start of `bytes` (its nlmsghdr included); nothing if it is no route of IPv4
/// or IPv6, or malformed.
std::optional<KernelRoute> decode_route(std::span<const uint8_t> bytes);

/// As /etc/iproute2/rt_protos names it; the number where it has no name.
std::string protocol_name(uint8_t protocol);
/// A name or a number from 0 to 255.
std::optional<uint8_t> protocol_named(const std::string& name);

}  // namespace ravelin::control
