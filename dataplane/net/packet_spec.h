// SPDX-License-Identifier: Apache-2.0
// PacketSpec: what a packet text says, between its parser and the builder of frames.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/address.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/packet_text.h"

namespace ravelin::net {

struct PacketSpec {
    enum class Kind : uint8_t { kUnset, kTcp, kUdp, kIcmp, kIcmp6, kIp, kArp, kRaw, kEther };
    struct Poke {
        size_t offset;  ///< from the start of the frame
        std::vector<uint8_t> bytes;
    };
    Kind kind = Kind::kUnset;
    std::string port;
    std::optional<MacAddress> source_mac, destination_mac, link_address;
    std::vector<uint16_t> vlans;
    bool service_tag = false;  ///< outer tag is 0x88a8
    bool has_endpoints = false;
    IpAddress source, destination;
    uint16_t source_port = 0, destination_port = 0;
    uint8_t protocol = 0;
    // IP
    std::optional<uint8_t> ttl;
    uint8_t tos = 0;
    uint32_t id = 0;
    bool df = false, mf = false, options = false, router_alert = false;
    std::optional<uint16_t> fragment;  ///< bytes
    std::vector<uint8_t> extensions;   ///< IPv6 headers by number, in order
    bool routing_zero = false;         ///< the routing header is type 0 (RFC 5095)
    // TCP
    uint8_t flags = 0;
    uint32_t sequence = 0, acknowledgement = 0;  // sequence: also of ICMP echo
    uint16_t window = 65535;
    std::optional<uint16_t> mss;
    std::optional<uint8_t> window_scale;
    bool sack_permitted = false;
    struct Timestamps {
        uint32_t value, echo;
    };
    std::optional<Timestamps> timestamps;
    struct SackBlock {
        uint32_t from, to;
    };
    std::vector<SackBlock> sack;
    // ICMP, ARP
    bool has_type = false;
    uint8_t type = 0, code = 0;
    uint16_t icmp_id = 0;
    uint32_t mtu = 0;
    bool solicited = false, override_flag = false, router = false;
    IpAddress target;
    bool arp_reply = false;
    std::vector<PacketSpec> quoted;  ///< none or one
    uint16_t ethertype = 0;
    std::vector<uint8_t> payload;
    // Deliberate damage
    bool bad_checksum = false, bad_ip_checksum = false, no_checksum = false,
         partial_checksum = false;
    size_t pad = 0;
    std::optional<size_t> cut;
    std::vector<Poke> pokes;
};

/// ICMP type with a name; names are the same in both directions of the language.
struct IcmpName {
    std::string_view name;
    uint8_t type;
};
inline constexpr std::array kIcmp4Names{
    IcmpName{"echo-request", 8}, IcmpName{"echo-reply", 0},     IcmpName{"unreachable", 3},
    IcmpName{"redirect", 5},     IcmpName{"time-exceeded", 11}, IcmpName{"parameter-problem", 12}};
inline constexpr std::array kIcmp6Names{
    IcmpName{"echo-request", 128}, IcmpName{"echo-reply", 129},
    IcmpName{"unreachable", 1},    IcmpName{"packet-too-big", 2},
    IcmpName{"time-exceeded", 3},  IcmpName{"parameter-problem", 4},
    IcmpName{"rs", 133},           IcmpName{"ra", 134},
    IcmpName{"ns", 135},           IcmpName{"na", 136}};
enum Icmp6Type : uint8_t {
    kRouterSolicit = 133,
    kRouterAdvert = 134,
    kNeighbourSolicit = 135,
    kNeighbourAdvert = 136
};
struct ExtensionName {
    std::string_view name;
    uint8_t protocol;
};
inline constexpr std::array kExtensionNames{
    ExtensionName{"hbh", kHopByHop}, ExtensionName{"dstopt", kDestinationOptions},
    ExtensionName{"routing", kRouting}, ExtensionName{"ah", kAh}};
struct TcpFlagName {
    std::string_view name;
    uint8_t bit;
};
inline constexpr std::array kTcpFlagNames{TcpFlagName{"syn", kSyn}, TcpFlagName{"ack", kAck},
                                          TcpFlagName{"fin", kFin}, TcpFlagName{"rst", kRst},
                                          TcpFlagName{"psh", kPsh}, TcpFlagName{"urg", kUrg},
                                          TcpFlagName{"ece", 64},   TcpFlagName{"cwr", 128}};

/// Byte i of a payload nobody specified.
constexpr uint8_t payload_pattern(size_t i) { return static_cast<uint8_t>(i); }

/// IP header and upward; used for whole frames and for what ICMP errors quote.
std::vector<uint8_t> build_ip(const PacketSpec& spec);
/// The whole frame.
std::vector<uint8_t> build_frame(const PacketSpec& spec, const PacketTextDefaults& defaults);

}  // namespace ravelin::net
