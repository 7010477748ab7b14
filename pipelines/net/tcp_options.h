// SPDX-License-Identifier: Apache-2.0
// TCP options (RFC 9293 section 3.2, RFC 7323, RFC 2018), read where they stand.
#pragma once
#include <cstdint>

#include "dataplane/net/headers.h"
#include "dataplane/packet.h"

namespace ravelin::net {

enum TcpOption : uint8_t {
    kOptionEnd = 0,
    kOptionNop = 1,
    kOptionSegmentSize = 2,
    kOptionWindowScale = 3,
    kOptionSackPermitted = 4,
    kOptionSack = 5,
    kOptionTimestamps = 8,
};
inline constexpr unsigned kTimestampsLength = 10, kSackBlockLength = 8;

/// Calls found(kind, offset, length) for each option of `length` bytes at `at`; the offset is that
/// of the option's kind, the length includes kind and length. A malformed list ends the walk, as a
/// receiver would.
template <typename Found>
void each_tcp_option(const uint8_t* at, unsigned length, Found&& found) noexcept {
    unsigned i = 0;
    while (i < length && at[i] != kOptionEnd) {
        if (at[i] == kOptionNop) {
            ++i;
            continue;
        }
        if (i + 1 >= length || at[i + 1] < 2 || i + at[i + 1] > length) return;
        found(at[i], i, unsigned{at[i + 1]});
        i += at[i + 1];
    }
}

/// The whole TCP header, or null: not all there, or not a header.
inline uint8_t* tcp_header(const Packet& packet, const PacketMeta& meta,
                           unsigned& length) noexcept {
    const auto* tcp = packet.at<Tcp>(meta.l4_offset);
    if (tcp == nullptr || tcp->header_length() < sizeof(Tcp)) return nullptr;
    length = tcp->header_length();
    if (uint32_t{meta.l4_offset} + length > uint32_t{meta.l3_offset} + meta.l3_total)
        return nullptr;
    return packet.bytes(meta.l4_offset, length);
}

/// What the ends of a connection tell each other. Host order.
struct TcpOptions {
    uint16_t segment_size = 0;  ///< 0: absent
    int8_t window_scale = -1;   ///< -1: absent
    bool sack_permitted = false, timestamps = false;
    uint32_t ts_value = 0, ts_echo = 0;
};
TcpOptions read_tcp_options(const Packet& packet, const PacketMeta& meta) noexcept;

}  // namespace ravelin::net
