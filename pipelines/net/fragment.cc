// SPDX-License-Identifier: Apache-2.0
#include "pipelines/net/fragment.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/net/headers.h"
#include "dataplane/transmitter.h"
#include "pipelines/net/checksum.h"

namespace ravelin {
namespace {

constexpr uint32_t kEthernet = sizeof(net::Ethernet), kLongestIp = 60;
constexpr uint16_t kMore = 0x2000, kOffset = 0x1fff;
constexpr unsigned kMostPieces = 128;     // 65,535 bytes over an MTU of 576 with all options
constexpr uint32_t kCopiedPayload = 256;  // below, a copy is cheaper than two more buffers
constexpr uint8_t kEndOfOptions = 0, kNoOperation = 1, kCopiedFlag = 0x80;

/// Ethernet and IPv4 header of a piece.
struct Head {
    std::array<uint8_t, kEthernet + kLongestIp> bytes{};
    uint32_t ip_length = 0;

    [[nodiscard]] net::Ipv4 ip() const {
        net::Ipv4 out;
        std::memcpy(&out, bytes.data() + kEthernet, sizeof out);
        return out;
    }
    void set(net::Ipv4 ip) {
        ip.version_ihl = static_cast<uint8_t>(0x40 | ip_length / 4);
        ip.checksum = be16();
        std::memcpy(bytes.data() + kEthernet, &ip, sizeof ip);
        ip.checksum =
            net::checksum_finish(net::checksum_add(0, bytes.data() + kEthernet, ip_length));
        std::memcpy(bytes.data() + kEthernet, &ip, sizeof ip);
    }
};

/// The header of the second and later pieces: options whose copied flag is set (RFC 791 section
/// 3.1). Their lengths are as parse found them, in order; whatever else ends the list.
Head later_head(const Head& first) {
    Head out;
    std::memcpy(out.bytes.data(), first.bytes.data(), kEthernet + sizeof(net::Ipv4));
    const uint8_t* options = first.bytes.data() + kEthernet + sizeof(net::Ipv4);
    uint8_t* to = out.bytes.data() + kEthernet + sizeof(net::Ipv4);
    const uint32_t length = first.ip_length - static_cast<uint32_t>(sizeof(net::Ipv4));
    uint32_t kept = 0;
    for (uint32_t at = 0; at < length && options[at] != kEndOfOptions;) {
        if (options[at] == kNoOperation) {
            ++at;
            continue;
        }
        const uint32_t size = at + 1 < length ? options[at + 1] : 0;
        if (size < 2 || at + size > length) break;
        if ((options[at] & kCopiedFlag) != 0) {
            std::memcpy(to + kept, options + at, size);
            kept += size;
        }
        at += size;
    }
    out.ip_length = static_cast<uint32_t>(sizeof(net::Ipv4)) + (kept + 3) / 4 * 4;  // end: zero
    return out;
}

/// `length` bytes of `frame` from `offset` on, as buffers that point into its own.
rte_mbuf* slice(rte_mbuf* frame, uint32_t offset, uint32_t length, rte_mempool* pool) {
    rte_mbuf* head = nullptr;
    rte_mbuf* tail = nullptr;
    for (rte_mbuf* part = frame; part != nullptr && length != 0; part = part->next) {
        if (offset >= part->data_len) {
            offset -= part->data_len;
            continue;
        }
        rte_mbuf* piece = rte_pktmbuf_alloc(pool);
        if (piece == nullptr) {
            rte_pktmbuf_free(head);
            return nullptr;
        }
        rte_pktmbuf_attach(piece, part);
        const uint32_t n = std::min<uint32_t>(length, part->data_len - offset);
        piece->data_off = static_cast<uint16_t>(part->data_off + offset);
        piece->data_len = static_cast<uint16_t>(n);
        piece->pkt_len = n;
        if (head == nullptr) {
            head = piece;
        } else {
            tail->next = piece;
            head->pkt_len += n;
            ++head->nb_segs;
        }
        tail = piece;
        length -= n;
        offset = 0;
    }
    return head;
}

/// One piece: `head` and `length` bytes of the frame from `offset` on; null if there is no buffer.
rte_mbuf* make_piece(rte_mbuf* frame, const Head& head, uint32_t offset, uint32_t length,
                     bool pointing, rte_mempool* pool) {
    const auto before = static_cast<uint16_t>(kEthernet + head.ip_length);
    if (!pointing || length <= kCopiedPayload) {
        rte_mbuf* piece = rte_pktmbuf_copy(frame, pool, offset, length);
        auto* out = piece == nullptr ? nullptr : rte_pktmbuf_prepend(piece, before);
        if (out == nullptr) {
            rte_pktmbuf_free(piece);
            return nullptr;
        }
        std::memcpy(out, head.bytes.data(), before);
        return piece;
    }
    rte_mbuf* piece = rte_pktmbuf_alloc(pool);
    rte_mbuf* payload = piece == nullptr ? nullptr : slice(frame, offset, length, pool);
    if (payload == nullptr) {
        rte_pktmbuf_free(piece);
        return nullptr;
    }
    std::memcpy(rte_pktmbuf_append(piece, before), head.bytes.data(), before);
    piece->port = frame->port;
    piece->next = payload;
    piece->nb_segs = static_cast<uint16_t>(1 + payload->nb_segs);
    piece->pkt_len += payload->pkt_len;
    return piece;
}

/// All pieces of a packet, or none.
class Cut {
  public:
    Cut(rte_mbuf* frame, uint32_t l3_total, uint32_t mtu) : frame_(frame), mtu_(mtu) {
        const uint32_t there = std::min<uint32_t>(rte_pktmbuf_data_len(frame),
                                                  static_cast<uint32_t>(head_.bytes.size()));
        std::memcpy(head_.bytes.data(), rte_pktmbuf_mtod(frame, const uint8_t*), there);
        ip_ = head_.ip();
        head_.ip_length = ip_.header_length();
        before_ = kEthernet + head_.ip_length;
        payload_ = l3_total - head_.ip_length;
    }

