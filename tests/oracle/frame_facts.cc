// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/frame_facts.h"

#include <algorithm>

namespace ravelin::oracle {
namespace {

using View = std::span<const uint8_t>;
constexpr size_t kEthernet = 14;

uint16_t word(View f, size_t at) { return static_cast<uint16_t>(f[at] << 8 | f[at + 1]); }
uint32_t dword(View f, size_t at) { return uint32_t{word(f, at)} << 16 | word(f, at + 2); }

bool read_v4(View f, FrameFacts& out) {
    if (f.size() < kEthernet + 20) return false;
    const size_t header = (f[kEthernet] & 15u) * 4;
    const uint16_t fragment = word(f, kEthernet + 6);
    out.source = IpAddress::v4(dword(f, kEthernet + 12));
    out.destination = IpAddress::v4(dword(f, kEthernet + 16));
    out.protocol = f[kEthernet + 9];
    out.ttl = f[kEthernet + 8];
    out.fragment_id = word(f, kEthernet + 4);
    out.fragment_offset = (fragment & 0x1fffu) * 8;
    out.more = (fragment & 0x2000) != 0;
    out.fragment = out.more || out.fragment_offset != 0;
    out.extensions = header > 20;
    out.l4 = kEthernet + header;
    out.end = std::min<size_t>(f.size(), kEthernet + word(f, kEthernet + 2));
    return header >= 20 && out.l4 <= out.end;
}

void read_fragment(View f, FrameFacts& out) {
    const uint16_t field = word(f, out.l4 + 2);
    out.fragment_offset = field & 0xfff8;
    out.more = (field & 1) != 0;
    out.fragment_id = dword(f, out.l4 + 4);
    out.fragment = out.more || out.fragment_offset != 0;
}

bool read_v6(View f, FrameFacts& out) {
    if (f.size() < kEthernet + 40) return false;
    out.source = IpAddress::v6(&f[kEthernet + 8]);
    out.destination = IpAddress::v6(&f[kEthernet + 24]);
    out.protocol = f[kEthernet + 6];
    out.ttl = f[kEthernet + 7];
    out.l4 = kEthernet + 40;
    out.end = std::min<size_t>(f.size(), out.l4 + word(f, kEthernet + 4));
    const auto extension = [](uint8_t p) {
        return p == 0 || p == 43 || p == 44 || p == 51 || p == 60;
    };
    while (extension(out.protocol) && !out.later_fragment()) {
        if (out.l4 + 8 > out.end) return true;
        const uint8_t now = out.protocol;
        out.late_hop_by_hop |= now == 0 && out.extensions;
        out.routing_zero |= now == 43 && f[out.l4 + 2] == 0;
        out.authentication |= now == 51;
        out.fragment_header |= now == 44;
        out.extensions = true;
        out.protocol = f[out.l4];
        if (now == 44) read_fragment(f, out);
        const size_t units = f[out.l4 + 1];
        out.l4 += now == 44 ? 8 : now == 51 ? (units + 2) * 4 : (units + 1) * 8;
    }
    return out.l4 <= out.end;
}

bool is_error(const FrameFacts& f) {
    if (!f.v4()) return f.icmp_type < 128;
    return (f.icmp_type >= 3 && f.icmp_type <= 5) || f.icmp_type == 11 || f.icmp_type == 12;
}

// Headers without extensions, as the generators quote them.
void read_quote(View f, FrameFacts& out) {
    const size_t at = out.l4 + 8;
    if (!is_error(out) || at + (out.v4() ? 20 : 40) > out.end) return;
    out.quotes_tcp = f[at + (out.v4() ? 9 : 6)] == 6;
    if (out.v4())
        out.quoted = {IpAddress::v4(dword(f, at + 12)), IpAddress::v4(dword(f, at + 16))};
    else
        out.quoted = {IpAddress::v6(&f[at + 8]), IpAddress::v6(&f[at + 24])};
}

void read_upper(View f, FrameFacts& out) {
    if (out.later_fragment() || out.l4 + 8 > out.end) return;
    const size_t at = out.l4;
    if (out.icmp()) {
        out.icmp_type = f[at];
        out.icmp_code = f[at + 1];
        out.has_upper = true;
        read_quote(f, out);
    } else if (out.protocol == 6 || out.protocol == 17 || out.protocol == 132) {
        out.source_port = word(f, at);
        out.destination_port = word(f, at + 2);
        out.has_upper = true;
    }
    if (out.protocol == 17) out.checksum = word(f, at + 6);
    if (out.protocol != 6 || at + 20 > out.end) return;
    out.seq = dword(f, at + 4);
    out.ack = dword(f, at + 8);
    out.tcp_flags = f[at + 13];
    const size_t header = (f[at + 12] >> 4) * 4u;
    if (at + header <= out.end) out.payload = static_cast<uint32_t>(out.end - at - header);
}

}  // namespace

std::optional<FrameFacts> read_frame(View frame) {
    FrameFacts out;
    if (frame.size() < kEthernet) return std::nullopt;
    const uint16_t type = word(frame, 12);
    const bool known = type == 0x0800   ? read_v4(frame, out)
                       : type == 0x86dd ? read_v6(frame, out)
                                        : false;
    if (!known) return std::nullopt;
    read_upper(frame, out);
    return out;
}

}  // namespace ravelin::oracle
