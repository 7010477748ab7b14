// SPDX-License-Identifier: Apache-2.0
#include "dataplane/congestion.h"

#include <cstring>

#include "dataplane/limits.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/packet.h"

namespace ravelin {
namespace {

// RFC 3168 section 5: the two lower bits of the TOS octet, or of the traffic class.
constexpr uint8_t kNotEct = 0, kCe = 3, kEcnMask = 3;

bool mark(net::Ipv4& ip) noexcept {
    if ((ip.tos & kEcnMask) == kNotEct) return false;
    uint16_t before, after;
    std::memcpy(&before, &ip, sizeof before);
    ip.tos |= kCe;
    std::memcpy(&after, &ip, sizeof after);
    ip.checksum = net::updated_checksum(ip.checksum, before, after);
    return true;
}

bool mark(net::Ipv6& ip) noexcept {
    constexpr unsigned kEcnShift = 20;
    const uint32_t word = ip.version_class_flow.host();
    if ((word >> kEcnShift & kEcnMask) == kNotEct) return false;
    ip.version_class_flow = be32(word | uint32_t{kCe} << kEcnShift);
    return true;
}

}  // namespace

bool mark_congestion(rte_mbuf& frame) noexcept {
    const Packet packet(&frame);
    const auto* ethernet = packet.at<net::Ethernet>(0);
    if (ethernet == nullptr) return false;
    uint16_t type = ethernet->type.host();
    uint32_t at = sizeof *ethernet;
    for (unsigned tags = 0; net::is_tag(type) && tags < limits::kMaxVlanTags; ++tags) {
        const auto* tag = packet.at<net::VlanTag>(at);
        if (tag == nullptr) return false;
        type = tag->type.host();
        at += sizeof *tag;
    }
    if (type == net::kEtherIpv4)
        if (auto* ip = packet.at<net::Ipv4>(at); ip != nullptr) return mark(*ip);
    if (type == net::kEtherIpv6)
        if (auto* ip = packet.at<net::Ipv6>(at); ip != nullptr) return mark(*ip);
    return false;
}

}  // namespace ravelin
