// SPDX-License-Identifier: Apache-2.0
// Counting a hop: the limit of a forwarded packet, above 1, falls by one (RFC 1812 section 5.3.1).
#pragma once
#include "dataplane/net/headers.h"

namespace ravelin::net {

inline void count_hop(Ipv4& ip) noexcept {
    // It stands in the upper half of its word: the sum has one 0x0100 less, whatever it was, and
    // its complement one more, carried around (RFC 1624).
    --ip.ttl;
    const uint32_t more = uint32_t{ip.checksum.raw()} + be16(0x0100).raw();
    ip.checksum = be16::from_raw(static_cast<uint16_t>(more + (more >= 0xffff ? 1 : 0)));
}
inline void count_hop(Ipv6& ip) noexcept { --ip.hop_limit; }

}  // namespace ravelin::net
