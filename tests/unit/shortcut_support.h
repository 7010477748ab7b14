// SPDX-License-Identifier: Apache-2.0
// Traffic for shortcut_test: conversations of every kind whose ends send what comes to their minds,
// and frames bent on the way.
#pragma once
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "dataplane/net/headers.h"
#include "pipelines/net/checksum.h"
#include "tests/support/frames.h"

namespace ravelin::test {

struct Random {
    std::mt19937 engine;
    uint32_t operator()() { return static_cast<uint32_t>(engine()); }
};

/// The last byte of an inner host's address, of both families' and behind both ports.
inline constexpr unsigned kFirstHost = 20, kHosts = 4;

/// A whole TCP segment, as far as its receiver cares.
struct Segment {
    uint16_t source_port = 0, destination_port = 0;
    uint32_t sequence = 0, end = 0;
    uint8_t flags = 0;
};
inline std::optional<Segment> segment_of(const Bytes& frame) {
    const size_t tag = frame.size() > 17 && frame[12] == 0x81 ? 4 : 0, ip = 14 + tag;
    const bool v6 = frame.size() > 12 + tag && frame[12 + tag] == 0x86;
    const size_t tcp = ip + (v6 ? 40 : 20);
    if (frame.size() < tcp + 20 || frame[ip + (v6 ? 6 : 9)] != net::kTcp) return std::nullopt;
    if (!v6 && (frame[ip] != 0x45 || (frame[ip + 6] & 0x3f) + frame[ip + 7] != 0))
        return std::nullopt;
    const auto two = [&](size_t at) {
        return static_cast<uint16_t>(frame[at] << 8 | frame[at + 1]);
    };
    const auto four = [&](size_t at) { return uint32_t{two(at)} << 16 | two(at + 2); };
    const size_t length = v6 ? two(ip + 4) + 40u : two(ip + 2),
                 header = (frame[tcp + 12] >> 4) * 4u;
    Segment out{two(tcp), two(tcp + 2), four(tcp + 4), four(tcp + 4), frame[tcp + 13]};
    out.end += static_cast<uint32_t>(length - (tcp - ip) - header);
    if ((out.flags & (net::kSyn | net::kFin)) != 0) ++out.end;
    return out;
}

/// Both ends of a connection. Of TCP they acknowledge what they have heard, and begin anew when
/// nobody hears anything any more.
class Conversation {
  public:
    static constexpr uint16_t kFirstPort = 4000;
    /// `id`: bit 0 IPv6, bit 1 UDP, bit 2 behind a sub-interface; the rest chooses a host.
    /// `translated`: IPv4 is known outside as 192.0.2.1 with the same port.
    Conversation(unsigned id, bool translated, Random& random)
        : v6_((id & 1) != 0),
          udp_((id & 2) != 0),
          tagged_((id & 4) != 0),
          port_(static_cast<uint16_t>(kFirstPort + id)),
          host_(kFirstHost + (id >> 3) % kHosts),
          translated_(translated && !v6_),
          random_(random) {}

