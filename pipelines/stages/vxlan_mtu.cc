// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/vxlan_mtu.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "dataplane/net/headers.h"
#include "pipelines/stages/firewall_packet.h"

namespace ravelin {
namespace {

constexpr unsigned kMtuBits = 16;
constexpr uint8_t kUnreachable = 3, kFragmentationNeeded = 4, kPacketTooBig = 2;
constexpr uint16_t kDontFragment = 0x4000;
// RFC 1191 section 7, those above what every host takes.
constexpr std::array<uint32_t, 7> kPlateaus{32000, 17914, 8166, 4352, 2002, 1492, 1006};

uint64_t ms_of(const Now& now) noexcept { return now.ns / 1'000'000; }

bool is_too_big(const PacketMeta& meta) noexcept {
    if (meta.has(PacketMeta::kIpv4))
        return meta.icmp_type == kUnreachable && meta.icmp_code == kFragmentationNeeded;
    return meta.icmp_type == kPacketTooBig;
}

/// Bytes of L3 of the quoted packet; 0: it was one that may be cut.
uint32_t quoted_length(const Packet& packet, const PacketMeta& meta) noexcept {
    if (meta.has(PacketMeta::kIpv4)) {
        const auto* ip = packet.at<net::Ipv4>(meta.inner_offset);
        if (ip == nullptr || (ip->fragment.host() & kDontFragment) == 0) return 0;
        return ip->total_length.host();
    }
    const auto* ip = packet.at<net::Ipv6>(meta.inner_offset);
    return ip == nullptr ? 0 : static_cast<uint32_t>(sizeof *ip) + ip->payload_length.host();
}

/// 0: what was told cannot be.
uint32_t path_mtu(const Packet& packet, const PacketMeta& meta) noexcept {
    const auto* icmp = packet.at<net::Icmp>(meta.l4_offset);
    const uint32_t length = quoted_length(packet, meta);
    if (icmp == nullptr || length == 0) return 0;
    if (meta.has(PacketMeta::kIpv6)) {
        const uint32_t told = uint32_t{icmp->id.host()} << 16 | icmp->sequence.host();
        return told >= TunnelMtus::kLeastV6 && told < length ? told : 0;
    }
    uint32_t told = icmp->sequence.host();
    if (told == 0) {
        const auto* below = std::ranges::find_if(kPlateaus, [&](uint32_t p) { return p < length; });
        told = below == kPlateaus.end() ? TunnelMtus::kLeastV4 : *below;
    }
    told = std::max(told, TunnelMtus::kLeastV4);
    return told < length ? told : 0;
}

/// Errors quote 8 bytes of the UDP header, and more if it pleases them.
bool names_network(const Packet& packet, const PacketMeta& meta, const firewall::Quoted& quoted,
                   const VxlanEnd& end) noexcept {
    const uint32_t at = quoted.l4_offset + static_cast<uint32_t>(sizeof(net::Udp));
    const auto* vxlan = packet.at<net::Vxlan>(at);
    if (vxlan == nullptr || at + sizeof *vxlan > meta.l3_offset + meta.l3_total) return true;
    return (vxlan->flags & net::kVxlanHasVni) != 0 && vxlan->vni.host() >> 8 == end.vni;
}

auto ends_of(const IpAddress& local, const IpAddress& remote) {
    return std::pair(local.bytes, remote.bytes);
}

}  // namespace

TunnelMtus::TunnelMtus(const std::vector<PortPolicy>& ports, const TunnelMtus* before) {
    std::vector<std::pair<IpAddress, IpAddress>> pairs;
    for (const PortPolicy& port : ports)
        if (port.vxlan)
            for (const IpAddress& remote : port.vxlan->remotes)
                pairs.emplace_back(port.vxlan->local, remote);
    const auto key = [](const auto& pair) { return ends_of(pair.first, pair.second); };
    std::ranges::sort(pairs, {}, key);
    pairs.erase(std::unique(pairs.begin(), pairs.end()), pairs.end());  // clang 14 has no ranges'
    entries_ = std::make_unique<Entry[]>(pairs.size());
    for (const auto& [local, remote] : pairs) {
        Entry& entry = entries_[count_++];
        entry.local = local;
        entry.remote = remote;
        const Entry* known = before == nullptr ? nullptr : before->find(local, remote);
        if (known != nullptr) entry.told = known->told.load(std::memory_order_relaxed);
    }
    if (before == nullptr) return;
    until_ms_ = before->until_ms_.load(std::memory_order_relaxed);
    version_ = before->version();
}

TunnelMtus::Entry* TunnelMtus::find(const IpAddress& local,
                                    const IpAddress& remote) const noexcept {
    const auto key = [](const Entry& e) { return ends_of(e.local, e.remote); };
    Entry* const end = entries_.get() + count_;
    Entry* at = std::ranges::lower_bound(entries_.get(), end, ends_of(local, remote), {}, key);
    return at != end && at->local == local && at->remote == remote ? at : nullptr;
}

uint32_t TunnelMtus::mtu_of(uint64_t told, uint64_t now_ms) noexcept {
    return now_ms < told >> kMtuBits ? static_cast<uint32_t>(told & 0xffff) : kUnknown;
}

uint32_t TunnelMtus::inner(const VxlanEnd& end, const MacAddress& to,
                           const Now& now) const noexcept {
    const uint64_t now_ms = ms_of(now);
    if (now_ms >= until_ms_.load(std::memory_order_relaxed)) [[likely]]
        return kUnknown;
    uint32_t least = kUnknown;
    for (const IpAddress& remote : end.remotes_of(to))
        if (const Entry* entry = find(end.local, remote); entry != nullptr)
            least = std::min(least, mtu_of(entry->told.load(std::memory_order_relaxed), now_ms));
    return least == kUnknown ? kUnknown : least - end.overhead();
}

void TunnelMtus::lower(const IpAddress& local, const IpAddress& remote, uint32_t mtu,
                       const Now& now) noexcept {
    Entry* entry = find(local, remote);
    if (entry == nullptr) return;
    const uint64_t now_ms = ms_of(now), until_ms = now_ms + kForgetMs;
    uint64_t was = entry->told.load(std::memory_order_relaxed);
    do {
        if (mtu > mtu_of(was, now_ms)) return;
    } while (!entry->told.compare_exchange_weak(was, until_ms << kMtuBits | mtu,
                                                std::memory_order_relaxed));
    uint64_t latest = until_ms_.load(std::memory_order_relaxed);
    while (latest < until_ms &&
           !until_ms_.compare_exchange_weak(latest, until_ms, std::memory_order_relaxed)) {
    }
    if (mtu < mtu_of(was, now_ms)) version_.fetch_add(1, std::memory_order_release);
}

size_t TunnelMtus::memory_bytes() const noexcept { return sizeof *this + count_ * sizeof(Entry); }

std::optional<TooBigForPath> read_too_big(const Packet& packet, const PacketMeta& meta,
                                          const std::vector<PortPolicy>& ports) noexcept {
    if (!is_too_big(meta)) return std::nullopt;
    const auto quoted = firewall::read_quoted(packet, meta);
    if (!quoted || quoted->protocol != net::kUdp || quoted->source != meta.destination)
        return std::nullopt;
    const bool ours = std::ranges::any_of(ports, [&](const PortPolicy& port) {
        if (!port.vxlan) return false;
        const VxlanEnd& end = *port.vxlan;
        return end.local == quoted->source && end.udp_port == quoted->destination_port &&
               std::ranges::find(end.remotes, quoted->destination) != end.remotes.end() &&
               names_network(packet, meta, *quoted, end);
    });
    if (!ours) return std::nullopt;
    return TooBigForPath{quoted->source, quoted->destination, path_mtu(packet, meta)};
}

}  // namespace ravelin
