// SPDX-License-Identifier: Apache-2.0
// IPv6 (RFC 8200): the header chain up to the transport header, of bounded length.
#include "dataplane/limits.h"
#include "dataplane/net/headers.h"
#include "pipelines/net/parse.h"

namespace ravelin::net {
namespace {

constexpr uint8_t kPad1 = 0, kRouterAlertOption = 5, kJumboOption = 0xc2;
constexpr unsigned kMostBytes = 65535;

/// The walk along the chain. `offset` is where `next` stands; `end` is the packet's.
struct Chain {
    uint32_t offset = 0, end = 0;
    uint8_t next = 0;
    bool seen_fragment = false;
};

ParseDrop parse_hop_by_hop(const uint8_t* header, unsigned length, PacketMeta& meta) noexcept {
    for (unsigned at = 2; at < length;) {
        if (header[at] == kPad1) {
            ++at;
            continue;
        }
        if (at + 1 >= length || at + 2 + header[at + 1] > length)
            return ParseDrop::kExtensionLength;
        if (header[at] == kJumboOption) return ParseDrop::kJumbogram;
        if (header[at] == kRouterAlertOption) meta.flags |= PacketMeta::kRouterAlert;
        at += 2u + header[at + 1];
    }
    return ParseDrop::kNone;
}

ParseDrop parse_fragment(const Packet& packet, PacketMeta& meta, Chain& chain) noexcept {
    const auto* fragment = packet.at<Ipv6Fragment>(chain.offset);
    if (chain.offset + sizeof *fragment > chain.end) return ParseDrop::kExtensionLength;
    if (fragment == nullptr) return ParseDrop::kTruncated;
    if (chain.seen_fragment) return ParseDrop::kExtensionOrder;
    chain.seen_fragment = true;
    chain.offset += static_cast<uint32_t>(sizeof *fragment);
    chain.next = fragment->next_header;
    meta.fragment_id = fragment->id.host();
    const bool more = (fragment->offset_more.host() & 1) != 0;
    const unsigned offset = fragment->offset_more.host() & 0xfff8u,
                   bytes = chain.end - chain.offset;
    if (!more && offset == 0) return ParseDrop::kNone;  // atomic: a whole packet (RFC 6946)
    meta.flags |= PacketMeta::kFragment;
    meta.fragment_offset = static_cast<uint16_t>(offset);
    if (bytes == 0 || (more && bytes % 8 != 0)) return ParseDrop::kFragmentMalformed;
    if (offset + bytes > kMostBytes) return ParseDrop::kFragmentOverflow;
    if (offset != 0) meta.flags |= PacketMeta::kLaterFragment;
    return ParseDrop::kNone;
}

/// Any other extension header: its length in 8 bytes, AH's in 4 (RFC 4302 section 2.2).
ParseDrop skip_header(const Packet& packet, PacketMeta& meta, Chain& chain) noexcept {
    const auto* header = packet.at<Ipv6Extension>(chain.offset);
    if (chain.offset + sizeof *header > chain.end) return ParseDrop::kExtensionLength;
    if (header == nullptr) return ParseDrop::kTruncated;
    const unsigned length =
        chain.next == kAh ? (header->length + 2u) * 4 : (header->length + 1u) * 8;
    if (chain.offset + length > chain.end) return ParseDrop::kExtensionLength;
    const uint8_t* bytes = packet.bytes(chain.offset, length);
    if (bytes == nullptr) return ParseDrop::kTruncated;
    if (chain.next == kRouting && bytes[2] == 0) return ParseDrop::kRoutingHeader0;
    if (chain.next == kHopByHop)
        if (const ParseDrop d = parse_hop_by_hop(bytes, length, meta); d != ParseDrop::kNone)
            return d;
    chain.next = header->next_header;
    chain.offset += length;
    return ParseDrop::kNone;
}

constexpr bool is_extension(uint8_t protocol) {
    return protocol == kHopByHop || protocol == kRouting || protocol == kFragment ||
           protocol == kAh || protocol == kDestinationOptions;
}

ParseDrop walk(const Packet& packet, PacketMeta& meta, Chain& chain) noexcept {
    for (unsigned n = 0; is_extension(chain.next) && !meta.has(PacketMeta::kLaterFragment); ++n) {
        if (n == limits::kMaxExtensionHeaders) return ParseDrop::kTooManyExtensions;
        if (chain.next == kHopByHop && n != 0) return ParseDrop::kExtensionOrder;
        meta.flags |= PacketMeta::kIpOptions;
        const ParseDrop d = chain.next == kFragment ? parse_fragment(packet, meta, chain)
                                                    : skip_header(packet, meta, chain);
        if (d == ParseDrop::kNone) continue;
        // A first fragment must hold the whole chain (RFC 7112 section 5).
        const bool cut = d == ParseDrop::kExtensionLength && meta.has(PacketMeta::kFragment);
        return cut ? ParseDrop::kFragmentTiny : d;
    }
    return ParseDrop::kNone;
}

bool is_mapped(const std::array<uint8_t, 16>& address) noexcept {
    return IpAddress{address}.is_v4();
}

}  // namespace

ParseDrop parse_ipv6(const Packet& packet, PacketMeta& meta) noexcept {
    const auto* ip = packet.at<Ipv6>(meta.l3_offset);
    if (ip == nullptr) return ParseDrop::kTruncated;
    const uint32_t first_word = ip->version_class_flow.host();
    if (first_word >> 28 != 6) return ParseDrop::kIpVersion;
    meta.l3_total = static_cast<uint32_t>(sizeof *ip) + ip->payload_length.host();
    if (meta.l3_total > packet.length() - meta.l3_offset) return ParseDrop::kIpLength;
    // Mapped addresses are how this program writes IPv4: let in, they would pass for it.
    if (is_mapped(ip->source) || is_mapped(ip->destination)) return ParseDrop::kMappedAddress;
    meta.flags |= PacketMeta::kIpv6 | PacketMeta::kDontFragment;
    meta.source = IpAddress{ip->source};
    meta.destination = IpAddress{ip->destination};
    meta.tos = static_cast<uint8_t>(first_word >> 20);
    meta.ttl = ip->hop_limit;
    // A payload of zero with options ahead is how RFC 2675 section 2 marks jumbograms.
    if (ip->payload_length.host() == 0 && ip->next_header == kHopByHop)
        return ParseDrop::kJumbogram;
    Chain chain{.offset = meta.l3_offset + static_cast<uint32_t>(sizeof *ip),
                .end = meta.l3_offset + meta.l3_total,
                .next = ip->next_header};
    const ParseDrop d = walk(packet, meta, chain);
    meta.l3_length = sizeof *ip;
    meta.protocol = chain.next;
    meta.l4_offset = static_cast<uint16_t>(chain.offset);
    return d;
}

}  // namespace ravelin::net
