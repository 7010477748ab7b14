// SPDX-License-Identifier: Apache-2.0
#include "dataplane/arrivals.h"

#include <algorithm>

#include "dataplane/net/headers.h"
#include "dataplane/net/hop.h"
#include "dataplane/shortcut_head.h"
#include "dataplane/vlan.h"

namespace ravelin {
namespace {

using shortcut::Opening;

constexpr unsigned kIp = sizeof(net::Ethernet), kUpper = shortcut::kV4Offset;

// What of a flow's key follows from either end's place.
void find_flow(Arrivals& b, unsigned i) noexcept {
    FlowKey key;
    bool swapped = false;
    FlowKey::make(key, IpAddress::v4(b.source[i]), IpAddress::v4(b.destination[i]),
                  static_cast<uint16_t>(b.ports[i] >> 16), static_cast<uint16_t>(b.ports[i]),
                  b.protocol[i], 0, swapped);
    const uint32_t from = be32(b.source[i]).raw(), to = be32(b.destination[i]).raw();
    b.ends[i] = {swapped ? to : from, swapped ? from : to,
                 uint32_t{key.second_port} << 16 | key.first_port, b.protocol[i]};
    b.hash[i] = key.hash();
    b.advance[i] = {0, 0, 0, b.length[i]};
    if (b.protocol[i] == net::kTcp)
        b.advance[i] = {b.segment_end[i], b.acknowledgement[i], b.window[i], b.length[i]};
    b.swapped |= uint64_t{swapped} << i;
}

void read_tcp(const net::Tcp& tcp, Arrivals& b, unsigned i) noexcept {
    b.acknowledgement[i] = tcp.acknowledgement.host();
    b.segment_end[i] = tcp.sequence.host() + b.length[i] -
                       static_cast<uint32_t>(sizeof(net::Ipv4)) - tcp.header_length();
    b.window[i] = tcp.window.host();
}

// False: not plain, and of the columns only the addresses are good.
[[gnu::always_inline]] inline bool read_plain(const rte_mbuf& frame, const Opening& opening,
                                              Arrivals& b, unsigned i) noexcept {
    if (frame.nb_segs != 1 || frame.data_len < kUpper + sizeof(net::Udp)) return false;
    const auto* at = rte_pktmbuf_mtod(&frame, const uint8_t*);
    if (!opening.is_ours(at) || !Opening::is_v4(at)) return false;
    const auto& ip = *reinterpret_cast<const net::Ipv4*>(at + kIp);
    if (!shortcut::is_whole_v4(ip, frame.data_len) || ip.ttl <= 1) return false;
    const uint32_t length = ip.total_length.host() - static_cast<uint32_t>(sizeof ip);
    shortcut::UpperHead upper;
    const uint64_t addresses = uint64_t{ip.source.raw()} + ip.destination.raw();
    if (!shortcut::read_upper(at + kUpper, ip.protocol, length, upper) ||
        shortcut::is_unfinished(upper, ip.protocol, length, addresses))
        return false;
    const auto& ports = *reinterpret_cast<const net::Udp*>(at + kUpper);  // TCP's stand there too
    b.source[i] = ip.source.host();
    b.destination[i] = ip.destination.host();
    b.ports[i] = uint32_t{ports.source_port.host()} << 16 | ports.destination_port.host();
    b.length[i] = ip.total_length.host();
    b.protocol[i] = ip.protocol;
    b.tcp_flags[i] = upper.flags;
    b.opening |= uint64_t{(upper.flags & net::kSyn) != 0} << i;
    b.steady |= uint64_t{ip.protocol == net::kUdp || shortcut::is_steady(upper.flags)} << i;
    if (ip.protocol == net::kTcp) read_tcp(*reinterpret_cast<const net::Tcp*>(at + kUpper), b, i);
    net::Ipv4 further = ip;
    net::count_hop(further);
    std::memcpy(&b.hop[i], &further.ttl, sizeof b.hop[i]);
    b.padded |= uint64_t{b.length[i] + kIp != frame.data_len} << i;
    return true;
}

// Of a packet that is not plain: what may not overtake it. Without or with tags, as a priority is
// one too. False: nobody knows what it has to do with, or it is ARP, which may change all ways.
bool read_odd(const rte_mbuf& frame, uint32_t& source, uint32_t& destination) noexcept {
    source = destination = 0;
    const bool whole = frame.nb_segs == 1;
    if (frame.data_len < kIp) return whole;
    const auto* at = rte_pktmbuf_mtod(&frame, const uint8_t*);
    const uint32_t tags = FrameTags::read(at, frame.data_len).length;
    const uint16_t type = reinterpret_cast<const net::Ethernet*>(at + tags)->type.host();
    if (type != net::kEtherIpv4) return type != net::kEtherArp;
    if (frame.data_len < kUpper + tags) return whole;
    const auto& ip = *reinterpret_cast<const net::Ipv4*>(at + tags + kIp);
    source = ip.source.host();
    destination = ip.destination.host();
    return true;
}

}  // namespace

bool Arrivals::read_odd(unsigned i) noexcept {
    if (ravelin::read_odd(*frames[i], source[i], destination[i])) [[likely]]
        return true;
    std::fill(source.begin() + i, source.end(), 0);
    std::fill(destination.begin() + i, destination.end(), 0);
    return false;
}

void Arrivals::read_one_by_one(const MacAddress& own) noexcept {
    const Opening ours(own);
    plain = opening = steady = padded = 0;
    for (unsigned i = 0; i < count; ++i) {
        if (read_plain(*frames[i], ours, *this, i)) [[likely]]
            plain |= uint64_t{1} << i;
        else if (!read_odd(i))
            break;
    }
}

void Arrivals::find_flows_one_by_one() noexcept {
    swapped = 0;
    for_each_bit(plain, [&](unsigned i) { find_flow(*this, i); });
}

void Arrivals::trim() noexcept {
    for_each_bit(padded, [&](unsigned i) {
        rte_mbuf& frame = *frames[i];
        frame.pkt_len = kIp + length[i];
        frame.data_len = static_cast<uint16_t>(frame.pkt_len);
    });
}

}  // namespace ravelin
