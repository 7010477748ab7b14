// SPDX-License-Identifier: Apache-2.0
#include "pipelines/net/tcp_segment.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "pipelines/net/checksum.h"
#include "pipelines/net/reply_frame.h"

namespace ravelin {
namespace {

constexpr unsigned kMostOptions = 20;  // of those a draft may have
using Segment = std::array<uint8_t, sizeof(net::Tcp) + kMostOptions>;

/// Never longer than the same options in whatever order a SYN has them.
unsigned write_options(uint8_t* out, const net::TcpOptions& o) noexcept {
    unsigned n = 0;
    const auto put = [&](std::initializer_list<uint8_t> bytes) {
        for (const uint8_t byte : bytes) out[n++] = byte;
    };
    const auto put32 = [&](uint32_t value) {
        const be32 wire(value);
        std::memcpy(out + n, &wire, sizeof wire);
        n += sizeof wire;
    };
    if (o.segment_size != 0)
        put({net::kOptionSegmentSize, 4, static_cast<uint8_t>(o.segment_size >> 8),
             static_cast<uint8_t>(o.segment_size)});
    if (o.sack_permitted && !o.timestamps) put({net::kOptionNop, net::kOptionNop});
    if (o.sack_permitted) put({net::kOptionSackPermitted, 2});
    if (o.timestamps) {
        if (!o.sack_permitted) put({net::kOptionNop, net::kOptionNop});
        put({net::kOptionTimestamps, net::kTimestampsLength});
        put32(o.ts_value);
        put32(o.ts_echo);
    }
    if (o.window_scale >= 0)
        put({net::kOptionNop, net::kOptionWindowScale, 3, static_cast<uint8_t>(o.window_scale)});
    return n;
}

/// Returns its length.
unsigned write_segment(Segment& out, const TcpEnds& ends, const TcpDraft& draft) noexcept {
    const unsigned length = static_cast<unsigned>(sizeof(net::Tcp)) +
                            write_options(out.data() + sizeof(net::Tcp), draft.options);
    net::Tcp tcp{};
    tcp.source_port = be16(ends.source_port);
    tcp.destination_port = be16(ends.destination_port);
    tcp.sequence = be32(draft.sequence);
    tcp.acknowledgement = be32(draft.acknowledgement);
    tcp.data_offset = static_cast<uint8_t>(length / 4 << 4);
    tcp.flags = draft.flags;
    tcp.window = be16(draft.window);
    std::memcpy(out.data(), &tcp, sizeof tcp);
    const uint64_t pseudo =
        net::pseudo_header_sum(ends.source, ends.destination, net::kTcp, length);
    tcp.checksum = net::checksum_finish(net::checksum_add(pseudo, out.data(), length));
    std::memcpy(out.data(), &tcp, sizeof tcp);
    return length;
}

/// Changes bytes that a checksum covers. Offsets are from where its words begin.
class Editor {
  public:
    explicit Editor(uint8_t* base) : base_(base) {}
    [[nodiscard]] uint32_t read32(unsigned at) const noexcept {
        be32 value;
        std::memcpy(&value, base_ + at, sizeof value);
        return value.host();
    }
    void write32(unsigned at, uint32_t value) noexcept {
        const be32 wire(value);
        write(at, &wire, sizeof wire);
    }
    void add32(unsigned at, uint32_t what) noexcept {
        if (what != 0) write32(at, read32(at) + what);
    }
    /// 2 or 4 bytes. At an odd offset they count in the other half of a word (RFC 1071 section 2).
    void write(unsigned at, const void* bytes, unsigned length) noexcept {
        const auto part = [&](const void* from) {
            const uint16_t sum = net::checksum_fold(net::checksum_add(0, from, length));
            return at % 2 == 0 ? sum : __builtin_bswap16(sum);
        };
        change_ += uint64_t{static_cast<uint16_t>(~part(base_ + at))} + part(bytes);
        std::memcpy(base_ + at, bytes, length);
    }
    [[nodiscard]] be16 applied_to(be16 checksum) const noexcept {
        return net::checksum_finish(uint64_t{static_cast<uint16_t>(~checksum.raw())} + change_);
    }

