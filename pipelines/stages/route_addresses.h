// SPDX-License-Identifier: Apache-2.0
// Addresses that are routed by what they are and not by a table.
#pragma once
#include "dataplane/packet.h"

namespace ravelin {

// Groups that no router forwards: 224.0.0.0/24 (RFC 5771), IPv6 interface- and link-local scope.
inline bool link_scope_group(const IpAddress& a) {
    if (a.is_v4()) return a.v4_host() >> 8 == 0xe00000;
    return (a.bytes[1] & 0x0f) == 1 || (a.bytes[1] & 0x0f) == 2;
}

inline bool limited_broadcast(const IpAddress& a) { return a == IpAddress::v4(0xffffffff); }

// 0.0.0.0/8 and 240.0.0.0/4, which operators may want to use: RFC 1122 section 3.2.1.3, RFC 1112.
inline bool odd(const PacketMeta& meta, const IpAddress& a) {
    return meta.has(PacketMeta::kIpv4) && (a.bytes[12] == 0 || a.bytes[12] >= 240);
}
// What forwarded IPv4 is like: neither 0/8, loopback, link-local nor 224.0.0.0/3.
inline bool ordinary_v4(uint32_t host) {
    const uint32_t network = host >> 24;
    return network - 1 < 223 && network != 127 && host >> 16 != 0xa9fe;
}
inline bool nowhere(const IpAddress& a) { return a.is_unspecified() || a.is_loopback(); }

}  // namespace ravelin
