// SPDX-License-Identifier: Apache-2.0
// Packet: bounds-checked view of one frame. PacketMeta: what parse learned about it, 128 bytes,
// kept beside the burst (hot in L1) and not in the mbuf; it travels in the mbuf's private area only
// when a packet changes worker.
#pragma once
#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/address.h"
#include "dataplane/sched/principal_id.h"
#include "dataplane/verdict.h"

namespace ravelin {

/// A view, never an owner. Offsets are bytes from the start of the frame, within its first segment.
class Packet {
  public:
    explicit Packet(rte_mbuf* frame) : frame_(frame) {}

    /// The header at `offset`, or null when the first segment ends before it does.
    template <typename T>
    [[nodiscard]] T* at(uint32_t offset) const {
        static_assert(alignof(T) == 1, "headers stand unaligned in frames");
        if (offset + sizeof(T) > rte_pktmbuf_data_len(frame_)) return nullptr;
        return rte_pktmbuf_mtod_offset(frame_, T*, offset);
    }
    /// `length` bytes at `offset`, or null.
    [[nodiscard]] uint8_t* bytes(uint32_t offset, uint32_t length) const {
        if (uint64_t{offset} + length > rte_pktmbuf_data_len(frame_)) return nullptr;
        return rte_pktmbuf_mtod_offset(frame_, uint8_t*, offset);
    }
    /// Bytes of the whole frame, all segments.
    [[nodiscard]] uint32_t length() const { return rte_pktmbuf_pkt_len(frame_); }
    [[nodiscard]] rte_mbuf* frame() const { return frame_; }

  private:
    rte_mbuf* frame_;
};

/// What is known of a packet. Written by parse, completed by route and firewall. Ports and lengths
/// are in host order; offsets in bytes from the start of the frame.
struct alignas(64) PacketMeta {
    enum Flag : uint32_t {
        kIpv4 = 1,
        kIpv6 = 2,
        kArp = 4,
        kFragment = 8,         ///< any fragment, the first included
        kLaterFragment = 16,   ///< offset > 0: no transport header in the frame
        kIpOptions = 32,       ///< IPv4 options or IPv6 extension headers
        kIcmpError = 64,       ///< carries a quoted packet: `inner_offset` is set
        kLocalOrigin = 128,    ///< made by the box itself; firewall and steering let it pass
        kL2Multicast = 256,    ///< to a group or broadcast MAC
        kWatched = 512,        ///< a trace or capture follows it
        kPorts = 1024,         ///< source_port and destination_port are known
        kDontFragment = 2048,  ///< IPv4 DF, or IPv6
        kForOtherMac = 4096,   ///< unicast, not to the receiving port's MAC
        kRouterAlert = 8192,   ///< IPv4 option 148 or IPv6 hop-by-hop router alert
        kEcho = 16384,         ///< ICMP echo: ports hold the identifier twice
        kSwapped = 32768,      ///< flow key: the source is the second endpoint
        kNonIp = 65536,        ///< neither IP nor ARP: only the ethertype is known
        kHashed = 131072,      ///< `hash` is valid
        kDestinationTranslated = 1 << 18,  ///< by nat; `nat_destination` is the one it came with
        kSourceTranslated = 1 << 19,       ///< by rewrite; `nat_source` is the one it came with
        kFromKernel = 1 << 20,          ///< beside kLocalOrigin: a frame the kernel made, by a TAP
        kProvenFlow = 1 << 21,          ///< of a flow that both sides took part in
        kSequenceTranslated = 1 << 22,  ///< numbers and timestamps by the SYN proxy
        kTunnelled = 1 << 23,   ///< came out of a tunnel; beside kLocalOrigin: goes into one
        kUnfinished = 1 << 24,  ///< first fragment whose others did not come: answered, not sent
        kChosenHop = 1 << 25,   ///< by route, from several: which ones can be reached decided
    };
    IpAddress source, destination;  // 32
    uint16_t source_port = 0, destination_port = 0;
    uint16_t l3_offset = 0, l4_offset = 0;  // l4: transport header, or where it would stand
    uint16_t payload_offset = 0;            // of TCP, UDP, ICMP payload
    uint16_t inner_offset = 0;              // ICMP errors: the quoted IP header
    uint32_t payload_length = 0;            // bytes of L4 payload by the IP length
    uint32_t flags = 0;
    uint32_t fragment_id = 0;
    uint16_t fragment_offset = 0;             // bytes
    uint16_t ethertype = 0;                   // after VLAN tags
    uint16_t vlan_outer = 0, vlan_inner = 0;  // TCI; 0: untagged
    uint8_t vlan_tags = 0, protocol = 0, ttl = 0, tcp_flags = 0;
    uint8_t icmp_type = 0, icmp_code = 0;
    uint8_t l3_length = 0;  // IPv4 header, in bytes
    uint8_t tos = 0;
    uint32_t l3_total = 0;  // IP packet length in bytes, header included
    PortId in_port = kNoPort, out_port = kNoPort;
    uint32_t rule = kNoRule;         // hit counter of the rule, once judged
    uint32_t hash = 0;               // symmetric over the flow key
    uint32_t next_hop = 0xffffffff;  // index into the route policy's next hops
    uint32_t watch_id = 0;
    uint16_t resume = 0;     // stage to resume after, when handed over; explain: owning worker
    uint8_t flow_state = 0;  // firewall's view, for trace
    uint8_t route_kind = 0;  // RouteKind of pipelines/stages/route
    // IPv4 address translation; host order, 0: none. An ICMP error has those of its quote's ports.
    uint32_t nat_destination = 0;  // what it came with
    uint32_t nat_source = 0;       // what it is to leave with; kSourceTranslated: what it came with
    uint16_t nat_destination_port = 0, nat_source_port = 0;
    /// Whom it is charged to; kNoPrincipal: nobody has said yet, and then it is `core`'s.
    sched::PrincipalId principal = sched::kNoPrincipal;

    [[nodiscard]] bool has(uint32_t any_of) const { return (flags & any_of) != 0; }
};
static_assert(sizeof(PacketMeta) == 128, "two cache lines; think before it grows");

/// Of a frame nothing is known of yet. The path copies it: compilers put PacketMeta{} together on
/// the stack, field by field, and wait for that to be in the cache before they copy it.
inline constinit const PacketMeta kFreshMeta{};

/// The mbuf's private area, where PacketMeta travels between workers. Pools reserve sizeof.
inline PacketMeta* travelling_meta(rte_mbuf* frame) {
    return static_cast<PacketMeta*>(rte_mbuf_to_priv(frame));
}

}  // namespace ravelin