  private:
    uint8_t* base_;
    uint64_t change_ = 0;
};

constexpr unsigned kSequenceAt = 4, kAckAt = 8, kWindowAt = 14, kChecksumAt = 16;

void shift_options(Editor& edit, uint8_t* tcp, unsigned header, const TcpShift& shift,
                   bool ack) noexcept {
    constexpr unsigned kFirst = sizeof(net::Tcp);
    net::each_tcp_option(
        tcp + kFirst, header - kFirst, [&](uint8_t kind, unsigned offset, unsigned length) {
            const unsigned at = kFirst + offset;
            if (kind == net::kOptionTimestamps && length == net::kTimestampsLength) {
                edit.add32(at + 2, shift.ts_value);
                if (ack) edit.add32(at + 6, shift.ts_echo);
            }
            if (kind != net::kOptionSack || !ack) return;
            if (shift.hide_sack) {
                constexpr uint8_t kNops[2]{net::kOptionNop, net::kOptionNop};
                for (unsigned i = 0; i + 2 <= length; i += 2) edit.write(at + i, kNops, 2);
                return;
            }
            for (unsigned i = 2; i + 4 <= length; i += 4) edit.add32(at + i, shift.acknowledgement);
        });
}

}  // namespace

TcpEnds ends_of_answer(const PacketMeta& m) noexcept {
    TcpEnds ends{m.destination, m.source, m.destination_port, m.source_port};
    if (!m.has(PacketMeta::kDestinationTranslated)) return ends;
    ends.source = IpAddress::v4(m.nat_destination);
    ends.source_port = m.nat_destination_port;
    return ends;
}

rte_mbuf* build_tcp(const Packet& packet, const PacketMeta& meta, const TcpEnds& ends,
                    const TcpDraft& draft, const WorkerContext& context) noexcept {
    rte_mbuf* frame = net::new_reply(packet, meta, context);
    if (frame == nullptr) return nullptr;
    Segment segment;
    const unsigned length = write_segment(segment, ends, draft);
    net::append_ip(frame, ends.source, ends.destination, net::kTcp, length, 0);
    auto* out = rte_pktmbuf_append(frame, static_cast<uint16_t>(length));
    if (out == nullptr) {
        rte_pktmbuf_free(frame);
        return nullptr;
    }
    std::memcpy(out, segment.data(), length);
    return frame;
}

rte_mbuf* with_tcp(const Packet& packet, PacketMeta& meta, const TcpDraft& draft,
                   rte_mempool* pool) noexcept {
    const uint8_t* before = packet.bytes(0, meta.l4_offset);
    rte_mbuf* frame = before == nullptr ? nullptr : rte_pktmbuf_alloc(pool);
    if (frame == nullptr) return nullptr;
    Segment segment;
    const unsigned length = write_segment(
        segment, {meta.source, meta.destination, meta.source_port, meta.destination_port}, draft);
    auto* out = reinterpret_cast<uint8_t*>(
        rte_pktmbuf_append(frame, static_cast<uint16_t>(meta.l4_offset + length)));
    if (out == nullptr) {
        rte_pktmbuf_free(frame);
        return nullptr;
    }
    std::memcpy(out, before, meta.l4_offset);
    std::memcpy(out + meta.l4_offset, segment.data(), length);
    frame->port = packet.frame()->port;
    meta.l3_total = uint32_t{meta.l4_offset} - meta.l3_offset + length;
    meta.payload_offset = static_cast<uint16_t>(meta.l4_offset + length);
    meta.payload_length = 0;
    meta.tcp_flags = draft.flags;
    const be16 total(static_cast<uint16_t>(meta.l3_total));
    if (auto* ip = Packet(frame).at<net::Ipv4>(meta.l3_offset); meta.has(PacketMeta::kIpv4)) {
        ip->checksum = net::updated_checksum(ip->checksum, ip->total_length.raw(), total.raw());
        ip->total_length = total;
    } else {
        auto* ip6 = Packet(frame).at<net::Ipv6>(meta.l3_offset);
        ip6->payload_length = be16(static_cast<uint16_t>(meta.l3_total - sizeof(net::Ipv6)));
    }
    return frame;
}

uint16_t rescaled(uint16_t window, uint8_t from, uint8_t to) noexcept {
    return static_cast<uint16_t>(std::min(uint32_t{window} << from >> to, 0xffffu));
}

void shift_tcp(const Packet& packet, const PacketMeta& meta, const TcpShift& shift) noexcept {
    unsigned length = 0;
    uint8_t* header = net::tcp_header(packet, meta, length);
    if (header == nullptr) return;
    auto* tcp = reinterpret_cast<net::Tcp*>(header);
    const bool ack = (tcp->flags & net::kAck) != 0;
    Editor edit(header);
    edit.add32(kSequenceAt, shift.sequence);
    if (ack) edit.add32(kAckAt, shift.acknowledgement);
    if (shift.window_from != shift.window_to) {
        const be16 window(rescaled(tcp->window.host(), shift.window_from, shift.window_to));
        edit.write(kWindowAt, &window, sizeof window);
    }
    shift_options(edit, header, length, shift, ack);
    tcp->checksum = edit.applied_to(tcp->checksum);
}

void shift_quoted_tcp(const Packet& packet, const PacketMeta& meta, uint32_t quoted_l4,
                      uint32_t sequence, uint32_t acknowledgement) noexcept {
    const uint32_t end = std::min<uint32_t>(uint32_t{meta.l3_offset} + meta.l3_total,
                                            rte_pktmbuf_data_len(packet.frame()));
    auto* icmp = packet.at<net::Icmp>(meta.l4_offset);
    if (icmp == nullptr || quoted_l4 + kAckAt > end) return;
    // The quote begins 8 bytes behind the ICMP header, and IP headers are of whole words.
    Editor edit(packet.bytes(quoted_l4, kAckAt));
    edit.add32(kSequenceAt, sequence);
    if (quoted_l4 + kAckAt + 4 <= end) edit.add32(kAckAt, acknowledgement);
    auto* checksum =
        quoted_l4 + kChecksumAt + 2 <= end ? packet.at<be16>(quoted_l4 + kChecksumAt) : nullptr;
    if (checksum != nullptr) {
        const be16 now = edit.applied_to(*checksum);
        edit.write(kChecksumAt, &now, sizeof now);
    }
    icmp->checksum = edit.applied_to(icmp->checksum);
}

}  // namespace ravelin
