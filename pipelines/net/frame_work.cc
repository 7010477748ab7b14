// SPDX-License-Identifier: Apache-2.0
// The two things parse may do to a frame: make its headers contiguous, complete its checksum.
#include <algorithm>
#include <cstring>

#include "dataplane/limits.h"
#include "dataplane/net/chain_checksum.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/parse.h"

namespace ravelin::net {
namespace {

/// Takes `n` bytes off the front of a chain of more than n bytes, freeing segments that get empty.
rte_mbuf* trim_front(rte_mbuf* frame, uint32_t n) noexcept {
    while (n >= frame->data_len && frame->next != nullptr) {
        rte_mbuf* next = frame->next;
        n -= frame->data_len;
        next->pkt_len = frame->pkt_len - frame->data_len;
        next->nb_segs = static_cast<uint16_t>(frame->nb_segs - 1);
        frame->next = nullptr;
        frame->nb_segs = 1;
        rte_pktmbuf_free_seg(frame);
        frame = next;
    }
    frame->data_off = static_cast<uint16_t>(frame->data_off + n);
    frame->data_len = static_cast<uint16_t>(frame->data_len - n);
    frame->pkt_len -= n;
    return frame;
}

/// Offset of the checksum within the transport header; 0 for a protocol without one.
constexpr unsigned checksum_offset(uint8_t protocol) {
    return protocol == kTcp                           ? 16
           : protocol == kUdp                         ? 6
           : protocol == kIcmp || protocol == kIcmpv6 ? 2
                                                      : 0;
}

bool is_tcp_or_udp(const PacketMeta& meta) noexcept {
    return meta.has(PacketMeta::kPorts) && !meta.has(PacketMeta::kFragment) &&
           (meta.protocol == kTcp || meta.protocol == kUdp);
}

/// Over transport header and payload.
std::optional<uint16_t> sum_upper(const Packet& packet, const PacketMeta& meta) noexcept {
    return checksum_chain(packet.frame(), meta.l4_offset, upper_length(meta));
}

uint64_t pseudo_sum(const PacketMeta& meta) noexcept {
    return pseudo_header_sum(meta.source, meta.destination, meta.protocol, upper_length(meta));
}

}  // namespace

bool upper_checksum_holds(const Packet& packet, const PacketMeta& meta) noexcept {
    const unsigned offset = checksum_offset(meta.protocol);
    if (offset == 0 || meta.has(PacketMeta::kFragment))
        return true;  // of fragments only the host can tell
    const auto* field = packet.at<be16>(meta.l4_offset + offset);
    if (field == nullptr) return true;
    // RFC 768: zero is no checksum; RFC 8200 section 8.1 forbids that over IPv6.
    if (meta.protocol == kUdp && field->raw() == 0) return meta.has(PacketMeta::kIpv4);
    const auto sum = sum_upper(packet, meta);
    const uint64_t pseudo = meta.protocol == kIcmp ? 0 : pseudo_sum(meta);
    return sum && checksum_fold(pseudo + *sum) == 0xffff;
}

bool complete_checksum(const Packet& packet, const PacketMeta& meta) noexcept {
    if (!is_tcp_or_udp(meta)) return false;
    auto* field = packet.at<be16>(meta.l4_offset + checksum_offset(meta.protocol));
    if (field == nullptr || field->raw() == 0) return false;
    const uint64_t pseudo = pseudo_sum(meta);
    if (field->raw() != checksum_fold(pseudo)) return false;
    // The field holds the pseudo-header's sum already: summing the segment includes it. A packet
    // that was complete and looks like this by chance (1 in 65,536) gets the value it had.
    const auto sum = sum_upper(packet, meta);
    if (!sum) return false;
    *field = be16::from_raw(static_cast<uint16_t>(~*sum));
    if (meta.protocol == kUdp && field->raw() == 0) *field = be16(0xffff);
    return true;
}

rte_mbuf* pull_up(rte_mbuf* frame, rte_mempool* pool) noexcept {
    const uint32_t need = std::min<uint32_t>(rte_pktmbuf_pkt_len(frame), limits::kPullUp);
    if (rte_pktmbuf_data_len(frame) >= need) return frame;
    rte_mbuf* head = rte_pktmbuf_alloc(pool);
    if (head == nullptr) return nullptr;
    const uint32_t total = rte_pktmbuf_pkt_len(frame);
    auto* to = rte_pktmbuf_mtod(head, uint8_t*);
    const void* from = rte_pktmbuf_read(frame, 0, need, to);
    if (from != to) std::memcpy(to, from, need);
    head->data_len = static_cast<uint16_t>(need);
    head->pkt_len = total;
    head->port = frame->port;
    head->ol_flags = frame->ol_flags & ~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT);
    head->hash = frame->hash;
    if (need == total) {
        rte_pktmbuf_free(frame);
        return head;
    }
    rte_mbuf* rest = trim_front(frame, need);
    head->next = rest;
    head->nb_segs = static_cast<uint16_t>(rest->nb_segs + 1);
    return head;
}

}  // namespace ravelin::net
