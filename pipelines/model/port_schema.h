// SPDX-License-Identifier: Apache-2.0
// What the configuration says of a port: a device, a VLAN on one, or an end of tunnels.
#pragma once
#include <array>
#include <string_view>

#include "dataplane/config/schema.h"
#include "dataplane/limits.h"

namespace ravelin::model {

using config::Field;
using config::Schema;
using config::Type;

inline constexpr std::array<std::string_view, 3> kRss{"auto", "off", "device"};

inline constexpr std::array<std::string_view, 3> kReversePaths{"off", "strict", "loose"};

inline constexpr std::array kVxlanRemoteFields{
    Field{.name = "address",
          .type = Type::kAddress,
          .help = "Address of the other end.",
          .required = true},
    Field{.name = "mac",
          .type = Type::kMac,
          .help = "A machine behind it: frames to this MAC address go to it alone. One address may "
                  "be listed with many."},
};
inline constexpr Schema kVxlanRemoteSchema{"VXLAN remote", "Another end of the tunnels.",
                                           kVxlanRemoteFields};

inline constexpr std::array kVxlanFields{
    Field{.name = "vni",
          .type = Type::kInteger,
          .help = "VXLAN network identifier.",
          .required = true,
          .minimum = 1,
          .maximum = 0xffffff},
    Field{.name = "local",
          .type = Type::kAddress,
          .help = "The box's own end: an address of a port that stands before this one.",
          .required = true},
    Field{.name = "remotes",
          .type = Type::kList,
          .help = "The other ends. Only they are listened to; all get what goes to groups, to "
                  "all, and to MAC addresses not listed.",
          .required = true,
          .nested = &kVxlanRemoteSchema},
    Field{.name = "udp-port",
          .type = Type::kInteger,
          .help = "UDP port of all ends.",
          .fallback = "4789",
          .minimum = 1,
          .maximum = 65535},
    Field{.name = "zero-checksum",
          .type = Type::kBool,
          .help = "IPv6: send outer packets without UDP checksum and take such (RFC 6935); over "
                  "IPv4 there is none.",
          .fallback = "false"},
};
inline constexpr Schema kVxlanSchema{"VXLAN", "An end of VXLAN tunnels (RFC 7348).", kVxlanFields};

inline constexpr std::array<std::string_view, 2> kTags{"802.1q", "802.1ad"};

inline constexpr std::array kPortFields{
    Field{.name = "name",
          .type = Type::kName,
          .help = "What rules, routes and counters call the port.",
          .required = true},
    Field{.name = "device",
          .type = Type::kText,
          .help = "af_packet:IFACE, af_xdp:IFACE, tap:NAME, memif:ARGS, pcap:ARGS, null, or a PCI "
                  "address like 0000:17:00.0. A sub-interface has none."},
    Field{.name = "parent",
          .type = Type::kName,
          .help = "Router mode: makes this a sub-interface of that port, which stands before it: "
                  "its frames with the tags vlan says. Other tagged frames are dropped."},
    Field{.name = "vlan",
          .type = Type::kText,
          .help = "VLAN id of a sub-interface; two like 10.20 are an outer and an inner tag."},
    Field{.name = "tag",
          .type = Type::kEnum,
          .help = "Outer tag that a sub-interface sends, 0x8100 or 0x88a8; default: 802.1ad with "
                  "two ids, else 802.1q. Received is either, but where another on the parent has "
                  "the same ids and the other tag (not with af_packet, which loses it).",
          .words = kTags},
    Field{.name = "vxlan",
          .type = Type::kMap,
          .help = "Router mode: makes this an end of VXLAN tunnels instead of a device. Needs the "
                  "stage vxlan.",
          .nested = &kVxlanSchema},
    Field{
        .name = "addresses",
        .type = Type::kInterfaceSet,
        .help =
            "Addresses of the box on this port, with the prefix length of the link; router mode."},
    Field{.name = "mtu",
          .type = Type::kSize,
          .help = "Largest IP packet the link carries; default: 1500B, its parent's, or what "
                  "tunnels leave of that of the port with their local address.",
          .minimum = 1280,
          .maximum = 9600},
    Field{.name = "mac",
          .type = Type::kMac,
          .help = "MAC address to use instead of the device's own."},
    Field{.name = "rpf",
          .type = Type::kEnum,
          .help =
              "Reverse-path check of sources (RFC 3704), router mode: strict wants a route back "
              "by this port, of several next hops any; loose any route but blackhole, "
              "unreachable and prohibit.",
          .fallback = "off",
          .words = kReversePaths},
    Field{.name = "tap",
          .type = Type::kName,
          .help = "Router mode: TAP device by which the kernel sees the port, with its addresses, "
                  "MAC, MTU and link state; what the box does not answer itself goes there."},
    Field{.name = "principal",
          .type = Type::kName,
          .help = "Principal that is charged for what comes in by it, unless a rule or a prefix "
                  "says otherwise."},
    Field{.name = "peer",
          .type = Type::kName,
          .help = "Wire mode: the port on the other side; with two ports it goes without saying."},
    Field{.name = "queues",
          .type = Type::kInteger,
          .help = "Receive and transmit queues to ask for; default: as many as workers, where the "
                  "device has them.",
          .minimum = 1,
          .maximum = limits::kMaxWorkers},
    Field{.name = "rate",
          .type = Type::kRate,
          .help =
              "Pace what the port sends, all that stands on it included, at so many bits on the "
              "wire (24 bytes a frame beyond its own), in shares by the weight of principals. "
              "Set it a little below what the link carries. Default: unpaced.",
          .minimum = 64'000,
          .maximum = 400'000'000'000},
    Field{.name = "queue",
          .type = Type::kSize,
          .help =
              "With rate: bytes that may wait for one principal; from a quarter of it on packets "
              "are marked (RFC 3168) whose ends know of that. Default: 40 ms of the rate, at "
              "least 32 of the longest frames.",
          .minimum = 4'000,
          .maximum = 256'000'000},
    Field{.name = "rss",
          .type = Type::kEnum,
          .help = "Who spreads flows over the queues: auto has the NIC do it where its driver can, "
                  "off never; device says that it is set up already (Toeplitz, key 6d5a repeated, "
                  "entry i to queue i modulo queues), as ethtool does below af_xdp.",
          .fallback = "auto",
          .words = kRss},
};
inline constexpr Schema kPortSchema{
    "port", "One network device, a VLAN on one, or an end of tunnels.", kPortFields};

}  // namespace ravelin::model
