// SPDX-License-Identifier: Apache-2.0
// What the oracle reads from a frame by itself, without the parser it judges.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

#include "dataplane/address.h"

namespace ravelin::oracle {

/// Untagged Ethernet with IPv4 or IPv6. Offsets in bytes from the start of the frame, ports and
/// numbers in host order.
struct FrameFacts {
    IpAddress source, destination;
    uint8_t protocol = 0;  ///< behind IPv6 extension headers
    uint8_t ttl = 0;
    bool fragment = false, more = false, extensions = false;
    // IPv6 headers that the two sides treat apart.
    bool fragment_header = false, authentication = false, routing_zero = false,
         late_hop_by_hop = false;
    uint32_t fragment_id = 0, fragment_offset = 0;
    size_t l4 = 0, end = 0;  ///< [l4, end): transport header and payload
    // Of TCP, UDP, SCTP and ICMP, where the frame is no later fragment.
    bool has_upper = false;
    uint16_t source_port = 0, destination_port = 0;
    uint32_t seq = 0, ack = 0, payload = 0;  ///< TCP
    uint8_t tcp_flags = 0;
    uint8_t icmp_type = 0, icmp_code = 0;
    uint16_t checksum = 0;                                  ///< of UDP
    bool quotes_tcp = false;                                ///< an ICMP error about TCP
    std::optional<std::pair<IpAddress, IpAddress>> quoted;  ///< source and destination of the quote

    [[nodiscard]] bool v4() const { return source.is_v4(); }
    [[nodiscard]] bool later_fragment() const { return fragment && fragment_offset != 0; }
    [[nodiscard]] bool icmp() const { return protocol == (v4() ? 1 : 58); }
};

/// Nothing for frames of other kinds and those too short for their headers.
std::optional<FrameFacts> read_frame(std::span<const uint8_t> frame);

}  // namespace ravelin::oracle
