// SPDX-License-Identifier: Apache-2.0
// Beside dataplane/net/checksum.h: the incremental update, and the IPv4 header's own checksum.
#pragma once
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace ravelin::net {

/// `checksum` after one 16-bit word it covers changed; RFC 1624 equation 3. Words in wire order.
inline be16 updated_checksum(be16 checksum, uint16_t before, uint16_t after) noexcept {
    return checksum_finish(uint64_t{static_cast<uint16_t>(~checksum.raw())} +
                           static_cast<uint16_t>(~before) + after);
}

/// Of a header without options.
inline void set_header_checksum(Ipv4& header) noexcept {
    header.checksum = be16();
    header.checksum = checksum_finish(checksum_add(0, &header, sizeof header));
}

}  // namespace ravelin::net
