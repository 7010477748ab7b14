// SPDX-License-Identifier: Apache-2.0
#include "dataplane/shortcut_head.h"

#include "dataplane/vlan.h"

namespace ravelin::shortcut {
namespace {

constexpr uint16_t kLaterFragment = 0x1fff;
constexpr uint8_t kEcho4[] = {8, 0}, kEcho6[] = {128, 129};
constexpr uint8_t kFirstQuery6 = 128;  // below it errors, which quote (RFC 4443 section 2.1)

Bearing pair(const IpAddress& source, const IpAddress& destination, Head& head) noexcept {
    FlowKey::make(head.key, source, destination, 0, 0, 0, 0, head.swapped);
    return Bearing::kPair;
}

// Of a packet, or of what an error quotes of one; `length` bytes of it are there. What no parser
// takes for a packet has no flow.
Bearing pair_of_v4(const uint8_t* at, uint32_t length, Head& head) noexcept {
    if (length < sizeof(net::Ipv4)) return Bearing::kNone;
    const auto& ip = *reinterpret_cast<const net::Ipv4*>(at);
    return pair(IpAddress::v4(ip.source.host()), IpAddress::v4(ip.destination.host()), head);
}

Bearing pair_of_v6(const uint8_t* at, uint32_t length, Head& head) noexcept {
    if (length < sizeof(net::Ipv6)) return Bearing::kNone;
    const auto& ip = *reinterpret_cast<const net::Ipv6*>(at);
    return pair(IpAddress{ip.source}, IpAddress{ip.destination}, head);
}

Bearing of_v4(const uint8_t* at, uint32_t length, Head& head) noexcept {
    if (length < sizeof(net::Ipv4)) return Bearing::kNone;
    const auto& ip = *reinterpret_cast<const net::Ipv4*>(at);
    if (ip.protocol != net::kIcmp) return pair_of_v4(at, length, head);
    const uint32_t quote = ip.header_length() + uint32_t{sizeof(net::Icmp)};
    if ((ip.fragment.host() & kLaterFragment) != 0 || length < quote) return Bearing::kNone;
    const uint8_t type = at[ip.header_length()];
    if (type == kEcho4[0] || type == kEcho4[1]) return Bearing::kNone;
    return pair_of_v4(at + quote, length - quote, head);
}

Bearing of_icmp6(const uint8_t* at, uint32_t length, Head& head) noexcept {
    if (length < sizeof(net::Icmp)) return Bearing::kNone;
    if (*at == kEcho6[0] || *at == kEcho6[1]) return Bearing::kNone;
    // Neighbour discovery decides where frames go.
    if (*at >= kFirstQuery6) return Bearing::kUnknown;
    return pair_of_v6(at + sizeof(net::Icmp), length - uint32_t{sizeof(net::Icmp)}, head);
}

Bearing of_v6(const uint8_t* at, uint32_t length, Head& head) noexcept {
    if (length < sizeof(net::Ipv6)) return Bearing::kNone;
    const auto& ip = *reinterpret_cast<const net::Ipv6*>(at);
    const uint32_t rest = length - uint32_t{sizeof ip};
    uint8_t upper = ip.next_header;
    // The first byte of one more header says what is behind it.
    if (upper == net::kFragment || upper == net::kHopByHop || upper == net::kRouting ||
        upper == net::kDestinationOptions || upper == net::kAh)
        upper = rest == 0 ? upper : at[sizeof ip];
    switch (upper) {
        case net::kTcp:
        case net::kUdp:
        case net::kEsp:
        case net::kSctp:
            return pair_of_v6(at, length, head);
        case net::kIcmpv6:
            return upper == ip.next_header ? of_icmp6(at + sizeof ip, rest, head)
                                           : Bearing::kUnknown;
        default:  // behind a second one may stand anything
            return Bearing::kUnknown;
    }
}

}  // namespace

void read_odd(const rte_mbuf& frame, Head& head) noexcept {
    head.hash = head.length = 0;
    head.open = false;
    head.bearing = Bearing::kUnknown;
    if (frame.nb_segs != 1 || frame.data_len < sizeof(net::Ethernet)) return;
    const auto* at = rte_pktmbuf_mtod(&frame, const uint8_t*);
    const uint32_t tags = FrameTags::read(at, frame.data_len).length;
    const uint16_t type = reinterpret_cast<const net::Ethernet*>(at + tags)->type.host();
    const uint32_t length = frame.data_len - uint32_t{sizeof(net::Ethernet)} - tags;
    at += sizeof(net::Ethernet) + tags;
    if (type == net::kEtherIpv4)
        head.bearing = of_v4(at, length, head);
    else if (type == net::kEtherIpv6)
        head.bearing = of_v6(at, length, head);
}

}  // namespace ravelin::shortcut
