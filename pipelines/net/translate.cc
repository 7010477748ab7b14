// SPDX-License-Identifier: Apache-2.0
#include "pipelines/net/translate.h"

#include <utility>

#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"

namespace ravelin {
namespace {

constexpr uint8_t kDccp = 33, kUdpLite = 136;
constexpr uint8_t kEchoReply = 0, kEchoRequest = 8;
constexpr unsigned kEchoIdentifier = 4;

enum class End : uint8_t { kSource, kDestination };

/// What a checksum has to be told of changed words: the sum of ~before + after.
class Change {
  public:
    void set(be16& field, be16 value) noexcept {
        sum_ += uint64_t{static_cast<uint16_t>(~field.raw())} + value.raw();
        field = value;
    }
    void set(be32& field, be32 value) noexcept {
        const uint32_t before = ~field.raw(), after = value.raw();
        sum_ += uint64_t{before & 0xffff} + (before >> 16) + (after & 0xffff) + (after >> 16);
        field = value;
    }
    void add(const Change& other) noexcept { sum_ += other.sum_; }
    [[nodiscard]] be16 applied_to(be16 checksum) const noexcept {
        return net::checksum_finish(uint64_t{static_cast<uint16_t>(~checksum.raw())} + sum_);
    }

  private:
    uint64_t sum_ = 0;
};

/// Where a transport header has its checksum and what that covers.
struct Cover {
    unsigned checksum = 0;       ///< offset; 0: none that translation touches
    bool addresses = false;      ///< by its pseudo-header
    bool may_be_absent = false;  ///< UDP: zero says so (RFC 768)
};
Cover cover_of(uint8_t protocol) noexcept {
    switch (protocol) {
        case net::kTcp:
            return {16, true, false};
        case net::kUdp:
            return {6, true, true};
        case kUdpLite:  // RFC 3828 section 3.1
        case kDccp:     // RFC 4340 section 9.1
            return {6, true, false};
        case net::kIcmp:
            return {2, false, false};
        default:
            return {};  // SCTP's covers no address (RFC 9260), and its ports are never changed
    }
}

/// The field of `end`'s port at the transport header, or null where there is none within `end_at`.
be16* port_field(const Packet& packet, uint32_t l4, uint32_t end_at, uint8_t protocol,
                 End end) noexcept {
    unsigned at = end == End::kSource ? 0 : 2;
    if (protocol == net::kIcmp) {
        const uint8_t* type = packet.bytes(l4, 1);
        if (type == nullptr || (*type != kEchoReply && *type != kEchoRequest)) return nullptr;
        at = kEchoIdentifier;
    } else if (protocol != net::kTcp && protocol != net::kUdp) {
        return nullptr;
    }
    return l4 + at + 2 > end_at ? nullptr : packet.at<be16>(l4 + at);
}

/// One header with what follows it, `end_at` being where the packet or quote ends. Returns the
/// change of all its bytes, for a checksum around it.
Change change(const Packet& packet, net::Ipv4& ip, uint32_t l4, uint32_t end_at, End end,
              uint32_t address, const uint16_t* port) noexcept {
    Change addresses;
    addresses.set(end == End::kSource ? ip.source : ip.destination, be32(address));
    Change all = addresses;
    all.set(ip.checksum, addresses.applied_to(ip.checksum));
    if ((ip.fragment.host() & 0x1fff) != 0) return all;
    const Cover cover = cover_of(ip.protocol);
    Change covered;
    if (cover.addresses) covered.add(addresses);
    be16* field = port == nullptr ? nullptr : port_field(packet, l4, end_at, ip.protocol, end);
    if (field != nullptr) {
        Change ports;
        ports.set(*field, be16(*port));
        covered.add(ports);
        all.add(ports);
    }
    if (cover.checksum == 0 || l4 + cover.checksum + 2 > end_at) return all;
    auto* checksum = packet.at<be16>(l4 + cover.checksum);
    if (checksum == nullptr || (cover.may_be_absent && checksum->raw() == 0)) return all;
    be16 now = covered.applied_to(*checksum);
    if (cover.may_be_absent && now.raw() == 0) now = be16(0xffff);
    all.set(*checksum, now);
    return all;
}

/// The other end: of an error's quote, which goes the other way.
constexpr End other(End end) { return end == End::kSource ? End::kDestination : End::kSource; }

/// Returns the port that the error's quote had, 0 without one.
uint16_t change_error(const Packet& packet, const PacketMeta& meta, End end, uint32_t address,
                      uint16_t port) noexcept {
    auto* quoted = packet.at<net::Ipv4>(meta.inner_offset);
    auto* icmp = packet.at<net::Icmp>(meta.l4_offset);
    if (quoted == nullptr || icmp == nullptr) return 0;
    const uint32_t l4 = meta.inner_offset + quoted->header_length();
    const uint32_t end_at = meta.l3_offset + meta.l3_total;
    const End there = other(end);
    const be16* field = port_field(packet, l4, end_at, quoted->protocol, there);
    const uint16_t before = field != nullptr ? field->host() : uint16_t{0};
    const Change all = change(packet, *quoted, l4, end_at, there, address, &port);
    icmp->checksum = all.applied_to(icmp->checksum);
    return before;
}

/// Returns the port of that end before.
uint16_t write(const Packet& packet, PacketMeta& meta, End end, uint32_t address,
               uint16_t port) noexcept {
    auto* ip = packet.at<net::Ipv4>(meta.l3_offset);
    if (ip == nullptr) return 0;
    (end == End::kSource ? meta.source : meta.destination) = IpAddress::v4(address);
    const uint32_t end_at = meta.l3_offset + meta.l3_total;
    if (meta.has(PacketMeta::kIcmpError)) {
        change(packet, *ip, meta.l4_offset, end_at, end, address, nullptr);
        return change_error(packet, meta, end, address, port);
    }
    change(packet, *ip, meta.l4_offset, end_at, end, address, &port);
    if (!meta.has(PacketMeta::kPorts) || meta.protocol == net::kSctp) return 0;
    uint16_t& own = end == End::kSource ? meta.source_port : meta.destination_port;
    const uint16_t before = std::exchange(own, port);
    if (meta.protocol == net::kIcmp) meta.source_port = meta.destination_port = port;
    return before;
}

}  // namespace

void translate_destination(const Packet& packet, PacketMeta& meta, uint32_t address,
                           uint16_t port) noexcept {
    meta.nat_destination = meta.destination.v4_host();
    meta.nat_destination_port = write(packet, meta, End::kDestination, address, port);
    meta.flags |= PacketMeta::kDestinationTranslated;
}

void translate_source(const Packet& packet, PacketMeta& meta) noexcept {
    if (meta.nat_source == 0 || meta.has(PacketMeta::kSourceTranslated)) return;
    const uint32_t before = meta.source.v4_host();
    meta.nat_source_port = write(packet, meta, End::kSource, meta.nat_source, meta.nat_source_port);
    meta.nat_source = before;
    meta.flags |= PacketMeta::kSourceTranslated;
}

void undo_translation(const Packet& packet, PacketMeta& meta) noexcept {
    constexpr uint32_t kBoth = PacketMeta::kSourceTranslated | PacketMeta::kDestinationTranslated;
    if (!meta.has(kBoth) || meta.has(PacketMeta::kIcmpError)) return;
    if (meta.has(PacketMeta::kSourceTranslated))
        write(packet, meta, End::kSource, meta.nat_source, meta.nat_source_port);
    if (meta.has(PacketMeta::kDestinationTranslated))
        write(packet, meta, End::kDestination, meta.nat_destination, meta.nat_destination_port);
    meta.flags &= ~kBoth;
    meta.nat_source = 0;
}

}  // namespace ravelin
