// SPDX-License-Identifier: Apache-2.0
// ARP and IPv6 neighbour discovery messages: made, read and acted upon. Worker 0 only.
#pragma once
#include "dataplane/stage.h"

namespace ravelin {

/// Drop names of `neighbour`, in the order it declares them.
enum class NeighbourDrop : uint8_t {
    kBadArp,
    kBadNd,
    kNotOurs,
    kOffLink,
    kConflict,
    kRouterMessage,
    kRedirect,
    kUnresolved,
    kHandled,
};

/// Reads one ARP packet: answers, learns. kHandled if it was in order.
NeighbourDrop take_arp(const Packet& packet, const PacketMeta& meta,
                       WorkerContext& context) noexcept;
/// The same for ICMPv6 types 133 to 137.
NeighbourDrop take_nd(const Packet& packet, const PacketMeta& meta,
                      WorkerContext& context) noexcept;

/// Whether the kernel behind the port's TAP is to see it too. It asks for its neighbours itself, so
/// it sees the answers; questions are the box's to answer, but for a router solicitation, which is
/// a routing daemon's.
bool is_for_kernel(const Packet& packet, const PacketMeta& meta, NeighbourDrop what,
                   const WorkerContext& context) noexcept;

/// Asks who has `address`: to all, or to `to` alone if given. False if nothing was sent.
bool send_request(PortId port, const IpAddress& address, const MacAddress* to,
                  WorkerContext& context) noexcept;
/// Tells the link that `address` is here: RFC 5227 section 3, RFC 4861 section 7.2.6.
bool send_announcement(PortId port, const IpAddress& address, WorkerContext& context) noexcept;
/// The group MAC of an IP group: RFC 1112 section 6.4, RFC 2464 section 7.
MacAddress group_mac(const IpAddress& group) noexcept;

}  // namespace ravelin
