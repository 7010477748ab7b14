// SPDX-License-Identifier: Apache-2.0
#include "pipelines/net/decapsulate.h"

#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"

namespace ravelin::net {
namespace {

// RFC 3168 section 5.
constexpr unsigned kEcnMask = 3, kNotCapable = 0, kCapable1 = 1, kCongested = 3;

constexpr uint32_t inner_offset(const PacketMeta& meta) {
    return meta.l4_offset + static_cast<uint32_t>(sizeof(Udp) + sizeof(Vxlan));
}

/// What the inner packet is to leave with (RFC 6040 figure 4); nothing: it may not leave.
std::optional<unsigned> combined(unsigned inner, unsigned outer) noexcept {
    if (outer == kCongested && inner == kNotCapable) return std::nullopt;
    if (inner == kNotCapable || inner == kCongested) return inner;
    if (outer == kCongested) return kCongested;
    return outer == kCapable1 ? kCapable1 : inner;
}

/// False: it may not leave.
bool carry_mark_v4(Ipv4& ip, unsigned outer) noexcept {
    const auto mark = combined(ip.tos & kEcnMask, outer);
    if (!mark) return false;
    const be16 before(static_cast<uint16_t>(ip.version_ihl << 8 | ip.tos));
    ip.tos = static_cast<uint8_t>((ip.tos & ~kEcnMask) | *mark);
    const be16 after(static_cast<uint16_t>(ip.version_ihl << 8 | ip.tos));
    if (before.raw() != after.raw())
        ip.checksum = updated_checksum(ip.checksum, before.raw(), after.raw());
    return true;
}

bool carry_mark_v6(Ipv6& ip, unsigned outer) noexcept {
    constexpr unsigned kEcnAt = 20;  // of the first word: 4 bits version, 6 DSCP, 2 ECN
    const uint32_t word = ip.version_class_flow.host();
    const auto mark = combined(word >> kEcnAt & kEcnMask, outer);
    if (!mark) return false;
    ip.version_class_flow = be32((word & ~(kEcnMask << kEcnAt)) | *mark << kEcnAt);
    return true;
}

}  // namespace

std::optional<uint32_t> vni_of(const Packet& packet, const PacketMeta& meta) noexcept {
    const auto* vxlan = packet.at<Vxlan>(meta.l4_offset + static_cast<uint32_t>(sizeof(Udp)));
    if (vxlan == nullptr || meta.payload_length < sizeof *vxlan ||
        (vxlan->flags & kVxlanHasVni) == 0)
        return std::nullopt;
    return vxlan->vni.host() >> 8;
}

bool lacks_checksum(const Packet& packet, const PacketMeta& meta) noexcept {
    const auto* udp = packet.at<Udp>(meta.l4_offset);
    return meta.has(PacketMeta::kIpv6) && udp != nullptr && udp->checksum.raw() == 0;
}

Decapsulation decapsulate(rte_mbuf* frame, const PacketMeta& meta) noexcept {
    const Packet packet(frame);
    const uint32_t at = inner_offset(meta);
    const auto* ethernet = packet.at<Ethernet>(at);
    if (ethernet == nullptr || meta.payload_length < sizeof(Vxlan) + sizeof *ethernet)
        return Decapsulation::kMalformed;
    const unsigned outer = meta.tos & kEcnMask;
    const uint32_t l3 = at + static_cast<uint32_t>(sizeof *ethernet);
    // What is too short for its header parse will refuse.
    if (ethernet->type.host() == kEtherIpv4) {
        if (auto* ip = packet.at<Ipv4>(l3); ip != nullptr && !carry_mark_v4(*ip, outer))
            return Decapsulation::kCongestion;
    } else if (ethernet->type.host() == kEtherIpv6) {
        if (auto* ip = packet.at<Ipv6>(l3); ip != nullptr && !carry_mark_v6(*ip, outer))
            return Decapsulation::kCongestion;
    }
    rte_pktmbuf_adj(frame, static_cast<uint16_t>(at));
    // What the NIC found out was of the outer packet.
    frame->ol_flags &=
        ~(RTE_MBUF_F_RX_L4_CKSUM_MASK | RTE_MBUF_F_RX_IP_CKSUM_MASK | RTE_MBUF_F_RX_RSS_HASH);
    return Decapsulation::kDone;
}

}  // namespace ravelin::net