    struct Packet {
        std::string port, text;
    };
    Packet next() {
        const bool client = by_client();
        const std::string inner = v6_ ? fmt::format("[fd00:{}::9]:{}", tagged_ ? 5 : 1, port_)
                                      : fmt::format("10.{}.0.{}:{}", tagged_ ? 5 : 0, host_, port_);
        const std::string outer = translated_ ? fmt::format("192.0.2.1:{}", port_) : inner;
        const std::string far = v6_ ? "[2001:db8::7]:80" : "203.0.113.7:80";
        const std::string ends = client ? inner + " > " + far : far + " > " + outer;
        const std::string tag = client && tagged_ ? "vlan=5 " : "";
        const std::string text =
            udp_ ? fmt::format("{}udp {} len={}{}", tag, ends, random_() % 600, oddity())
                 : fmt::format("{}tcp {} {}{}", tag, ends, segment(client), oddity());
        return {client ? "lan" : random_() % 10 == 0 ? "two" : "wan", text};
    }
    /// What is no TCP or UDP packet of its own, but has to do with the conversation or its ends.
    Packet aside() {
        const bool client = random_() % 2 == 0;
        const std::string inner = v6_ ? fmt::format("fd00:{}::9", tagged_ ? 5 : 1)
                                      : fmt::format("10.{}.0.{}", tagged_ ? 5 : 0, host_);
        const std::string outer = v6_ ? "2001:db8::7" : "203.0.113.7";
        const std::string port = client ? "lan" : "wan", &from = client ? inner : outer,
                          &to = client ? outer : inner, icmp = v6_ ? "icmp6" : "icmp",
                          tag = client && tagged_ ? "vlan=5 " : "";
        // Where ports would stand: for by_flow() it is one of the conversation's packets.
        const std::string payload =
            client ? fmt::format("{:04x}0050", port_) : fmt::format("0050{:04x}", port_);
        switch (random_() % 6) {
            case 0:
                return {port,
                        fmt::format("{}{} {} > {} echo-request id=5 seq=1", tag, icmp, from, to)};
            case 1:
                return {port, fmt::format("{}ip proto=17 {} > {} frag=24 id=77 hex={}00000000", tag,
                                          from, to, payload)};
            case 2: {
                const std::string quoted = next().text;
                return {port,
                        fmt::format("{}{} {} > {} unreachable/1 quoting ({})", tag, icmp, from, to,
                                    quoted.substr(quoted.starts_with("vlan=5 ") ? 7 : 0))};
            }
            case 3:
                return {port, fmt::format("{}ip proto=50 {} > {} len=40", tag, from, to)};
            case 4:
                return {port,
                        fmt::format("{}ip proto=1 {} > {} frag=24 id=77 len=8", tag, from, to)};
            default:
                return {"lan", "arp who-has 10.0.0.1 tell 10.0.0.20"};
        }
    }
    /// It has arrived.
    void hear(const Segment& segment) {
        const unsigned receiver = segment.source_port == port_ ? kServer : kClient;
        unheard_ = 0;
        if ((segment.flags & net::kRst) != 0) return begin_anew();
        if ((segment.flags & net::kSyn) != 0) synced_[receiver] = true;
        const bool more = static_cast<int32_t>(segment.end - heard_[receiver]) > 0;
        if (more || (segment.flags & net::kSyn) != 0) heard_[receiver] = segment.end;
    }

  private:
    enum Side : unsigned { kClient, kServer };
    static constexpr unsigned kPatience = 12, kAfterFin = 8;

