// SPDX-License-Identifier: Apache-2.0
// Beside checksum.h: the sum over a frame of several segments.
#pragma once
#include <rte_mbuf.h>

#include <algorithm>
#include <optional>

#include "dataplane/net/checksum.h"

namespace ravelin::net {

/// Folded sum of `length` bytes from `at` on; nothing where they are not all there.
/// rte_raw_cksum_mbuf of 22.11 cuts unfolded sums of segments at odd offsets to 16 bits.
inline std::optional<uint16_t> checksum_chain(const rte_mbuf* frame, uint32_t at,
                                              uint32_t length) noexcept {
    uint32_t done = 0;
    uint64_t sum = 0;
    for (const rte_mbuf* part = frame; part != nullptr && done != length; part = part->next) {
        if (at >= part->data_len) {
            at -= part->data_len;
            continue;
        }
        const uint32_t n = std::min<uint32_t>(length - done, part->data_len - at);
        const uint16_t piece =
            checksum_fold(checksum_add(0, rte_pktmbuf_mtod_offset(part, const uint8_t*, at), n));
        sum += done % 2 == 0 ? piece : __builtin_bswap16(piece);  // RFC 1071 section 2 (B)
        at = 0;
        done += n;
    }
    if (done != length) return std::nullopt;
    return checksum_fold(sum);
}

}  // namespace ravelin::net
