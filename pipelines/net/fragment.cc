// SPDX-License-Identifier: Apache-2.0
#include "pipelines/net/fragment.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"

namespace ravelin {
namespace {

constexpr uint32_t kHeaders = sizeof(net::Ethernet) + sizeof(net::Ipv4);
constexpr uint16_t kMore = 0x2000, kOffset = 0x1fff;
constexpr unsigned kMostPieces = 64;  // 65,535 bytes over the smallest MTU of 1,280: 53

}  // namespace

unsigned send_fragments(rte_mbuf* frame, uint32_t l3_total, uint32_t mtu, PortId port,
                        WorkerContext& context) noexcept {
    const uint32_t payload = l3_total - static_cast<uint32_t>(sizeof(net::Ipv4));
    const uint32_t step = (mtu - static_cast<uint32_t>(sizeof(net::Ipv4))) & ~7u;
    uint8_t head[kHeaders];
    std::memcpy(head, rte_pktmbuf_mtod(frame, const uint8_t*), kHeaders);
    net::Ipv4 ip;
    std::memcpy(&ip, head + sizeof(net::Ethernet), sizeof ip);
    const uint16_t first = ip.fragment.host();  // what comes may be a fragment itself
    rte_mbuf* pieces[kMostPieces];
    unsigned n = 0;
    for (uint32_t at = 0; at < payload; at += step) {
        const uint32_t length = std::min(step, payload - at);
        rte_mbuf* piece = n == kMostPieces
                              ? nullptr
                              : rte_pktmbuf_copy(frame, context.pool, kHeaders + at, length);
        auto* out = piece == nullptr ? nullptr : rte_pktmbuf_prepend(piece, kHeaders);
        if (out == nullptr) {
            rte_pktmbuf_free(piece);
            rte_pktmbuf_free_bulk(pieces, n);
            rte_pktmbuf_free(frame);
            return 0;
        }
        const bool last = at + length == payload;
        ip.total_length = be16(static_cast<uint16_t>(sizeof ip + length));
        ip.fragment = be16(
            static_cast<uint16_t>(((first & kOffset) + at / 8) | (last ? first & kMore : kMore)));
        net::set_header_checksum(ip);
        std::memcpy(head + sizeof(net::Ethernet), &ip, sizeof ip);
        std::memcpy(out, head, kHeaders);
        pieces[n++] = piece;
    }
    rte_pktmbuf_free(frame);
    for (unsigned i = 0; i < n; ++i) context.transmit(pieces[i], port);
    return n;
}

}  // namespace ravelin
