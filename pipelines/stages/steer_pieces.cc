// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/steer_pieces.h"

#include <algorithm>
#include <utility>

#include "dataplane/limits.h"
#include "dataplane/net/headers.h"

namespace ravelin {
namespace {

constexpr uint16_t kMoreFragments4 = 0x2000, kMoreFragments6 = 1;

/// Where the fragment header of a first fragment stands: parse has walked there before.
uint32_t fragment_header_of(const Packet& packet, const PacketMeta& meta) noexcept {
    const auto* ip = packet.at<net::Ipv6>(meta.l3_offset);
    uint32_t at = meta.l3_offset + static_cast<uint32_t>(sizeof(net::Ipv6));
    uint8_t next = net::kFragment;
    if (ip != nullptr) next = ip->next_header;
    for (unsigned i = 0; next != net::kFragment && i < limits::kMaxExtensionHeaders; ++i) {
        const auto* extension = packet.at<net::Ipv6Extension>(at);
        if (extension == nullptr) break;
        // AH counts its length in 4 bytes, without the first two (RFC 4302 section 2.2).
        at += next == net::kAh ? (extension->length + 2u) * 4 : (extension->length + 1u) * 8;
        next = extension->next_header;
    }
    return at;
}

}  // namespace

FragmentExtent extent_of(const Packet& packet, const PacketMeta& meta) noexcept {
    const uint32_t end = meta.l3_offset + meta.l3_total;
    FragmentExtent extent{.start = meta.fragment_offset};
    uint32_t begin = meta.l4_offset;
    if (meta.has(PacketMeta::kIpv4)) {
        const auto* ip = packet.at<net::Ipv4>(meta.l3_offset);
        extent.last = ip != nullptr && (ip->fragment.host() & kMoreFragments4) == 0;
    } else {
        constexpr auto kHeader = static_cast<uint32_t>(sizeof(net::Ipv6Fragment));
        if (!meta.has(PacketMeta::kLaterFragment))
            begin = fragment_header_of(packet, meta) + kHeader;
        const auto* header = packet.at<net::Ipv6Fragment>(begin - kHeader);
        extent.last = header != nullptr && (header->offset_more.host() & kMoreFragments6) == 0;
    }
    extent.end = static_cast<uint16_t>(extent.start + end - begin);
    return extent;
}

PiecePool::PiecePool(unsigned pieces) : pieces_(new Piece[pieces]) {
    for (unsigned i = pieces; i-- > 0;) {
        pieces_[i].next = free_;
        free_ = static_cast<uint16_t>(i);
    }
}

PiecePool::Fit PiecePool::look(const List& list, const FragmentExtent& extent,
                               uint16_t& behind) const noexcept {
    behind = list.last;
    if (list.last == kNone || extent.start >= list.highest)
        return list.count < kMostPieces ? Fit::kNew : Fit::kTooMany;
    behind = kNone;
    bool touches = false;
    uint16_t run_start = 0, run_end = 0;  // pieces without a gap between them
    for (uint16_t at = list.first; at != kNone; at = pieces_[at].next) {
        const Piece& p = pieces_[at];
        if (p.start >= extent.end) break;
        if (p.start != run_end) run_start = p.start;
        run_end = p.end;
        if (extent.start >= p.end) {
            behind = at;
            continue;
        }
        touches = true;
        if (extent.start >= run_start && extent.end <= run_end) return Fit::kDuplicate;
    }
    if (touches) return Fit::kOverlap;
    return list.count < kMostPieces ? Fit::kNew : Fit::kTooMany;
}

void PiecePool::put(List& list, uint16_t behind, const FragmentExtent& extent,
                    rte_mbuf* frame) noexcept {
    const uint16_t at = free_;
    Piece& piece = pieces_[at];
    free_ = piece.next;
    uint16_t& link = behind == kNone ? list.first : pieces_[behind].next;
    piece = {.frame = frame, .start = extent.start, .end = extent.end, .next = link};
    link = at;
    if (piece.next == kNone) list.last = at;
    ++list.count;
    list.highest = std::max(list.highest, extent.end);
    list.covered = static_cast<uint16_t>(list.covered + extent.end - extent.start);
    join_next(list, at);
    if (behind != kNone) join_next(list, behind);
}

void PiecePool::join_next(List& list, uint16_t at) noexcept {
    Piece& piece = pieces_[at];
    const uint16_t other = piece.next;
    if (other == kNone) return;
    Piece& next = pieces_[other];
    if (piece.frame != nullptr || next.frame != nullptr || piece.end != next.start) return;
    piece.end = next.end;
    piece.next = next.next;
    if (list.last == other) list.last = at;
    --list.count;
    next.next = free_;
    free_ = other;
}

unsigned PiecePool::take_frames(List& list, rte_mbuf** out) noexcept {
    unsigned n = 0;
    for (uint16_t at = list.first; at != kNone; at = pieces_[at].next) {
        if (pieces_[at].frame == nullptr) continue;
        out[n++] = pieces_[at].frame;
        pieces_[at].frame = nullptr;
    }
    for (uint16_t at = list.first; at != kNone;) {
        const uint16_t count = list.count;
        join_next(list, at);
        if (list.count == count) at = pieces_[at].next;
    }
    return n;
}

rte_mbuf* PiecePool::take_first(const List& list) noexcept {
    if (list.first == kNone || pieces_[list.first].start != 0) return nullptr;
    return std::exchange(pieces_[list.first].frame, nullptr);
}

unsigned PiecePool::clear(List& list) noexcept {
    unsigned n = 0;
    for (uint16_t at = list.first; at != kNone;) {
        Piece& piece = pieces_[at];
        const uint16_t next = piece.next;
        if (piece.frame != nullptr) {
            rte_pktmbuf_free(piece.frame);
            piece.frame = nullptr;
            ++n;
        }
        piece.next = free_;
        free_ = at;
        at = next;
    }
    list = {};
    return n;
}

}  // namespace ravelin
