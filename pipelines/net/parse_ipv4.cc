// SPDX-License-Identifier: Apache-2.0
// IPv4 (RFC 791): every length against every other, options, fragments.
#include "dataplane/net/checksum.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/parse.h"

namespace ravelin::net {
namespace {

constexpr uint8_t kEndOfOptions = 0, kNoOperation = 1, kLooseSourceRoute = 131,
                  kStrictSourceRoute = 137, kRouterAlertOption = 148;
constexpr unsigned kMostBytes = 65535;
constexpr unsigned kTcpHeaderBytes = 20;

ParseDrop parse_options(const uint8_t* options, unsigned length, PacketMeta& meta) noexcept {
    meta.flags |= PacketMeta::kIpOptions;
    for (unsigned at = 0; at < length && options[at] != kEndOfOptions;) {
        if (options[at] == kNoOperation) {
            ++at;
            continue;
        }
        if (at + 1 >= length || options[at + 1] < 2 || at + options[at + 1] > length)
            return ParseDrop::kIpOptions;
        if (options[at] == kLooseSourceRoute || options[at] == kStrictSourceRoute)
            return ParseDrop::kSourceRoute;
        if (options[at] == kRouterAlertOption) meta.flags |= PacketMeta::kRouterAlert;
        at += options[at + 1];
    }
    return ParseDrop::kNone;
}

ParseDrop parse_fragment(uint16_t field, PacketMeta& meta) noexcept {
    const bool more = (field & 0x2000) != 0;
    const unsigned offset = (field & 0x1fffu) * 8;
    const unsigned bytes = upper_length(meta);
    if (!more && offset == 0) return ParseDrop::kNone;
    meta.flags |= PacketMeta::kFragment;
    meta.fragment_offset = static_cast<uint16_t>(offset);
    if (bytes == 0 || (more && bytes % 8 != 0)) return ParseDrop::kFragmentMalformed;
    if (offset + bytes + meta.l3_length > kMostBytes) return ParseDrop::kFragmentOverflow;
    if (offset != 0) {
        meta.flags |= PacketMeta::kLaterFragment;
        // Offset 8 would overwrite the flags of a TCP header already judged (RFC 3128).
        if (meta.protocol == kTcp && offset < kTcpHeaderBytes) return ParseDrop::kFragmentTiny;
    }
    return ParseDrop::kNone;
}

void fill(const Ipv4& ip, PacketMeta& meta) noexcept {
    meta.flags |= PacketMeta::kIpv4;
    meta.source = IpAddress::v4(ip.source.host());
    meta.destination = IpAddress::v4(ip.destination.host());
    meta.protocol = ip.protocol;
    meta.ttl = ip.ttl;
    meta.tos = ip.tos;
    meta.fragment_id = ip.id.host();
    meta.l3_length = static_cast<uint8_t>(ip.header_length());
    meta.l3_total = ip.total_length.host();
    meta.l4_offset = static_cast<uint16_t>(meta.l3_offset + meta.l3_length);
    if ((ip.fragment.host() & 0x4000) != 0) meta.flags |= PacketMeta::kDontFragment;
}

}  // namespace

ParseDrop parse_ipv4(const Packet& packet, PacketMeta& meta) noexcept {
    const auto* ip = packet.at<Ipv4>(meta.l3_offset);
    if (ip == nullptr) return ParseDrop::kTruncated;
    if (ip->version_ihl >> 4 != 4) return ParseDrop::kIpVersion;
    const unsigned header = ip->header_length(), total = ip->total_length.host();
    if (header < sizeof *ip || header > total) return ParseDrop::kIpHeader;
    if (total > packet.length() - meta.l3_offset) return ParseDrop::kIpLength;
    const uint8_t* bytes = packet.bytes(meta.l3_offset, header);
    if (bytes == nullptr) return ParseDrop::kTruncated;
    if (checksum_fold(checksum_add(0, bytes, header)) != 0xffff) return ParseDrop::kIpChecksum;
    fill(*ip, meta);
    if (header > sizeof *ip) {
        const unsigned options = header - static_cast<unsigned>(sizeof *ip);
        if (const ParseDrop d = parse_options(bytes + sizeof *ip, options, meta);
            d != ParseDrop::kNone)
            return d;
    }
    return parse_fragment(ip->fragment.host(), meta);
}

}  // namespace ravelin::net
