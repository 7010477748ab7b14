// SPDX-License-Identifier: Apache-2.0
// Wire layouts. Every field is big-endian by type; every struct has alignment 1 and may stand
// anywhere in a frame. Read them through Packet::at, never by a bare cast.
#pragma once
#include <array>
#include <cstdint>

#include "dataplane/address.h"
#include "dataplane/bytes.h"

namespace ravelin::net {

enum EtherType : uint16_t {
    kEtherIpv4 = 0x0800,
    kEtherArp = 0x0806,
    kEtherVlan = 0x8100,
    kEtherQinq = 0x88a8,
    kEtherIpv6 = 0x86dd,
    kEtherLldp = 0x88cc,
    kEtherFirstType = 0x0600,  // below: an 802.3 length
};

constexpr bool is_tag(uint16_t ethertype) {
    return ethertype == kEtherVlan || ethertype == kEtherQinq;
}

enum Protocol : uint8_t {
    kHopByHop = 0,
    kIcmp = 1,
    kIgmp = 2,
    kTcp = 6,
    kUdp = 17,
    kRouting = 43,
    kFragment = 44,
    kEsp = 50,
    kAh = 51,
    kIcmpv6 = 58,
    kNoNext = 59,
    kDestinationOptions = 60,
    kSctp = 132,
    kMobility = 135,
};

enum TcpFlag : uint8_t { kFin = 1, kSyn = 2, kRst = 4, kPsh = 8, kAck = 16, kUrg = 32 };

struct Ethernet {
    MacAddress destination, source;
    be16 type;
};
inline constexpr uint16_t kVlanIdMask = 0x0fff;  ///< of a tag's tci
struct VlanTag {
    be16 tci, type;
};
struct Ipv4 {
    uint8_t version_ihl, tos;
    be16 total_length, id, fragment;  // fragment: 0x4000 DF, 0x2000 MF, 0x1fff offset in 8 bytes
    uint8_t ttl, protocol;
    be16 checksum;
    be32 source, destination;
    [[nodiscard]] unsigned header_length() const { return (version_ihl & 0xfu) * 4; }
};
struct Ipv6 {
    be32 version_class_flow;
    be16 payload_length;
    uint8_t next_header, hop_limit;
    std::array<uint8_t, 16> source, destination;
};
struct Ipv6Extension {
    uint8_t next_header, length;
};  // length in 8 bytes beyond the first 8
struct Ipv6Fragment {
    uint8_t next_header, reserved;
    be16 offset_more;
    be32 id;
};
struct Tcp {
    be16 source_port, destination_port;
    be32 sequence, acknowledgement;
    uint8_t data_offset, flags;
    be16 window, checksum, urgent;
    [[nodiscard]] unsigned header_length() const { return (data_offset >> 4) * 4u; }
};
struct Udp {
    be16 source_port, destination_port, length, checksum;
};
struct Icmp {
    uint8_t type, code;
    be16 checksum;
    be16 id, sequence;
};  // id, sequence: echo
struct Arp {
    be16 hardware, protocol;
    uint8_t hardware_length, protocol_length;
    be16 operation;
    MacAddress sender_mac;
    be32 sender_ip;
    MacAddress target_mac;
    be32 target_ip;
};
struct NeighbourMessage {
    uint8_t type, code;
    be16 checksum;
    be32 flags;
    std::array<uint8_t, 16> target;
};

struct Vxlan {  // RFC 7348 section 5
    uint8_t flags;
    std::array<uint8_t, 3> reserved;
    be32 vni;  // in the upper 24 bits
};
inline constexpr uint8_t kVxlanHasVni = 0x08;

static_assert(sizeof(Vxlan) == 8 && alignof(Vxlan) == 1);
static_assert(sizeof(Ethernet) == 14 && sizeof(VlanTag) == 4 && sizeof(Ipv4) == 20);
static_assert(sizeof(Ipv6) == 40 && sizeof(Ipv6Fragment) == 8 && sizeof(Tcp) == 20);
static_assert(sizeof(Udp) == 8 && sizeof(Icmp) == 8 && sizeof(Arp) == 28);
static_assert(sizeof(NeighbourMessage) == 24 && alignof(Ipv4) == 1 && alignof(Tcp) == 1);

}  // namespace ravelin::net
