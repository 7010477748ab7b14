// SPDX-License-Identifier: Apache-2.0
// The frames of a tape: what stands in a packet follows from its flow, its side and its turn alone,
// so the port remembers nothing of any flow and can tell of any frame whether it is as it should.
#pragma once
#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "perf/replay/tape.h"

namespace ravelin::perf {

/// Which packet of a tape. `turn`: laps before this one; kSteps: lap * kLife + step.
struct Moment {
    uint32_t index = 0, turn = 0;
    uint8_t side = 0;  ///< 0 by lan, 1 by wan
};

/// The steps of a TCP connection: handshake, a segment of data each way, close from both sides.
inline constexpr uint32_t kHandshake = 3, kLife = 8;
/// Which side takes a step: SYN, SYN-ACK, ACK, data, data, FIN, FIN, ACK.
constexpr uint8_t side_of_step(uint32_t step) { return 0b01010010 >> step & 1; }

/// What of a TCP header changes from packet to packet; payload in bytes.
struct Segment {
    uint32_t sequence = 0, acknowledgement = 0;
    uint32_t payload = 0;
    uint8_t flags = 0;
};

/// The first sequence number of a side of a connection.
constexpr uint32_t initial_sequence(uint32_t index, uint32_t lap, uint8_t side) {
    return ((index + lap * 0x10001u) * 2654435761u) ^ (side == 0 ? 0x1234567u : 0x89abcdeu);
}

inline Segment segment_of_step(const Moment& at, uint32_t payload) {
    using enum net::TcpFlag;
    constexpr uint8_t kFlags[kLife] = {kSyn,        kSyn | kAck, kAck,        kAck | kPsh,
                                       kAck | kPsh, kFin | kAck, kFin | kAck, kAck};
    const uint32_t step = at.turn % kLife, lap = at.turn / kLife;
    const bool data = step == 3 || step == 4;
    // What each side has sent before this step.
    const uint32_t ours = (step > 1 ? 1 : 0) + (at.side == 0 ? step > 3 : step > 4) * payload +
                          (at.side == 0 && step > 5 ? 1 : 0);
    const uint32_t theirs =
        1 + (at.side == 0 ? step > 4 : step > 3) * payload + (at.side == 0 ? step > 6 : step > 5);
    Segment s;
    s.flags = kFlags[step];
    s.payload = data ? payload : 0;
    s.sequence = initial_sequence(at.index, lap, at.side) + ours;
    if (step != 0) s.acknowledgement = initial_sequence(at.index, lap, at.side ^ 1) + theirs;
    return s;
}

inline Segment segment_of_data(const Moment& at, uint32_t payload) {
    // Laps before this one in which the same side spoke, and the other one.
    const uint32_t own = at.turn / 2, other = (at.turn + 1) / 2;
    return {initial_sequence(at.index, 0, at.side) + 1 + own * payload,
            initial_sequence(at.index, 0, at.side ^ 1) + 1 + other * payload, payload,
            net::kAck | net::kPsh};
}

/// An address of a tape of IPv6: fd01:AAAA:AAAA::1 behind lan, 2a00:AAAA:AAAA::1 behind wan.
inline std::array<uint8_t, 16> v6_of(be32 address, bool wan) {
    std::array<uint8_t, 16> out{0xfd, 0x01};
    if (wan) out = {0x2a, 0x00};
    std::memcpy(&out[2], &address, sizeof address);
    out[15] = 1;
    return out;
}

/// Offsets in a frame. The mark, index and turn, stands behind the transport header.
struct Offsets {
    unsigned ip, length, protocol, hops, checksum, source, destination, transport;
    static constexpr Offsets of(Layout layout) {
        const unsigned ip = layout.tagged ? 18 : 14;
        if (layout.v6) return {ip, ip + 4, ip + 6, ip + 7, 0, ip + 8, ip + 24, ip + 40};
        return {ip, ip + 2, ip + 9, ip + 8, ip + 10, ip + 12, ip + 16, ip + 20};
    }
    [[nodiscard]] constexpr unsigned ports() const { return transport; }
    [[nodiscard]] constexpr unsigned udp_length() const { return transport + 4; }
    [[nodiscard]] constexpr unsigned sequence() const { return transport + 4; }
    [[nodiscard]] constexpr unsigned flags() const { return transport + 13; }
    [[nodiscard]] constexpr unsigned mark(uint8_t of) const {
        return transport + (of == net::kTcp ? 20u : 8u);
    }
    /// Of Ethernet, without check sequence, and with room for the mark of a TCP segment.
    [[nodiscard]] constexpr uint32_t least_frame() const {
        return std::max(60u, mark(net::kTcp) + 6);
    }
};
/// Bytes that write_frame() may write.
constexpr unsigned room_of(Layout layout) { return layout.v6 ? 96 : 64; }
inline constexpr unsigned kHeaderRoom = 96;  ///< the most of these
static_assert(Offsets::of({true, true}).least_frame() <= kHeaderRoom);
static_assert(Offsets::of({false, true}).least_frame() <= room_of({false, true}));

/// What all frames of a side and a protocol have in common.
struct Template {
    alignas(64) uint8_t bytes[128] = {};
    static Template make(const TapeHead& head, uint8_t side, uint8_t protocol) {
        Template t;
        const Offsets at = Offsets::of(head.layout);
        const be16 type(head.layout.v6 ? net::kEtherIpv6 : net::kEtherIpv4);
        const net::Ethernet ethernet{head.macs[side], head.gateways[side], be16(net::kEtherVlan)};
        const net::VlanTag tag{be16(head.vlans[side]), type};
        std::memcpy(t.bytes, &ethernet, sizeof ethernet);
        if (head.layout.tagged) std::memcpy(t.bytes + sizeof ethernet, &tag, sizeof tag);
        std::memcpy(t.bytes + at.ip - sizeof type, &type, sizeof type);
        if (head.layout.v6)
            write_v6(t.bytes + at.ip, side, protocol);
        else
            write_v4(t.bytes + at.ip, protocol);
        write_transport(t.bytes + at.transport, protocol, head.layout.v6);
        return t;
    }

