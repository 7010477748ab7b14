// SPDX-License-Identifier: Apache-2.0
// What Shortcut reads of a frame that is not plain (arrivals.h): an untagged, whole TCP or UDP
// packet over IPv4 without options or IPv6 without extension headers, for a router's port. Only
// what differs from packet to packet is checked; what follows from its addresses, ports and the way
// it came was checked of an earlier one.
#pragma once
#include <rte_mbuf.h>

#include "dataplane/arrivals.h"
#include "dataplane/flow.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "dataplane/net/hop.h"

namespace ravelin::shortcut {

/// Which flows a frame has to do with.
enum class Bearing : uint8_t {
    kFlow,     ///< that of its key
    kPair,     ///< those between the key's addresses, which is all the key has
    kNone,     ///< one that no other kind of frame has to do with
    kUnknown,  ///< any
};

struct alignas(64) Head {
    FlowKey key;
    uint32_t hash = 0;
    uint32_t length = 0;  ///< bytes of L3
    uint16_t upper = 0;   ///< of these behind the IP header
    uint8_t l4 = 0;       ///< where that begins, from the start of the frame
    bool swapped = false;
    bool open = false;  ///< asks for nothing but to be sent on
    Bearing bearing = Bearing::kFlow;
};
static_assert(sizeof(Head) == 64);

inline constexpr uint8_t kV4Offset = sizeof(net::Ethernet) + sizeof(net::Ipv4);
inline constexpr uint8_t kV6Offset = sizeof(net::Ethernet) + sizeof(net::Ipv6);

/// The first 16 bytes of frames that a port may read so, compared as two words.
class Opening {
  public:
    explicit Opening(const MacAddress& own) noexcept {
        std::memcpy(&to_, own.bytes.data(), own.bytes.size());
    }
    /// To the port's own MAC, from one that is no group.
    [[nodiscard]] bool is_ours(const uint8_t* frame) const noexcept {
        return (word(frame) & 0x0001'ffff'ffff'ffff) == to_;
    }
    /// Ethertype and the first byte of the IP header behind it.
    static bool is_v4(const uint8_t* frame) noexcept {
        return (word(frame + 8) & 0x00ff'ffff'0000'0000) == 0x0045'0008'0000'0000;
    }
    static bool is_v6(const uint8_t* frame) noexcept {
        return (word(frame + 8) & 0x00f0'ffff'0000'0000) == 0x0060'dd86'0000'0000;
    }

  private:
    static uint64_t word(const uint8_t* at) noexcept {
        uint64_t v;
        std::memcpy(&v, at, sizeof v);
        return v;
    }
    uint64_t to_ = 0;
};

/// What a TCP or UDP header says of itself.
struct UpperHead {
    be16 checksum;
    uint8_t flags = 0;  ///< TCP's; of UDP 0
};

/// A connection's turns: a segment with ACK alone of these opens and ends nothing.
inline constexpr unsigned kTurns = net::kFin | net::kSyn | net::kRst | net::kAck;
constexpr bool is_steady(uint8_t tcp_flags) noexcept { return (tcp_flags & kTurns) == net::kAck; }

/// Of `length` bytes behind the IP header. False: neither, or its own lengths do not fit.
[[gnu::always_inline]] inline bool read_upper(const uint8_t* at, uint8_t protocol, uint32_t length,
                                              UpperHead& out) noexcept {
    if (protocol == net::kTcp) {
        const auto& tcp = *reinterpret_cast<const net::Tcp*>(at);
        if (length < sizeof tcp) return false;
        const unsigned header = tcp.header_length();
        if (header < sizeof tcp || header > length) return false;
        out = {tcp.checksum, tcp.flags};
        return true;
    }
    if (protocol != net::kUdp) return false;
    const auto& udp = *reinterpret_cast<const net::Udp*>(at);
    const unsigned stated = udp.length.host();
    if (stated < sizeof udp || stated > length) return false;
    out = {udp.checksum, 0};
    return true;
}

/// The sender has left its checksum to a NIC: `parse` completes it. `addresses`: their sum, as they
/// stand on the wire.
inline bool is_unfinished(const UpperHead& upper, uint8_t protocol, uint32_t length,
                          uint64_t addresses) noexcept {
    const uint64_t pseudo =
        addresses + be16(protocol).raw() + be16(static_cast<uint16_t>(length)).raw();
    return net::checksum_fold(pseudo) == upper.checksum.raw();
}

/// False: no sound TCP or UDP.
inline bool read_transport(const uint8_t* at, uint8_t protocol, uint64_t addresses,
                           Head& head) noexcept {
    UpperHead upper;
    if (!read_upper(at, protocol, head.upper, upper)) return false;
    head.open &= protocol == net::kUdp || is_steady(upper.flags);
    head.open &= !is_unfinished(upper, protocol, head.upper, addresses);
    return true;
}

// Inline, so that of IPv4 only the lower halves are compared.
[[gnu::always_inline]] inline void find_key(const uint8_t* at, const IpAddress& source,
                                            const IpAddress& destination, uint8_t protocol,
                                            Head& head) noexcept {
    const auto& ports = *reinterpret_cast<const net::Udp*>(at);  // TCP's stand at the same place
    FlowKey::make(head.key, source, destination, ports.source_port.host(),
                  ports.destination_port.host(), protocol, 0, head.swapped);
    head.hash = head.key.hash();
}

// IpAddress::v4() of what stands on the wire, without turning it around twice.
inline IpAddress mapped(be32 v4) noexcept {
    return std::bit_cast<IpAddress>(
        std::array{uint64_t{0}, uint64_t{v4.raw()} << 32 | FlowKey::kMapped});
}

/// A header without options that is sound, of a packet that is whole in a frame of `length` bytes,
/// no fragment, and has room for ports.
[[gnu::always_inline]] inline bool is_whole_v4(const net::Ipv4& ip, uint32_t length) noexcept {
    const uint32_t total = ip.total_length.host();
    return total <= length - sizeof(net::Ethernet) && total >= sizeof ip + sizeof(net::Udp) &&
           (ip.fragment.raw() & be16(0x3fff).raw()) == 0 &&
           net::checksum_fold(net::checksum_of_header(&ip)) == 0xffff;
}

[[gnu::always_inline]] inline bool read_v4(const uint8_t* frame, uint32_t length,
                                           Head& head) noexcept {
    const auto& ip = *reinterpret_cast<const net::Ipv4*>(frame + sizeof(net::Ethernet));
    if (!is_whole_v4(ip, length)) return false;
    head.length = ip.total_length.host();
    head.upper = static_cast<uint16_t>(head.length - sizeof ip);
    head.l4 = kV4Offset;
    head.open = ip.ttl > 1;
    const uint64_t addresses = uint64_t{ip.source.raw()} + ip.destination.raw();
    if (!read_transport(frame + kV4Offset, ip.protocol, addresses, head)) return false;
    find_key(frame + kV4Offset, mapped(ip.source), mapped(ip.destination), ip.protocol, head);
    return true;
}

inline bool read_v6(const uint8_t* frame, uint32_t length, Head& head) noexcept {
    const auto& ip = *reinterpret_cast<const net::Ipv6*>(frame + sizeof(net::Ethernet));
    if (length < kV6Offset + sizeof(net::Udp)) return false;
    head.upper = ip.payload_length.host();
    head.length = sizeof ip + head.upper;
    if (head.length > length - sizeof(net::Ethernet) || head.upper < sizeof(net::Udp)) return false;
    head.l4 = kV6Offset;
    head.open = ip.hop_limit > 1;
    // Mapped IPv4 addresses would make the key of an IPv4 flow (parse: mapped_address).
    const IpAddress source{ip.source}, destination{ip.destination};
    if (source.is_v4() || destination.is_v4()) return false;
    const uint64_t addresses = net::checksum_add(0, &ip.source, 2 * sizeof ip.source);
    if (!read_transport(frame + kV6Offset, ip.next_header, addresses, head)) return false;
    find_key(frame + kV6Offset, source, destination, ip.next_header, head);
    return true;
}

/// A frame of IPv6 as it leaves by a way: what `rewrite` does, and `parse` with Ethernet's padding.
/// `macs` as they stand in a frame, `length` in bytes of L3. Of IPv4: Arrivals::make_ready().
[[gnu::always_inline]] inline void make_ready_v6(rte_mbuf& frame,
                                                 const std::array<uint8_t, 12>& macs,
                                                 uint32_t length) noexcept {
    auto* at = rte_pktmbuf_mtod(&frame, uint8_t*);
    std::memcpy(at, macs.data(), macs.size());
    net::count_hop(*reinterpret_cast<net::Ipv6*>(at + sizeof(net::Ethernet)));
    frame.pkt_len = static_cast<uint32_t>(sizeof(net::Ethernet)) + length;
    frame.data_len = static_cast<uint16_t>(frame.pkt_len);
}

/// False: it is something else, and `head` says nothing of it.
/// Flat: the compiler would rather call what makes and hashes the key.
[[gnu::flatten]] inline bool read(const rte_mbuf& frame, const Opening& opening,
                                  Head& head) noexcept {
    if (frame.nb_segs != 1 || frame.data_len < kV4Offset + sizeof(net::Udp)) return false;
    const auto* at = rte_pktmbuf_mtod(&frame, const uint8_t*);
    if (!opening.is_ours(at)) return false;
    if (Opening::is_v4(at)) return read_v4(at, frame.data_len, head);
    return Opening::is_v6(at) && read_v6(at, frame.data_len, head);
}

/// What `head` says of a frame that read() does not: its bearing, and what goes with that.
void read_odd(const rte_mbuf& frame, Head& head) noexcept;

}  // namespace ravelin::shortcut
