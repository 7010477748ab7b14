// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>

#include "tests/oracle/frame_facts.h"
#include "tests/oracle/generate.h"
#include "tests/oracle/topology.h"

namespace ravelin::oracle {
namespace {

constexpr unsigned kDatagrams = 40;

struct Piece {
    size_t begin, end;
};

std::string hex(const test::Bytes& bytes, size_t from, size_t to) {
    std::string out;
    for (size_t i = from; i < to; ++i) out += fmt::format("{:02x}", bytes[i]);
    return out;
}

// Cuts [0, length) at multiples of 8.
std::vector<Piece> cut(size_t length, Random& rng) {
    std::vector<Piece> out;
    const size_t step = any_of(std::array<size_t, 5>{8, 16, 24, 64, 256}, rng);
    const size_t first = one_in(3, rng) ? step : std::max<size_t>(step, 40);
    for (size_t at = 0; at < length;) {
        const size_t end = std::min(length, at + (at == 0 ? first : step));
        out.push_back({at, end});
        at = end;
    }
    return out;
}

// One way in which fragments reach a router.
void spoil(std::vector<Piece>& pieces, Random& rng) {
    Piece& any = pieces[rng() % pieces.size()];
    switch (rng() % 8) {
        case 0:
            std::ranges::reverse(pieces);
            break;
        case 1:
            std::ranges::shuffle(pieces, rng);
            break;
        case 2:
            pieces.push_back(Piece(any));
            break;
        case 3:  // overlap of 8 bytes
            if (any.begin >= 8) any.begin -= 8;
            break;
        case 4:
            if (pieces.size() > 1) pieces.erase(pieces.begin());
            break;
        case 5:
            pieces.erase(pieces.begin() + static_cast<long>(rng() % pieces.size()));
            break;
        default:
            break;
    }
}

// The whole packet as text, without `in=`.
std::string datagram(const std::string& from, const std::string& to, bool v4, Random& rng) {
    const size_t length = 40 + rng() % 700;
    const unsigned port = any_of(std::array{53u, 80u, 81u}, rng);
    switch (rng() % 4) {
        case 0:
            return fmt::format("tcp {} > {} syn seq=7 len={}", with_port(from, 4000),
                               with_port(to, port), length);
        case 1:
            return fmt::format("{} {} > {} echo-request id=7 seq=1 len={}", v4 ? "icmp" : "icmp6",
                               from, to, length);
        default:
            return fmt::format("udp {} > {} len={}", with_port(from, 4000), with_port(to, port),
                               length);
    }
}

void send(Case& c, bool lan, bool v4, const std::string& from, const std::string& to, Random& rng) {
    const char* in = lan ? "lan" : "wan";
    const auto whole = arrival(fmt::format("in={} {}", in, datagram(from, to, v4, rng)));
    const auto facts = read_frame(whole.frame);
    const size_t length = facts->end - facts->l4;
    auto pieces = cut(length, rng);
    if (!one_in(3, rng)) spoil(pieces, rng);
    const auto id = static_cast<uint32_t>(1 + rng() % 65000);
    for (const Piece& p : pieces)
        c.packets.push_back(fmt::format("in={} ip proto={} {} > {} id={}{} frag={} hex={}", in,
                                        facts->protocol, from, to, id, p.end < length ? " mf" : "",
                                        p.begin,
                                        hex(whole.frame, facts->l4 + p.begin, facts->l4 + p.end)));
}

}  // namespace

Case fragments(Random& rng) {
    Case c{.kind = "fragments",
           .rules = {"{name: no-dns, action: drop, protocol: udp, to-ports: 53}",
                     "{name: out, action: accept, in: lan}",
                     "{name: in, action: accept, in: wan, protocol: [tcp, udp], to-ports: 80}"},
           .packets = {}};
    c.reassemble = one_in(2, rng);
    for (unsigned i = 0; i < kDatagrams; ++i) {
        const bool v4 = !one_in(3, rng), lan = !one_in(3, rng);
        send(c, lan, v4, fresh_host(lan, v4, rng), fresh_host(!lan, v4, rng), rng);
    }
    return c;
}

Case extensions(Random& rng) {
    Case c{.kind = "extensions",
           .rules = {"{name: web, action: accept, protocol: [tcp, udp], to-ports: 80}",
                     "{name: ping, action: accept, protocol: icmp}",
                     "{name: esp, action: accept, protocol: esp}"},
           .packets = {}};
    if (one_in(4, rng)) c.otherwise = "reject";
    for (unsigned i = 0; i < 80; ++i) {
        const bool v4 = one_in(4, rng);
        const std::string from = fresh_host(true, v4, rng), to = fresh_host(false, v4, rng);
        std::string words;
        for (size_t n = rng() % 4; n > 0; --n)
            words +=
                v4 ? one_in(2, rng) ? " options" : " router-alert"
                   : any_of(std::array{" hbh", " dstopt", " routing", " ah", " router-alert hbh"},
                            rng);
        if (!v4 && one_in(6, rng)) words += " rh0";
        const unsigned port = any_of(std::array{80u, 81u}, rng);
        switch (rng() % 4) {
            case 0:
                c.packets.push_back(fmt::format("in=lan tcp {} > {} syn seq=1{}",
                                                with_port(from, 4000), with_port(to, port), words));
                break;
            case 1:
                c.packets.push_back(fmt::format("in=lan ip proto={} {} > {} len=24{}",
                                                any_of(std::array{50, 59, 99}, rng), from, to,
                                                words));
                break;
            case 2:
                c.packets.push_back(fmt::format("in=lan {} {} > {} echo-request id=1{}",
                                                v4 ? "icmp" : "icmp6", from, to, words));
                break;
            default:
                c.packets.push_back(fmt::format("in=lan udp {} > {} len=10{}",
                                                with_port(from, 4000), with_port(to, port), words));
        }
    }
    return c;
}

}  // namespace ravelin::oracle