  private:
    static void write_v4(uint8_t* to, uint8_t protocol) {
        net::Ipv4 ip{};
        ip.version_ihl = 0x45;
        ip.ttl = 64;
        ip.protocol = protocol;
        std::memcpy(to, &ip, sizeof ip);
    }
    static void write_v6(uint8_t* to, uint8_t side, uint8_t protocol) {
        net::Ipv6 ip{};
        ip.version_class_flow = be32(6u << 28);
        ip.hop_limit = 64;
        ip.next_header = protocol;
        ip.source = v6_of({}, side != 0);
        ip.destination = v6_of({}, side == 0);
        std::memcpy(to, &ip, sizeof ip);
    }
    // Nobody on the path sums it up; UDP over IPv6 must have one (RFC 8200 section 8.1).
    static void write_transport(uint8_t* to, uint8_t protocol, bool v6) {
        constexpr be16 kSomeSum(0x1234);
        net::Tcp tcp{};
        tcp.data_offset = 5 << 4;
        tcp.flags = net::kAck | net::kPsh;
        tcp.window = be16(64240);
        tcp.checksum = kSomeSum;
        net::Udp udp{};
        if (v6) udp.checksum = kSomeSum;
        if (protocol == net::kTcp)
            std::memcpy(to, &tcp, sizeof tcp);
        else
            std::memcpy(to, &udp, sizeof udp);
    }
};

/// The IPv4 header checksum of a flow's frames, for Descriptor::checksum.
inline be16 checksum_of(const Descriptor& flow, uint32_t frame_bytes, Layout layout = {}) {
    net::Ipv4 ip{};
    ip.version_ihl = 0x45;
    ip.ttl = 64;
    ip.protocol = flow.protocol;
    ip.total_length = be16(static_cast<uint16_t>(frame_bytes - Offsets::of(layout).ip));
    ip.source = flow.source;
    ip.destination = flow.destination;
    return net::checksum_finish(net::checksum_of_header(&ip));
}

/// Writes the packet of `at`; its length in bytes. At most room_of() bytes are written.
template <bool V6, bool Tagged>
uint32_t write_frame_as(uint8_t* to, const TapeHead& head, const Template& common,
                        const Descriptor& flow, const Moment& at) {
    constexpr Offsets k = Offsets::of({V6, Tagged});
    std::memcpy(to, common.bytes, room_of({V6, Tagged}));
    uint64_t addresses;
    uint32_t ports;
    std::memcpy(&addresses, &flow.source, 8);
    std::memcpy(&ports, &flow.source_port, 4);
    if (at.side != 0) {
        addresses = addresses << 32 | addresses >> 32;
        ports = ports << 16 | ports >> 16;
    }
    uint32_t size = head.sizes[flow.size];
    // IPv4 counts its own header, IPv6 does not.
    constexpr unsigned kCounted = V6 ? k.transport : k.ip;
    be16 length(static_cast<uint16_t>(size - kCounted)), checksum = flow.checksum;
    if (flow.protocol == net::kTcp) {
        constexpr unsigned kMark = k.mark(net::kTcp);
        const bool life = head.program == Program::kSteps;
        const Segment s =
            life ? segment_of_step(at, size - kMark) : segment_of_data(at, size - kMark);
        if (life) {
            to[k.flags()] = s.flags;
            const be16 shorter(static_cast<uint16_t>(kMark - kCounted + s.payload));
            const uint64_t sum = static_cast<uint16_t>(~checksum.raw()) +
                                 uint64_t{static_cast<uint16_t>(~length.raw())} + shorter.raw();
            checksum = net::checksum_finish(sum);
            length = shorter;
            size = std::max(k.least_frame(), kMark + s.payload);
        }
        const be32 numbers[2]{be32(s.sequence), be32(s.acknowledgement)};
        std::memcpy(to + k.sequence(), numbers, 8);
    } else {
        const be16 udp_length(static_cast<uint16_t>(size - k.transport));
        std::memcpy(to + k.udp_length(), &udp_length, 2);
    }
    std::memcpy(to + k.length, &length, 2);
    if constexpr (V6) {
        std::memcpy(to + k.source + 2, &addresses, 4);
        std::memcpy(to + k.destination + 2, reinterpret_cast<const uint8_t*>(&addresses) + 4, 4);
    } else {
        std::memcpy(to + k.checksum, &checksum, 2);
        std::memcpy(to + k.source, &addresses, 8);
    }
    std::memcpy(to + k.ports(), &ports, 4);
    uint8_t* mark = to + k.mark(flow.protocol);
    const auto turn = static_cast<uint16_t>(at.turn);
    std::memcpy(mark, &at.index, 4);
    std::memcpy(mark + 4, &turn, 2);
    return size;
}

/// Calls work.template operator()<V6, Tagged>() as the layout says.
template <typename Work>
auto with_layout(Layout layout, Work work) {
    if (layout.v6)
        return layout.tagged ? work.template operator()<true, true>()
                             : work.template operator()<true, false>();
    return layout.tagged ? work.template operator()<false, true>()
                         : work.template operator()<false, false>();
}

inline uint32_t write_frame(uint8_t* to, const TapeHead& head, const Template& common,
                            const Descriptor& flow, const Moment& at) {
    return with_layout(head.layout, [&]<bool V6, bool Tagged>() {
        return write_frame_as<V6, Tagged>(to, head, common, flow, at);
    });
}

}  // namespace ravelin::perf