    /// False (and nothing kept) if there is no buffer or no room.
    bool make(bool pointing, rte_mempool* pool) {
        const Head later = later_head(head_);
        for (uint32_t at = 0; at < payload_;) {
            Head& head = at == 0 ? head_ : (head_ = later);
            const uint32_t room = mtu_ > head.ip_length ? (mtu_ - head.ip_length) & ~7u : 0;
            const uint32_t left = payload_ - at;
            const uint32_t length = left + head.ip_length <= mtu_ ? left : room;
            if (length == 0 || count_ == kMostPieces) return give_up();
            label(head, at, length);
            pieces_[count_] = make_piece(frame_, head, before_ + at, length, pointing, pool);
            if (pieces_[count_] == nullptr) return give_up();
            ++count_;
            at += length;
        }
        return true;
    }
    [[nodiscard]] unsigned count() const { return count_; }
    [[nodiscard]] rte_mbuf* piece(unsigned i) const { return pieces_[i]; }

  private:
    void label(Head& head, uint32_t at, uint32_t length) {
        const uint16_t was = ip_.fragment.host();  // what comes may be a piece itself
        const bool last = at + length == payload_;
        net::Ipv4 ip = ip_;
        ip.total_length = be16(static_cast<uint16_t>(head.ip_length + length));
        ip.fragment =
            be16(static_cast<uint16_t>(((was & kOffset) + at / 8) | (last ? was & kMore : kMore)));
        head.set(ip);
    }
    bool give_up() {
        rte_pktmbuf_free_bulk(pieces_, count_);
        count_ = 0;
        return false;
    }

    rte_mbuf* frame_;
    uint32_t mtu_, before_ = 0, payload_ = 0;
    Head head_;
    net::Ipv4 ip_;
    unsigned count_ = 0;
    rte_mbuf* pieces_[kMostPieces];
};

}  // namespace

unsigned send_fragments(rte_mbuf* frame, uint32_t l3_total, uint32_t mtu, PortId port,
                        WorkerContext& context, sched::PrincipalId principal) noexcept {
    Cut cut(frame, l3_total, mtu);
    cut.make(context.transmitter->takes_segments(port), context.pool);
    rte_pktmbuf_free(frame);
    for (unsigned i = 0; i < cut.count(); ++i) context.transmit(cut.piece(i), port, principal);
    return cut.count();
}

}  // namespace ravelin
