// SPDX-License-Identifier: Apache-2.0
// TCP connection tracking from the middle: which segments belong to a connection both ends would
// recognise. Window checks after G. van Rooij, "Real Stateful TCP Packet Filtering in IP Filter"
// (2001); resets and stray SYNs as RFC 5961 has the ends treat them. Also the plain request/answer
// tracking of UDP, ICMP and the rest, and the idle timeout of every state. A few dozen
// instructions on the flow's second cache line; no clock, no allocation. Flow is trivially
// copyable: for a dry run, track on a copy.
#pragma once
#include <array>
#include <cstdint>

#include "dataplane/flow.h"

namespace ravelin {

/// Header flag bits as on the wire (RFC 9293 section 3.1).
enum TcpFlag : uint16_t {
    kTcpFin = 0x01,
    kTcpSyn = 0x02,
    kTcpRst = 0x04,
    kTcpPsh = 0x08,
    kTcpAck = 0x10,
    kTcpUrg = 0x20,
    kTcpEce = 0x40,
    kTcpCwr = 0x80,
};

/// What the tracker needs of a segment, in host order.
struct TcpSegment {
    uint32_t seq = 0;
    uint32_t ack = 0;          ///< meaningful with kTcpAck only
    uint32_t payload_len = 0;  ///< bytes, without SYN and FIN
    uint16_t window = 0;       ///< as in the header, unscaled
    uint16_t flags = 0;        ///< TcpFlag
    int8_t wscale = -1;        ///< window scale option, -1 if absent
    bool sack_permitted = false;

    [[nodiscard]] bool has(uint16_t flag) const noexcept { return (flags & flag) != 0; }
    /// Sequence number after the segment; SYN and FIN count one each.
    [[nodiscard]] uint32_t end() const noexcept {
        return seq + payload_len + (has(kTcpSyn) ? 1u : 0u) + (has(kTcpFin) ? 1u : 0u);
    }
};

enum class TcpVerdict : uint8_t {
    ok,              ///< pass
    new_ok,          ///< pass: the SYN that opens the connection
    syn_retransmit,  ///< pass: the opening SYN again
    challenge_ack,   ///< pass, state kept: the receiving end will answer with a challenge ACK, or
                     ///< this is such an answer (RFC 5961 sections 3, 4; RFC 9293 section 3.5.1)
    reuse,           ///< a new connection on a finished one's ports (RFC 6191): remove the flow,
                     ///< insert one whose originator is the sender, track again
    invalid_flags,   ///< drop: no stack sends this combination
    out_of_window,   ///< drop: sequence or acknowledgment number is impossible
    invalid_state,   ///< drop: no connection such a segment could belong to
};
constexpr bool passes(TcpVerdict v) noexcept { return v <= TcpVerdict::challenge_ack; }

/// What becomes of segments outside the window, for paths that see one direction only or devices
/// that rewrite sequence numbers.
enum class TcpWindow : uint8_t {
    strict,  ///< dropped
    loose,   ///< pass and move the state, but resets (nf_conntrack_tcp_be_liberal)
    off      ///< resets, and answers to another SYN, too: states alone are checked
};

/// Judges one segment and moves the flow's state; a dropped segment changes nothing. The first
/// segment of a fresh flow (FlowState::none) must come with Direction::originator.
TcpVerdict tcp_track(Flow& flow, Direction direction, const TcpSegment& segment,
                     TcpWindow window = TcpWindow::strict) noexcept;

/// The same for UDP, ICMP and other protocols: none -> request -> replied -> stream.
void datagram_track(Flow& flow, Direction direction) noexcept;

/// The responder has shown that it takes part: a TCP handshake completed both ways, or an answer
/// was seen. Once true, call FlowTable::prove.
[[nodiscard]] inline bool earned_proof(const Flow& flow) noexcept {
    if (flow.key.protocol == 6) return (flow.tcp_flags[0] & flow.tcp_flags[1] & kTcpAckSeen) != 0;
    return flow.state == FlowState::replied || flow.state == FlowState::stream;
}

/// Idle timeouts in ms. TCP defaults: RFC 5382 REQ-5 (established at least 2 h 4 min, partially
/// open or closed at least 4 min); time_wait and closed as nf_conntrack has them.
struct Timeouts {
    uint32_t tcp_syn_sent = 240'000;       // nf_conntrack: 120 s
    uint32_t tcp_syn_received = 240'000;   // 60 s
    uint32_t tcp_established = 7'440'000;  // 5 days
    uint32_t tcp_fin_wait = 240'000;       // 120 s
    uint32_t tcp_close_wait = 240'000;     // 60 s
    uint32_t tcp_last_ack = 240'000;       // 30 s
    uint32_t tcp_time_wait = 120'000;
    uint32_t tcp_closed = 10'000;
    uint32_t udp = 30'000;          // request, or answered once; as nf_conntrack
    uint32_t udp_stream = 180'000;  // RFC 4787 REQ-5: at least 2 min; nf_conntrack: 120 s
    uint32_t icmp = 30'000;
    uint32_t other = 600'000;

    /// For the flow's protocol and state.
    [[nodiscard]] uint32_t of(const Flow& flow) const noexcept {
        return flow.state == FlowState::tcp_established ? tcp_established : of_other(flow);
    }

  private:
    [[nodiscard]] uint32_t of_other(const Flow& flow) const noexcept;
};

}  // namespace ravelin
