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

/// Offsets in a frame. The mark, index and turn, stands behind the transport header.
inline constexpr unsigned kAtTotal = 16, kAtChecksum = 24, kAtAddresses = 26, kAtPorts = 34,
                          kAtUdpLength = 38, kAtSequence = 38, kAtFlags = 47, kTcpMark = 54,
                          kUdpMark = 42;
constexpr unsigned mark_of(uint8_t protocol) { return protocol == net::kTcp ? kTcpMark : kUdpMark; }
inline constexpr uint32_t kLeastFrame = 60;  ///< of Ethernet, without check sequence
inline constexpr unsigned kHeaderRoom = 64;  ///< bytes that write_frame() may write

/// What all frames of a side and a protocol have in common.
struct Template {
    alignas(64) uint8_t bytes[kHeaderRoom] = {};
    static Template make(const TapeHead& head, uint8_t side, uint8_t protocol) {
        Template t;
        const net::Ethernet ethernet{head.macs[side], head.gateways[side], be16(net::kEtherIpv4)};
        net::Ipv4 ip{};
        ip.version_ihl = 0x45;
        ip.ttl = 64;
        ip.protocol = protocol;
        net::Tcp tcp{};
        tcp.data_offset = 5 << 4;
        tcp.flags = net::kAck | net::kPsh;
        tcp.window = be16(64240);
        tcp.checksum = be16(0x1234);  // nobody on the path sums it up
        std::memcpy(t.bytes, &ethernet, sizeof ethernet);
        std::memcpy(t.bytes + 14, &ip, sizeof ip);
        if (protocol == net::kTcp) std::memcpy(t.bytes + 34, &tcp, sizeof tcp);
        return t;
    }
};

/// The header checksum of a flow's frames, for Descriptor::checksum.
inline be16 checksum_of(const Descriptor& flow, uint32_t frame_bytes) {
    net::Ipv4 ip{};
    ip.version_ihl = 0x45;
    ip.ttl = 64;
    ip.protocol = flow.protocol;
    ip.total_length = be16(static_cast<uint16_t>(frame_bytes - 14));
    ip.source = flow.source;
    ip.destination = flow.destination;
    return net::checksum_finish(net::checksum_of_header(&ip));
}

/// Writes the packet of `at`; its length in bytes. At most kHeaderRoom bytes are written.
inline uint32_t write_frame(uint8_t* to, const TapeHead& head, const Template& common,
                            const Descriptor& flow, const Moment& at) {
    std::memcpy(to, common.bytes, kHeaderRoom);
    uint64_t addresses;
    uint32_t ports;
    std::memcpy(&addresses, &flow.source, 8);
    std::memcpy(&ports, &flow.source_port, 4);
    if (at.side != 0) {
        addresses = addresses << 32 | addresses >> 32;
        ports = ports << 16 | ports >> 16;
    }
    uint32_t size = head.sizes[flow.size];
    be16 total(static_cast<uint16_t>(size - 14)), checksum = flow.checksum;
    if (flow.protocol == net::kTcp) {
        const bool life = head.program == Program::kSteps;
        const Segment s =
            life ? segment_of_step(at, size - kTcpMark) : segment_of_data(at, size - kTcpMark);
        if (life) {
            to[kAtFlags] = s.flags;
            const be16 shorter(static_cast<uint16_t>(40 + s.payload));
            const uint64_t sum = static_cast<uint16_t>(~checksum.raw()) +
                                 uint64_t{static_cast<uint16_t>(~total.raw())} + shorter.raw();
            checksum = net::checksum_finish(sum);
            total = shorter;
            size = std::max(kLeastFrame, kTcpMark + s.payload);
        }
        const be32 numbers[2]{be32(s.sequence), be32(s.acknowledgement)};
        std::memcpy(to + kAtSequence, numbers, 8);
    } else {
        const be16 length(static_cast<uint16_t>(size - 34));
        std::memcpy(to + kAtUdpLength, &length, 2);
    }
    std::memcpy(to + kAtTotal, &total, 2);
    std::memcpy(to + kAtChecksum, &checksum, 2);
    std::memcpy(to + kAtAddresses, &addresses, 8);
    std::memcpy(to + kAtPorts, &ports, 4);
    uint8_t* mark = to + mark_of(flow.protocol);
    const auto turn = static_cast<uint16_t>(at.turn);
    std::memcpy(mark, &at.index, 4);
    std::memcpy(mark + 4, &turn, 2);
    return size;
}

}  // namespace ravelin::perf
