// SPDX-License-Identifier: Apache-2.0
#include <fmt/format.h>

#include "tests/oracle/generate.h"

namespace ravelin::oracle {
namespace {

std::string odd_address(bool v4, Random& rng) {
    static const std::vector<std::string> kV4{
        "0.0.0.0",   "0.1.2.3",        "127.0.0.1",   "127.9.9.9", "169.254.1.1",
        "224.0.0.1", "224.0.0.251",    "239.1.1.1",   "240.0.0.1", "255.255.255.255",
        "10.0.0.0",  "10.255.255.255", "192.0.2.255", "100.64.0.1"};
    static const std::vector<std::string> kV6{
        "::",      "::1",     "fe80::1",           "ff02::1", "ff05::2",      "ff0e::1",
        "fec0::1", "fc00::1", "64:ff9b::c000:201", "2002::1", "2001:db8:1::", "100::1"};
    return any_of(v4 ? kV4 : kV6, rng);
}

std::string plain(const std::string& from, const std::string& to, bool lan, Random& rng) {
    const char* in = lan ? "lan" : "wan";
    if (one_in(2, rng))
        return fmt::format("in={} tcp {} > {} syn seq=1", in, with_port(from, 4000),
                           with_port(to, 80));
    return fmt::format("in={} udp {} > {} len=8", in, with_port(from, 4000), with_port(to, 80));
}

void addresses(Case& c, bool v4, Random& rng) {
    const std::string odd = odd_address(v4, rng);
    const std::string lan = fresh_host(true, v4, rng), wan = fresh_host(false, v4, rng);
    c.packets.push_back(one_in(2, rng) ? plain(odd, wan, true, rng) : plain(lan, odd, true, rng));
}

void hops(Case& c, bool v4, Random& rng) {
    const bool lan = !one_in(3, rng);  // from wan the rules deny it
    c.packets.push_back(plain(fresh_host(lan, v4, rng), fresh_host(!lan, v4, rng), lan, rng) +
                        fmt::format(" ttl={}", rng() % 4));
}

void flags(Case& c, bool v4, Random& rng) {
    static const std::vector<std::string> kFlags{
        "fin",         "syn,fin",     "syn,rst",         "fin,rst",     "psh",
        "urg",         "syn,psh",     "syn,urg",         "syn,ece,cwr", "fin,psh,urg",
        "syn,fin,ack", "rst,ack,psh", "fin,ack,psh,urg", "syn,ack"};
    c.packets.push_back(
        fmt::format("in=lan tcp {} > {} {} seq=1 ack=1", with_port(fresh_host(true, v4, rng), 4000),
                    with_port(fresh_host(false, v4, rng), 80), any_of(kFlags, rng)));
}

void damage(Case& c, bool v4, Random& rng) {
    static const std::vector<std::string> kDamage{" bad-checksum", " no-checksum",
                                                  " bad-ip-checksum", " pad=7", " df"};
    std::string what = any_of(kDamage, rng);
    if (!v4 && what == " bad-ip-checksum") what = " bad-checksum";
    c.packets.push_back(plain(fresh_host(true, v4, rng), fresh_host(false, v4, rng), true, rng) +
                        what);
}

// Header fields that lie about lengths. Offsets from the start of the frame, no VLAN.
void lengths(Case& c, bool v4, Random& rng) {
    const std::string from = fresh_host(true, v4, rng), to = fresh_host(false, v4, rng);
    const unsigned l4 = v4 ? 34 : 54;
    switch (rng() % 4) {
        case 0:  // UDP length, too short or too long
            c.packets.push_back(fmt::format("in=lan udp {} > {} len=20 no-checksum poke={}:{:04x}",
                                            with_port(from, 4000), with_port(to, 80), l4 + 4,
                                            any_of(std::array{0, 7, 8, 20, 29, 200}, rng)));
            break;
        case 1:  // TCP data offset
            c.packets.push_back(fmt::format("in=lan tcp {} > {} syn seq=1 len=4 poke={}:{:x}0",
                                            with_port(from, 4000), with_port(to, 80), l4 + 12,
                                            any_of(std::array{0, 4, 6, 15}, rng)));
            break;
        case 2:
            c.packets.push_back(fmt::format("in=lan ip proto={} {} > {} len={}",
                                            any_of(std::array{1, 6, 17, 58, 132}, rng), from, to,
                                            rng() % 24));
            break;
        default:
            c.packets.push_back(plain(from, to, true, rng) +
                                fmt::format(" cut={}", l4 + rng() % 20));
    }
}

}  // namespace

Case oddities(Random& rng) {
    Case c{.kind = "oddities", .rules = {"{name: out, action: accept, in: lan}"}, .packets = {}};
    if (one_in(3, rng)) c.otherwise = "reject";
    c.loose = one_in(2, rng);
    constexpr std::array kPlays{addresses, hops, flags, damage, lengths};
    for (unsigned i = 0; i < 80; ++i) any_of(kPlays, rng)(c, !one_in(3, rng), rng);
    return c;
}

}  // namespace ravelin::oracle
