// SPDX-License-Identifier: Apache-2.0
// Who told the kernel a route: RTPROT_* of linux/rtnetlink.h, as /etc/iproute2/rt_protos and FRR's
// own file there name them.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

namespace ravelin::model {

struct RouteProtocol {
    uint8_t number;
    std::string_view name;
};
inline constexpr std::array kRouteProtocols{
    RouteProtocol{2, "kernel"},  RouteProtocol{3, "boot"},        RouteProtocol{4, "static"},
    RouteProtocol{9, "ra"},      RouteProtocol{11, "zebra"},      RouteProtocol{12, "bird"},
    RouteProtocol{16, "dhcp"},   RouteProtocol{18, "keepalived"}, RouteProtocol{42, "babel"},
    RouteProtocol{186, "bgp"},   RouteProtocol{187, "isis"},      RouteProtocol{188, "ospf"},
    RouteProtocol{189, "rip"},   RouteProtocol{190, "ripng"},     RouteProtocol{191, "nhrp"},
    RouteProtocol{192, "eigrp"}, RouteProtocol{193, "ldp"},       RouteProtocol{194, "sharp"},
    RouteProtocol{195, "pbr"},   RouteProtocol{196, "zstatic"},   RouteProtocol{197, "openfabric"},
};
/// Empty where it has no name.
constexpr std::string_view route_protocol(uint8_t number) {
    for (const RouteProtocol& known : kRouteProtocols)
        if (known.number == number) return known.name;
    return {};
}

}  // namespace ravelin::model
