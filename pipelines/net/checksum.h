// SPDX-License-Identifier: Apache-2.0
// Beside dataplane/net/checksum.h: the IPv4 header's own checksum.
#pragma once
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"

namespace ravelin::net {

/// Of a header without options.
inline void set_header_checksum(Ipv4& header) noexcept {
    header.checksum = be16();
    header.checksum = checksum_finish(checksum_add(0, &header, sizeof header));
}

}  // namespace ravelin::net
