// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tests/oracle/connection.h"
#include "tests/oracle/generate.h"

namespace ravelin::oracle {
namespace {

constexpr unsigned kFlows = 40;

struct Ends {
    bool v4;
    std::string client, server, router;  // router: some host behind wan that is neither
    unsigned port;
};

Ends fresh(Random& rng) {
    const bool v4 = !one_in(3, rng);
    return {v4, fresh_host(true, v4, rng), fresh_host(false, v4, rng), fresh_host(false, v4, rng),
            1024 + static_cast<unsigned>(rng() % 60000)};
}

std::string error_type(bool v4, Random& rng) {
    static const std::vector<std::string> kV4{
        "unreachable/0",  "unreachable/1",   "unreachable/3",   "unreachable/4 mtu=1400",
        "unreachable/13", "time-exceeded/0", "time-exceeded/1", "parameter-problem/0",
        "redirect/1",     "type=4 code=0"};
    static const std::vector<std::string> kV6{"unreachable/0",   "unreachable/4",
                                              "unreachable/1",   "packet-too-big mtu=1300",
                                              "time-exceeded/0", "parameter-problem/1"};
    return any_of(v4 ? kV4 : kV6, rng);
}

// An error from `from` to the sender of `quoted`.
std::string error(const Ends& e, bool to_client, const std::string& quoted, Random& rng) {
    const std::string& from = one_in(2, rng) ? e.router : to_client ? e.server : e.client;
    const bool by_lan = !to_client && from == e.client;
    return fmt::format("in={} {} {} > {} {} quoting ({})", by_lan ? "lan" : "wan",
                       e.v4 ? "icmp" : "icmp6", from, to_client ? e.client : e.server,
                       error_type(e.v4, rng), quoted);
}

void udp(Case& c, Random& rng) {
    const Ends e = fresh(rng);
    const std::string there =
        fmt::format("udp {} > {} len=20", with_port(e.client, e.port), with_port(e.server, 53));
    const std::string back =
        fmt::format("udp {} > {} len=30", with_port(e.server, 53), with_port(e.client, e.port));
    if (!one_in(4, rng)) c.packets.push_back("in=lan " + there);
    if (one_in(2, rng)) c.packets.push_back("in=wan " + back);
    c.packets.push_back(error(e, true, there, rng));
    if (one_in(2, rng)) c.packets.push_back(error(e, false, back, rng));
    const std::string wrong =
        fmt::format("udp {} > {} len=20", with_port(e.client, e.port + 1), with_port(e.server, 53));
    c.packets.push_back(error(e, true, wrong, rng));
    c.packets.push_back("in=wan " + back);
}

void tcp(Case& c, Random& rng) {
    const Ends e = fresh(rng);
    const std::string ends =
        fmt::format("{} > {}", with_port(e.client, e.port), with_port(e.server, 80));
    const std::string back =
        fmt::format("{} > {}", with_port(e.server, 80), with_port(e.client, e.port));
    const auto seq = static_cast<uint32_t>(rng()), ack = static_cast<uint32_t>(rng());
    c.packets.push_back(fmt::format("in=lan tcp {} syn seq={}", ends, seq));
    uint32_t next = seq;
    if (!one_in(3, rng)) {
        c.packets.push_back(fmt::format("in=wan tcp {} syn,ack seq={} ack={}", back, ack, seq + 1));
        c.packets.push_back(
            fmt::format("in=lan tcp {} ack seq={} ack={} len=100", ends, seq + 1, ack + 1));
        next = seq + 1;
    }
    for (int i = 0; i < 3; ++i) {
        constexpr std::array kOff{0, 0, 1, -1, 100, 101, 5000, -70000, 1 << 30};
        const uint32_t quoted = next + static_cast<uint32_t>(any_of(kOff, rng));
        c.packets.push_back(
            error(e, true,
                  fmt::format("tcp {} {} seq={} len=40", ends, next == seq ? "syn" : "ack", quoted),
                  rng));
    }
    c.packets.push_back(
        error(e, false, fmt::format("tcp {} ack seq={} ack={}", back, ack + 1, seq + 1), rng));
}

void echo(Case& c, Random& rng) {
    const Ends e = fresh(rng);
    const char* icmp = e.v4 ? "icmp" : "icmp6";
    const unsigned id = static_cast<unsigned>(rng() % 65536);
    const auto request =
        fmt::format("{} {} > {} echo-request id={} seq=1 len=16", icmp, e.client, e.server, id);
    if (!one_in(4, rng)) c.packets.push_back("in=lan " + request);
    c.packets.push_back(fmt::format("in=wan {} {} > {} echo-reply id={} seq=1 len=16", icmp,
                                    e.server, e.client, id));
    c.packets.push_back(fmt::format("in=wan {} {} > {} echo-reply id={} seq=1 len=16", icmp,
                                    e.server, e.client, (id + 1) & 0xffff));
    c.packets.push_back(fmt::format("in=wan {} {} > {} echo-request id={} seq=1 len=16", icmp,
                                    e.server, e.client, id));
    c.packets.push_back(error(e, true, request, rng));
}

// Errors whose quote is cut short, is an error itself, or is of nobody's packet.
void odd_quote(Case& c, Random& rng) {
    const Ends e = fresh(rng);
    const std::string there =
        fmt::format("udp {} > {} len=20", with_port(e.client, e.port), with_port(e.server, 53));
    c.packets.push_back("in=lan " + there);
    switch (rng() % 3) {
        case 0:
            c.packets.push_back(
                fmt::format("in=wan {0} {1} > {2} unreachable/1 quoting ({0} {2} > {1} "
                            "unreachable/1 quoting (udp {3} > {4} len=4))",
                            e.v4 ? "icmp" : "icmp6", e.server, e.client, with_port(e.server, 53),
                            with_port(e.client, e.port)));
            break;
        case 1:
            c.packets.push_back(fmt::format("in=wan {} {} > {} type={} code=1 len={}",
                                            e.v4 ? "icmp" : "icmp6", e.server, e.client,
                                            e.v4 ? 3 : 1, rng() % 40));
            break;
        default:  // to somebody else than the quoted packet's sender
            c.packets.push_back(fmt::format("in=wan {} {} > {} unreachable/{} quoting ({})",
                                            e.v4 ? "icmp" : "icmp6", e.router,
                                            fresh_host(true, e.v4, rng), 1, there));
    }
}

}  // namespace

Case icmp_errors(Random& rng) {
    Case c{.kind = "icmp",
           .rules = {"{name: out, action: accept, in: lan, protocol: [tcp, udp, icmp, icmp6]}"},
           .packets = {}};
    if (one_in(3, rng))
        c.rules.insert(c.rules.begin(),
                       "{name: no-errors, action: drop, protocol: icmp, icmp-types: [unreachable, "
                       "redirect], state: related}");
    if (one_in(4, rng))
        c.rules.emplace_back(
            "{name: strays, action: accept, protocol: [icmp, icmp6], state: invalid}");
    if (one_in(4, rng)) c.otherwise = "reject";
    constexpr std::array kPlays{udp, tcp, echo, odd_quote};
    for (unsigned i = 0; i < kFlows; ++i) any_of(kPlays, rng)(c, rng);
    return c;
}

}  // namespace ravelin::oracle
