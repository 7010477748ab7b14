// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/traffic.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <numeric>
#include <random>
#include <tuple>
#include <utility>

#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kClients = 0x0a010000;  // 10.1.0.0: sixteen conversations each
constexpr uint32_t kServers = 0xc6120000;  // 198.18.0.0/15 (RFC 2544)
constexpr uint16_t kWindowBytes = 64240;
constexpr uint16_t kServerPort = 443;
constexpr uint16_t kSomeChecksum = 0x1234;

// The part of a sequence number that is a conversation's own.
uint32_t initial(uint32_t n, Direction direction) {
    return (n * 2654435761u) ^ (direction == Direction::originator ? 0x1234567u : 0x89abcdeu);
}

uint8_t* write_ip(uint8_t* at, const Headers& h, unsigned upper) {
    if (h.v6) {
        net::Ipv6 ip{};
        ip.version_class_flow = be32(0x60000000);
        ip.payload_length = be16(static_cast<uint16_t>(upper));
        ip.next_header = h.protocol;
        ip.hop_limit = 64;
        // fd01:: is behind lan, fd03:: behind wan.
        const auto fill = [](std::array<uint8_t, 16>& bytes, uint32_t low) {
            bytes[0] = 0xfd;
            bytes[1] = low >> 24 == kClients >> 24 ? 1 : 3;
            const be32 word(low);
            std::memcpy(bytes.data() + 12, &word, 4);
        };
        fill(ip.source, h.source);
        fill(ip.destination, h.destination);
        std::memcpy(at, &ip, sizeof ip);
        return at + sizeof ip;
    }
    net::Ipv4 ip{};
    ip.version_ihl = 0x45;
    ip.total_length = be16(static_cast<uint16_t>(sizeof ip + upper));
    ip.id = be16(h.id);
    ip.fragment = be16(h.fragment);
    ip.ttl = 64;
    ip.protocol = h.protocol;
    ip.source = be32(h.source);
    ip.destination = be32(h.destination);
    net::set_header_checksum(ip);
    std::memcpy(at, &ip, sizeof ip);
    return at + sizeof ip;
}

unsigned transport_bytes(uint8_t protocol) {
    return protocol == net::kTcp ? sizeof(net::Tcp) : sizeof(net::Udp);  // ICMP echo: 8 as well
}

uint8_t* write_transport(uint8_t* at, const Headers& h) {
    if (h.protocol == net::kTcp) {
        net::Tcp tcp{};
        tcp.source_port = be16(h.source_port);
        tcp.destination_port = be16(h.destination_port);
        tcp.sequence = be32(h.seq);
        tcp.acknowledgement = be32(h.ack);
        tcp.data_offset = 5 << 4;
        tcp.flags = h.flags;
        tcp.window = be16(kWindowBytes);
        tcp.checksum = be16(kSomeChecksum);
        std::memcpy(at, &tcp, sizeof tcp);
        return at + sizeof tcp;
    }
    if (h.protocol == net::kIcmp) {
        net::Icmp icmp{};
        icmp.type = 8;
        icmp.id = be16(h.source_port);
        std::memcpy(at, &icmp, sizeof icmp);
        return at + sizeof icmp;
    }
    net::Udp udp{};
    udp.source_port = be16(h.source_port);
    udp.destination_port = be16(h.destination_port);
    udp.length = be16(static_cast<uint16_t>(sizeof udp + h.payload));
    std::memcpy(at, &udp, sizeof udp);
    return at + sizeof udp;
}

}  // namespace

void write_frame(rte_mbuf* frame, const Box& box, PortId port, const Headers& h) {
    constexpr unsigned kLeast = 60;
    rte_pktmbuf_reset(frame);
    auto* const start = rte_pktmbuf_mtod(frame, uint8_t*);
    const net::Ethernet ethernet{box.mac(port), kGatewayMacs[port],
                                 be16(h.v6 ? net::kEtherIpv6 : net::kEtherIpv4)};
    std::memcpy(start, &ethernet, sizeof ethernet);
    const bool later = (h.fragment & 0x1fff) != 0;
    const unsigned upper = h.payload + (later ? 0 : transport_bytes(h.protocol));
    uint8_t* at = write_ip(start + sizeof ethernet, h, upper);
    if (!later) at = write_transport(at, h);
    const auto length = static_cast<unsigned>(at - start) + h.payload;
    std::memset(at, 0, std::max(length, kLeast) - static_cast<unsigned>(at - start));
    frame->data_len = static_cast<uint16_t>(std::max(length, kLeast));
    frame->pkt_len = frame->data_len;
}

