// SPDX-License-Identifier: Apache-2.0
#include "pipelines/net/tcp_options.h"

#include <algorithm>
#include <cstring>

#include "dataplane/flow.h"

namespace ravelin::net {
namespace {

template <typename T>
auto host_at(const uint8_t* at) noexcept {
    T value;
    std::memcpy(&value, at, sizeof value);
    return value.host();
}

}  // namespace

TcpOptions read_tcp_options(const Packet& packet, const PacketMeta& meta) noexcept {
    TcpOptions out;
    unsigned header = 0;
    const uint8_t* tcp = tcp_header(packet, meta, header);
    if (tcp == nullptr) return out;
    const uint8_t* first = tcp + sizeof(Tcp);
    const auto length_left = static_cast<unsigned>(header - sizeof(Tcp));
    each_tcp_option(first, length_left, [&](uint8_t kind, unsigned at, unsigned length) {
        if (kind == kOptionSegmentSize && length == 4)
            out.segment_size = host_at<be16>(first + at + 2);
        if (kind == kOptionWindowScale && length == 3)
            out.window_scale = static_cast<int8_t>(std::min(first[at + 2], kMaxWindowScale));
        if (kind == kOptionSackPermitted && length == 2) out.sack_permitted = true;
        if (kind != kOptionTimestamps || length != kTimestampsLength) return;
        out.timestamps = true;
        out.ts_value = host_at<be32>(first + at + 2);
        out.ts_echo = host_at<be32>(first + at + 6);
    });
    return out;
}

}  // namespace ravelin::net
