// SPDX-License-Identifier: Apache-2.0
// A packet in one line of text, for `ravelin explain`, traces and stage tests:
//
//   in=lan tcp 10.0.0.1:1234 > 192.0.2.7:80 syn mss=1460
//   in=lan vlan=5 udp [2001:db8::1]:53 > [2001:db8::2]:5353 len=100
//   icmp 10.0.0.1 > 10.0.0.2 unreachable/4 mtu=1400 quoting (udp 10.0.0.2:53 > 10.9.9.9:5353)
//   arp who-has 10.0.0.1 tell 10.0.0.2      arp 10.0.0.1 is-at 02:00:00:00:00:01
//
// The whole language stands in tests/stages/README.md. Not for the fast path: it allocates.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/address.h"
#include "dataplane/result.h"

namespace ravelin {

/// What a text that does not say it means.
struct PacketTextDefaults {
    struct PortMac {
        std::string port;
        MacAddress mac;
    };
    std::string port;                                      ///< without in=
    MacAddress source_mac{{0x02, 0, 0, 0, 0, 0xfe}};       ///< without src-mac=
    MacAddress destination_mac{{0x02, 0, 0, 0, 0x01, 0}};  ///< unicast to a port not listed
    std::vector<PortMac> port_macs;                        ///< unicast frames go to their port's
};

struct ParsedPacket {
    std::string port;
    std::vector<uint8_t> frame;
};

/// The frame a text describes, all lengths and checksums right unless it asks for wrong ones. The
/// error names the position: "position 12: found 'x', expected y".
Result<ParsedPacket> parse_packet_text(std::string_view text, const PacketTextDefaults& defaults);

enum class PacketDetail : uint8_t {
    kFull,     ///< every field, so that parse_packet_text makes the same frame again
    kSummary,  ///< what tells packets apart: endpoints, flags, lengths
};

/// The text of a frame, without in=. Never fails: what it does not understand is hex.
std::string describe_frame(std::span<const uint8_t> frame,
                           PacketDetail detail = PacketDetail::kFull);

}  // namespace ravelin
