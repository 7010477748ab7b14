// SPDX-License-Identifier: Apache-2.0
// The fields that differ between ARP and neighbour discovery messages the box sends.
#pragma once
#include "dataplane/net/headers.h"
#include "pipelines/stages/neighbour_protocol.h"

namespace ravelin {

inline constexpr uint16_t kArpRequest = 1, kArpReply = 2;
inline constexpr uint8_t kRouterSolicitation = 133, kRouterAdvertisement = 134, kSolicitation = 135,
                         kAdvertisement = 136, kRedirectMessage = 137;
inline constexpr uint8_t kSourceLinkLayer = 1, kTargetLinkLayer = 2;
inline constexpr uint32_t kRouterFlag = 1u << 31, kSolicitedFlag = 1u << 30,
                          kOverrideFlag = 1u << 29;

inline bool is_nd(const PacketMeta& m) {
    return m.has(PacketMeta::kIpv6) && m.protocol == net::kIcmpv6 &&
           !m.has(PacketMeta::kLaterFragment) && m.icmp_type >= kRouterSolicitation &&
           m.icmp_type <= kRedirectMessage;
}

struct ArpMessage {
    uint16_t operation;
    MacAddress to;
    IpAddress sender, target;
    MacAddress target_mac;
};
struct NdMessage {
    uint8_t type;
    uint32_t flags;
    MacAddress to;
    IpAddress source, destination, target;
};

/// Both carry the port's own MAC as that of the sender, or of the target advertised.
bool send_arp(const ArpMessage& message, PortId port, WorkerContext& context) noexcept;
bool send_nd(const NdMessage& message, PortId port, WorkerContext& context) noexcept;
/// RFC 4291 section 2.7.1.
IpAddress solicited_node(const IpAddress& address) noexcept;
inline IpAddress all_nodes() noexcept {
    IpAddress a;
    a.bytes[0] = 0xff;
    a.bytes[1] = 2;
    a.bytes[15] = 1;
    return a;
}

}  // namespace ravelin