    bool by_client() {
        if (!udp_ && (++unheard_ > kPatience || (fin_ != 0 && ++fin_ > kAfterFin))) begin_anew();
        const bool first = udp_ ? !std::exchange(synced_[kServer], true) : !synced_[kServer];
        if (first || udp_) return first || random_() % 2 == 0;
        return synced_[kClient] && random_() % 2 == 0;
    }
    // Whatever is known of the connection is to be forgotten: a reset where it is expected, a SYN
    // beyond all numbers.
    void begin_anew() {
        unheard_ = fin_ = 0;
        synced_[kClient] = synced_[kServer] = false;
        reset_ = true;
        sent_[kClient] += 100'000;
        sent_[kServer] += 100'000;
    }
    std::string oddity() {
        switch (random_() % 40) {
            case 0:
                return " ttl=1";
            case 1:
                return " df";
            case 2:
                return v6_ ? " dstopt" : " options";
            case 3:
                return v6_ ? " hbh" : " mf id=77";
            default:
                return "";
        }
    }
    std::string segment(bool client) {
        const Side side = client ? kClient : kServer;
        uint32_t& own = sent_[side];
        const uint32_t ack = heard_[side], reached = heard_[1 - side];
        if (!synced_[kServer]) {
            if (std::exchange(reset_, false)) return fmt::format("rst seq={} win=0", reached);
            return fmt::format("syn seq={} win=8000", own++);
        }
        if (!synced_[kClient]) return fmt::format("syn,ack seq={} ack={} win=8000", own++, ack);
        if (own - reached > 6000) own = reached;  // lost: sent again
        const uint32_t seq = own, length = random_() % 8 == 0 ? 1350 : random_() % 300;
        switch (random_() % 100) {
            case 0:
                return fmt::format("ack seq={} ack={} win=8000 len=9", own + 100'000, ack);
            case 1:
                return fmt::format("ack seq={} ack={} win=8000 len=9", own, ack + 5000);
            case 2:
                return fmt::format("rst seq={} win=0", own + random_() % 2);
            case 3:
                fin_ = 1;
                return fmt::format("fin,ack seq={} ack={} win=8000", own++, ack);
            case 4:
                return fmt::format("syn seq={} win=8000", own + 7);
            case 5:
                return fmt::format("ack,psh seq={} ack={} win=100 len=50", own - 50, ack);
            default:
                own += length;
                return fmt::format("ack seq={} ack={} win=8000 len={}", seq, ack, length);
        }
    }
    bool v6_, udp_, tagged_;
    uint16_t port_;
    unsigned host_;
    bool translated_;
    Random& random_;
    uint32_t sent_[2] = {1000, 0xfffff000};  // the server's numbers wrap
    uint32_t heard_[2] = {};                 // of the other's
    bool synced_[2] = {};
    bool reset_ = false;
    unsigned unheard_ = 0, fin_ = 0;  // packets since something was heard; since the first FIN
};

/// "IPv4 tcp", "IPv6 udp to a VLAN": of a frame without tags.
inline std::string kind_of(const Bytes& frame) {
    const bool v6 = frame.at(12) == 0x86;
    const uint8_t protocol = frame.at(v6 ? 20 : 23);
    const bool vlan = v6 ? frame.at(41) == 5 : frame.at(31) == 5;  // fd00:5::, 10.5.0.0
    return fmt::format("IPv{} {}{}", v6 ? 6 : 4, protocol == 6 ? "tcp" : "udp",
                       vlan ? " to a VLAN" : "");
}

/// Packets of one flow have it in common, and those of two do not. Later fragments have their own:
/// one that came before its first follows the burst in which that came, and where a burst ends the
/// shortcut has a say.
/// Of ARP each asks or tells for itself: whose timer was started first makes no difference.
inline std::string flow_of(const Bytes& frame) {
    if (frame.size() > 41 && frame[12] == 8 && frame[13] == 6)
        return {frame.begin(), frame.begin() + 42};
    const size_t tag = frame.size() > 17 && frame[12] == 0x81 ? 4 : 0;
    const bool v6 = frame.size() > 58 + tag && frame[12 + tag] == 0x86;
    const size_t from = (v6 ? 20 : 23) + tag,
                 to = std::min<size_t>((v6 ? 58 : 38) + tag, frame.size());
    if (frame.size() < to || to < from) return {};
    std::string part(frame.begin() + static_cast<long>(from),
                     frame.begin() + static_cast<long>(to));
    if (!v6 && part.size() >= 3) part[1] = part[2] = 0;  // checksum
    if (v6 && part.size() >= 2) part[1] = 0;             // hop limit
    if (!v6 && ((frame[20 + tag] & 0x1f) != 0 || frame[21 + tag] != 0)) part += "later";
    return part;
}

inline bool is_v4(const Bytes& frame) {
    return frame.size() > 42 && frame[12] == 8 && frame[14] == 0x45;
}

/// IPv4 as IPv6 between mapped addresses: a flow's key cannot tell them. Checksums stay right.
inline void map_addresses(Bytes& frame) {
    if (!is_v4(frame)) return;
    const Bytes v4 = frame;
    const auto upper = static_cast<uint16_t>((v4[16] << 8 | v4[17]) - 20);
    frame.assign(v4.begin(), v4.begin() + 12);
    const Bytes head{
        0x86,   0xdd, 0x60, 0, 0, 0, static_cast<uint8_t>(upper >> 8), static_cast<uint8_t>(upper),
        v4[23], 64};
    frame.insert(frame.end(), head.begin(), head.end());
    for (const unsigned at : {26u, 30u}) {
        frame.insert(frame.end(), 10, 0);
        frame.insert(frame.end(), 2, 0xff);
        frame.insert(frame.end(), v4.begin() + at, v4.begin() + at + 4);
    }
    frame.insert(frame.end(), v4.begin() + 34, v4.end());
}

/// Eight bytes behind an IPv4 header that is sound.
inline void cut_transport(Bytes& frame) {
    if (!is_v4(frame)) return;
    frame.resize(42);
    frame[16] = 0;
    frame[17] = 28;
    frame[24] = frame[25] = 0;
    const be16 sum = net::checksum_finish(net::checksum_add(0, frame.data() + 14, 20));
    std::memcpy(frame.data() + 24, &sum, sizeof sum);
}

/// Breaks the frame, or what is around it, now and then.
inline void bend(Bytes& frame, Random& random) {
    const auto at = [&](size_t i) -> uint8_t& { return frame[i % frame.size()]; };
    switch (random() % 80) {
        case 0:  // Ethernet's padding
            frame.resize(frame.size() + 1 + random() % 20);
            break;
        case 1:
            at(random()) ^= static_cast<uint8_t>(1u << random() % 8);
            break;
        case 2:  // a checksum left to the NIC cannot be told from a wrong one
            at(frame[12] == 0x86 ? 70 : 50) ^= 0x55;
            break;
        case 3:
            frame.resize(std::max<size_t>(20, frame.size() - random() % 12));
            break;
        case 4:
            frame.insert(frame.begin() + 12, {0x81, 0, 0, 0});  // a priority tag
            break;
        case 5:
            map_addresses(frame);
            break;
        case 6:
            cut_transport(frame);
            break;
        default:
            break;
    }
}

}  // namespace ravelin::test