Headers Conversations::ends(uint32_t n, Direction direction) const {
    Headers h;
    h.v6 = kind_ == Kind::kTcp6;
    h.protocol = kind_ == Kind::kUdp4 ? net::kUdp : net::kTcp;
    h.payload = h.protocol == net::kTcp ? kPayload : kPayload + 12;
    const uint32_t id = first_ + n;
    h.source = kClients + id / 16;
    h.source_port = static_cast<uint16_t>(20'000 + id % 16 * 1009);
    h.destination = kServers + id * 7 % 997;
    h.destination_port = kServerPort;
    if (direction == Direction::responder) {
        std::swap(h.source, h.destination);
        std::swap(h.source_port, h.destination_port);
    }
    return h;
}

Headers Conversations::step(uint32_t n, unsigned step) const {
    const Direction from = direction_of_step(step);
    Headers h = ends(n, from);
    if (h.protocol != net::kTcp) return h;
    constexpr uint8_t kFlags[] = {
        net::kSyn, net::kSyn | net::kAck, net::kAck, net::kFin | net::kAck, net::kFin | net::kAck,
        net::kAck};
    const uint32_t own = initial(n, from), other = initial(n, reverse(from));
    h.payload = 0;
    h.flags = kFlags[step];
    const uint32_t sent = step >= 2 ? 1 : 0, closed = step == 5 ? 1 : 0;
    h.seq = own + sent + closed;
    if (step != 0) h.ack = other + 1 + (step >= 4 ? 1 : 0);
    return h;
}

Headers Conversations::data(uint32_t n, uint32_t pass, bool still) const {
    const Direction from = direction_of_pass(n, pass);
    Headers h = ends(n, from);
    if (h.protocol != net::kTcp) return h;
    // Passes before this one in which the same side spoke, and the other one.
    const uint32_t own = still ? 0 : pass / 2, other = still ? 0 : (pass + 1) / 2;
    h.flags = net::kAck | net::kPsh;
    h.seq = initial(n, from) + 1 + own * kPayload;
    h.ack = initial(n, reverse(from)) + 1 + other * kPayload;
    return h;
}

Replay::Replay(Box& box, Conversations conversations, uint32_t seed)
    : box_(box), conversations_(conversations), order_(conversations.count()) {
    std::iota(order_.begin(), order_.end(), 0u);
    std::shuffle(order_.begin(), order_.end(), std::mt19937(seed));
}

uint64_t Replay::step(uint32_t first, uint32_t n, unsigned step) {
    rte_mbuf* frames[kWindow];
    box_.take_buffers(frames, n);
    const PortId port = Conversations::port_of(Conversations::direction_of_step(step));
    for (uint32_t i = 0; i < n; ++i)
        write_frame(frames[i], box_, port, conversations_.step(first + i, step));
    box_.send(port, frames, n);
    return box_.run();
}

void Replay::open_all() {
    const uint64_t dropped = box_.dropped();
    for (uint32_t first = 0; first < conversations_.count(); first += kWindow) {
        const uint32_t n = std::min(kWindow, conversations_.count() - first);
        for (unsigned s = 0; s < 3; ++s) {
            step(first, n, s);
            if (const unsigned out = box_.drain(); out != n || box_.dropped() != dropped)
                give_up(fmt::format("conversations from {} on: {} of {} packets passed; {}", first,
                                    out, n, box_.drops()));
        }
    }
}

uint32_t Replay::try_open() {
    uint32_t opened = 0;
    for (uint32_t first = 0; first < conversations_.count(); first += kWindow) {
        const uint32_t n = std::min(kWindow, conversations_.count() - first);
        for (unsigned s = 0; s < 3; ++s) {
            step(first, n, s);
            const unsigned out = box_.drain();
            if (s == 2) opened += out;
        }
    }
    return opened;
}

PortId Replay::next(rte_mbuf* frame, bool still) {
    const uint32_t n = order_[at_];
    const PortId port = Conversations::port_of(Conversations::direction_of_pass(n, pass_));
    write_frame(frame, box_, port, conversations_.data(n, pass_, still));
    if (++at_ == order_.size()) {
        at_ = 0;
        ++pass_;
    }
    return port;
}

double Replay::window(bool ports_alone) {
    rte_mbuf* frames[kWindow];
    rte_mbuf* by_port[2][kWindow];
    unsigned n[2] = {0, 0};
    const auto before = std::pair(at_, pass_);
    box_.take_buffers(frames, kWindow);
    for (rte_mbuf* frame : frames) {
        const PortId port = next(frame);
        by_port[port][n[port]++] = frame;
    }
    for (const PortId port : {kLan, kWan}) box_.send(port, by_port[port], n[port]);
    const uint64_t cycles = ports_alone ? box_.run_ports_alone() : box_.run();
    if (const unsigned out = box_.drain(); out != kWindow)
        give_up(fmt::format("{} of {} packets passed; {}", out, kWindow, box_.drops()));
    if (ports_alone) std::tie(at_, pass_) = before;  // the worker has not seen them
    return static_cast<double>(cycles) / kWindow;
}

}  // namespace ravelin::perf
