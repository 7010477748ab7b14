// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "tests/oracle/connection.h"
#include "tests/oracle/generate.h"

namespace ravelin::oracle {
namespace {

constexpr unsigned kConnections = 24;
constexpr const char* kOutward = "{name: out, action: accept, in: lan, protocol: tcp}";

void normal(Connection& c, Random& rng) {
    c.open(rng);
    for (size_t n = rng() % 5; n > 0; --n) {
        c.client("ack,psh", static_cast<unsigned>(rng() % 1400));
        c.server("ack", static_cast<unsigned>(rng() % 1400));
    }
    c.close(one_in(2, rng));
}
// RFC 9293 section 3.10.7.4: a FIN repeated after TIME-WAIT began, and data behind a FIN.
void late_fin(Connection& c, Random& rng) {
    normal(c, rng);
    c.server_at("fin,ack", c.server_next - 1, c.client_next);
    c.client_at("fin,ack", c.client_next - 1, c.server_next);
    c.client("ack");
    if (one_in(2, rng)) c.client("ack", 10);
    if (one_in(2, rng)) c.server("ack", 10);
}
// RFC 9293 section 3.5, figure 8.
void simultaneous_open(Connection& c, Random& rng) {
    c.client_at("syn", c.client_next, 0, 0, c.options(rng));
    c.server_at("syn", c.server_next, 0, 0, c.options(rng));
    c.client_at("syn,ack", c.client_next, c.server_next + 1);
    c.server_at("syn,ack", c.server_next, c.client_next + 1);
    ++c.client_next, ++c.server_next;
    c.client("ack", 100);
    c.server("ack", 100);
    c.close(true);
}
// RFC 5961 section 3: exact, in the window, outside, and just around it.
void resets(Connection& c, Random& rng) {
    c.open(rng);
    c.client("ack", 500);
    c.server("ack", 500);
    constexpr std::array kOffsets{0, 1, -1, 1000, 30000, 65535, 70000, 200000, -70000, 1 << 30};
    for (int i = 0; i < 3; ++i) {
        const auto by = static_cast<uint32_t>(any_of(kOffsets, rng));
        if (one_in(2, rng))
            c.client_at(one_in(2, rng) ? "rst" : "rst,ack", c.client_next + by, c.server_next);
        else
            c.server_at(one_in(2, rng) ? "rst" : "rst,ack", c.server_next + by, c.client_next);
        c.client("ack", 10);
        c.server("ack", 10);
    }
}
// RFC 5961 section 4: a SYN in an established connection and what follows it.
void syn_in_established(Connection& c, Random& rng) {
    c.open(rng);
    c.client("ack", 100);
    c.server("ack", 100);
    const auto seq =
        c.client_next + static_cast<uint32_t>(any_of(std::array{0, 5, 100000, -100000}, rng));
    if (one_in(3, rng)) {
        c.server_at("syn", c.server_next + 7, 0);
        c.client("ack");
    } else {
        c.client_at("syn", seq, 0);
        c.server("ack");
    }
    c.client("ack", 10);
    c.server("ack", 10);
}
// RFC 9293 section 3.5.1, figure 9: the client has forgotten the connection.
void half_open(Connection& c, Random& rng) {
    c.open(rng);
    c.client("ack", 100);
    c.server("ack", 100);
    const auto fresh = static_cast<uint32_t>(rng());
    c.client_at("syn", fresh, 0);
    c.server("ack");
    c.client_at("rst", c.client_next, 0);
    c.client_next = fresh;
    c.open(rng);
    c.client("ack", 100);
    c.close(false);
}
// RFC 6191, RFC 9293 section 3.6.1.
void time_wait_reuse(Connection& c, Random& rng) {
    normal(c, rng);
    const uint32_t by = one_in(3, rng) ? static_cast<uint32_t>(-100000) : 100000;
    c.client_next += by;
    c.server_next += static_cast<uint32_t>(rng());
    c.open(rng);
    c.client("ack", 100);
    c.close(one_in(2, rng));
}
void reset_then_reuse(Connection& c, Random& rng) {
    c.open(rng);
    c.client("ack", 100);
    if (one_in(2, rng))
        c.client("rst");
    else
        c.server("rst,ack");
    if (one_in(2, rng)) c.server("ack", 10);
    c.client_next += 77777;
    c.open(rng);
    c.client("ack", 10);
}
// The last numbers before 2^32.
void wrap(Connection& c, Random& rng) {
    c.client_next = static_cast<uint32_t>(-(rng() % 3000));
    c.server_next = static_cast<uint32_t>(-(rng() % 3000));
    normal(c, rng);
}
// RFC 7413: data with the SYN, acknowledged or not.
void syn_data(Connection& c, Random& rng) {
    const auto length = static_cast<unsigned>(1 + rng() % 1000);
    c.client_at("syn", c.client_next, 0, length);
    const bool taken = one_in(2, rng);
    c.client_next += 1 + (taken ? length : 0);
    c.server_at("syn,ack", c.server_next++, c.client_next);
    c.client("ack", taken ? 0 : length);
    c.server("ack", 200);
    c.close(true);
}
void refused(Connection& c, Random& rng) {
    c.client_at("syn", c.client_next, 0);
    const auto off = static_cast<uint32_t>(any_of(std::array{1, 1, 2, 0, 100}, rng));
    c.server_at("rst,ack", one_in(3, rng) ? 12345 : 0, c.client_next + off);
    c.client_at("syn", c.client_next, 0);
    c.server_at("syn,ack", c.server_next++, ++c.client_next);
    c.client("ack");
}
// RFC 9293 sections 3.8.4 and 3.8.6.1.
void probes(Connection& c, Random& rng) {
    c.open(rng);
    c.client("ack", 100);
    c.server("ack", 1000);
    c.window = 0;
    c.client("ack");
    c.server_at("ack", c.server_next, c.client_next, 1);  // zero-window probe
    c.client_at("ack", c.client_next - 1, c.server_next, one_in(2, rng) ? 1 : 0);  // keep-alive
    c.server("ack");
    c.window = 20000;
    c.client("ack");
    c.server("ack", 1400);
}
// Around the edges of windows: RFC 7323 scaling, old data, acknowledgements of nothing.
void windows(Connection& c, Random& rng) {
    c.window = any_of(std::array{1000u, 8192u, 65535u}, rng);
    c.open(rng);
    c.client("ack", 100);
    c.server("ack", 1000);
    constexpr std::array kOffsets{0,     -1,    1,      500,     1000,  1001,  8192,  8193,
                                  65535, 65536, 130000, 1000000, -1000, -9000, -66000};
    for (int i = 0; i < 4; ++i) {
        const auto seq = static_cast<uint32_t>(any_of(kOffsets, rng)),
                   ack = static_cast<uint32_t>(any_of(kOffsets, rng));
        const bool by_ack = one_in(2, rng);
        const auto length = static_cast<unsigned>(any_of(std::array{0, 1, 100, 1000}, rng));
        if (one_in(2, rng))
            c.client_at("ack", c.client_next + (by_ack ? 0 : seq),
                        c.server_next + (by_ack ? ack : 0), length);
        else
            c.server_at("ack", c.server_next + (by_ack ? 0 : seq),
                        c.client_next + (by_ack ? ack : 0), length);
    }
    c.client("ack");
    c.server("ack");
}
// A connection that began before the firewall did.
void mid_stream(Connection& c, Random& rng) {
    for (int i = 0; i < 3; ++i) {
        c.client("ack", static_cast<unsigned>(rng() % 1000));
        c.server("ack", static_cast<unsigned>(rng() % 1000));
    }
    c.close(one_in(2, rng));
}
void retransmissions(Connection& c, Random& rng) {
    c.client_at("syn", c.client_next, 0);
    c.client_at("syn", c.client_next, 0);
    c.server_at("syn,ack", c.server_next, c.client_next + 1);
    c.server_at("syn,ack", c.server_next, c.client_next + 1);
    if (one_in(2, rng)) c.client_at("syn", c.client_next, 0);
    ++c.client_next, ++c.server_next;
    c.client("ack");
    c.client("ack", 1000);
    c.client_at("ack", c.client_next - 1000, c.server_next, 1000);
    c.server_at("syn,ack", c.server_next - 1, c.client_next - 1000);
    c.client("ack");
    c.close(false);
}

using Script = void (*)(Connection&, Random&);
constexpr std::array<Script, 15> kScripts{
    normal,    late_fin,        simultaneous_open, resets,     syn_in_established,
    half_open, time_wait_reuse, reset_then_reuse,  wrap,       syn_data,
    refused,   probes,          windows,           mid_stream, retransmissions};

// One change somewhere in a valid connection.
void mutate(std::vector<Segment>& segments, Random& rng) {
    if (segments.empty()) return;
    const size_t at = rng() % segments.size();
    Segment& s = segments[at];
    constexpr std::array<const char*, 12> kFlags{"syn",     "syn,ack", "ack",     "fin,ack",
                                                 "rst",     "rst,ack", "fin",     "syn,fin",
                                                 "syn,rst", "psh",     "ack,urg", "fin,rst,ack"};
    constexpr std::array kOffsets{1, -1, 100, -100, 1460, 70000, -70000, 1 << 20, 1 << 30};
    switch (rng() % 8) {
        case 0:
            segments.erase(segments.begin() + static_cast<long>(at));
            break;
        case 1:
            segments.insert(segments.begin() + static_cast<long>(rng() % (segments.size() + 1)),
                            Segment(s));
            break;
        case 2:
            std::swap(s, segments[rng() % segments.size()]);
            break;
        case 3:
            s.flags = any_of(kFlags, rng);
            break;
        case 4:
            s.seq += static_cast<uint32_t>(any_of(kOffsets, rng));
            break;
        case 5:
            s.ack += static_cast<uint32_t>(any_of(kOffsets, rng));
            break;
        case 6:
            s.window = any_of(std::array{0u, 1u, 1000u, 65535u}, rng);
            break;
        default:
            s.by_client = !s.by_client;
    }
}

Case with_connections(std::string kind, Random& rng, const std::function<void(Connection&)>& play) {
    Case c{.kind = std::move(kind), .rules = {kOutward}, .packets = {}};
    c.loose = one_in(2, rng);
    if (one_in(4, rng)) c.otherwise = "reject";
    for (unsigned i = 0; i < kConnections; ++i) {
        Connection connection(rng);
        play(connection);
        for (const Segment& s : connection.segments) c.packets.push_back(connection.text(s));
    }
    return c;
}

}  // namespace

Case tcp_scripts(Random& rng) {
    return with_connections("tcp", rng, [&](Connection& c) { any_of(kScripts, rng)(c, rng); });
}

Case tcp_mutations(Random& rng) {
    return with_connections("mutation", rng, [&](Connection& c) {
        any_of(kScripts, rng)(c, rng);
        for (size_t n = 1 + rng() % 3; n > 0; --n) mutate(c.segments, rng);
    });
}

}  // namespace ravelin::oracle
