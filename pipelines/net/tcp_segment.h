// SPDX-License-Identifier: Apache-2.0
// Making TCP segments without a connection behind them, and shifting the numbers of those that
// pass. Used by the SYN proxy; resets are made here too.
#pragma once
#include <rte_mbuf.h>

#include <cstdint>

#include "dataplane/stage.h"
#include "pipelines/net/tcp_options.h"

namespace ravelin {

/// A segment without payload. Host order.
struct TcpDraft {
    uint32_t sequence = 0, acknowledgement = 0;
    uint16_t window = 0;
    uint8_t flags = 0;
    net::TcpOptions options{};
};

struct TcpEnds {
    IpAddress source, destination;
    uint16_t source_port = 0, destination_port = 0;
};
/// Of an answer to a packet, whose destination may have been translated on its way in.
TcpEnds ends_of_answer(const PacketMeta& meta) noexcept;

/// A new frame to whom `packet` came from: router mode without tags, wire mode with its tags and
/// MACs swapped. Null: no buffer.
rte_mbuf* build_tcp(const Packet& packet, const PacketMeta& meta, const TcpEnds& ends,
                    const TcpDraft& draft, const WorkerContext& context) noexcept;

/// A new frame with what stands before the TCP header of a whole packet, and the draft in place of
/// the rest; `meta` then describes it. Null: no buffer, and nothing has changed.
rte_mbuf* with_tcp(const Packet& packet, PacketMeta& meta, const TcpDraft& draft,
                   rte_mempool* pool) noexcept;

/// What is added to a segment's numbers.
struct TcpShift {
    uint32_t sequence = 0;
    uint32_t acknowledgement = 0;  ///< and the edges of SACK blocks; without ACK flag neither
    uint32_t ts_value = 0, ts_echo = 0;
    uint8_t window_from = 0, window_to = 0;  ///< scale it has, scale it is to have
    bool hide_sack = false;                  ///< SACK blocks become NOPs
};
/// The window field under another scale: never above what was meant.
uint16_t rescaled(uint16_t window, uint8_t from, uint8_t to) noexcept;
/// Changes the segment where it lies, its checksum by the difference (RFC 1624): what arrived
/// damaged leaves damaged. Timestamps: where the option is there; the echo only with ACK.
void shift_tcp(const Packet& packet, const PacketMeta& meta, const TcpShift& shift) noexcept;
/// Numbers of the segment that an ICMP error quotes at `quoted_l4`, as far as it is quoted, and the
/// checksums that cover it.
void shift_quoted_tcp(const Packet& packet, const PacketMeta& meta, uint32_t quoted_l4,
                      uint32_t sequence, uint32_t acknowledgement) noexcept;

}  // namespace ravelin
