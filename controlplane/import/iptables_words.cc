// SPDX-License-Identifier: Apache-2.0
#include "controlplane/import/iptables_words.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <string_view>

namespace ravelin::import {

std::vector<std::string> split(const std::string& text, char at) {
    std::vector<std::string> out{""};
    for (const char c : text)
        if (c == at)
            out.emplace_back();
        else
            out.back() += c;
    return out;
}

std::string lower(std::string text) {
    std::ranges::transform(text, text.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

std::optional<uint64_t> number_of(const std::string& text, uint64_t most) {
    const bool hex = text.starts_with("0x");
    const char *first = text.data() + (hex ? 2 : 0), *last = text.data() + text.size();
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(first, last, value, hex ? 16 : 10);
    if (error != std::errc{} || end != last || first == last || value > most) return std::nullopt;
    return value;
}

std::optional<uint8_t> protocol_number(const std::string& name) {
    static const std::map<std::string, uint8_t, std::less<>> kNames{
        {"tcp", 6},   {"udp", 17},      {"icmp", 1},    {"icmpv6", 58}, {"ipv6-icmp", 58},
        {"gre", 47},  {"esp", 50},      {"ah", 51},     {"sctp", 132},  {"igmp", 2},
        {"ospf", 89}, {"ospfigp", 89},  {"vrrp", 112},  {"ipv6", 41},   {"ipip", 4},
        {"pim", 103}, {"udplite", 136}, {"ipencap", 4}, {"dccp", 33}};
    if (const auto found = kNames.find(lower(name)); found != kNames.end()) return found->second;
    const auto number = number_of(name, 255);
    return number ? std::optional(static_cast<uint8_t>(*number)) : std::nullopt;
}

std::optional<uint64_t> port_number(const std::string& text) {
    static const std::map<std::string, uint64_t, std::less<>> kServices{
        {"ftp", 21},    {"ssh", 22},    {"telnet", 23}, {"smtp", 25},   {"domain", 53},
        {"http", 80},   {"www", 80},    {"pop3", 110},  {"auth", 113},  {"ntp", 123},
        {"imap", 143},  {"imap2", 143}, {"snmp", 161},  {"https", 443}, {"syslog", 514},
        {"bootps", 67}, {"bootpc", 68}, {"tftp", 69},   {"imaps", 993}, {"pop3s", 995}};
    if (const auto found = kServices.find(text); found != kServices.end()) return found->second;
    return number_of(text, 65535);
}

namespace {

using TypeNames = std::map<std::string, uint8_t, std::less<>>;

const TypeNames& icmp_names() {
    static const TypeNames kNames{{"echo-reply", 0},
                                  {"pong", 0},
                                  {"destination-unreachable", 3},
                                  {"source-quench", 4},
                                  {"redirect", 5},
                                  {"echo-request", 8},
                                  {"ping", 8},
                                  {"router-advertisement", 9},
                                  {"router-solicitation", 10},
                                  {"time-exceeded", 11},
                                  {"ttl-exceeded", 11},
                                  {"parameter-problem", 12},
                                  {"timestamp-request", 13},
                                  {"timestamp-reply", 14},
                                  {"address-mask-request", 17},
                                  {"address-mask-reply", 18}};
    return kNames;
}

const TypeNames& icmp6_names() {
    static const TypeNames kNames{{"destination-unreachable", 1},
                                  {"packet-too-big", 2},
                                  {"time-exceeded", 3},
                                  {"ttl-exceeded", 3},
                                  {"parameter-problem", 4},
                                  {"echo-request", 128},
                                  {"ping", 128},
                                  {"echo-reply", 129},
                                  {"pong", 129},
                                  {"router-solicitation", 133},
                                  {"router-advertisement", 134},
                                  {"neighbour-solicitation", 135},
                                  {"neighbor-solicitation", 135},
                                  {"neighbour-advertisement", 136},
                                  {"neighbor-advertisement", 136},
                                  {"redirect", 137}};
    return kNames;
}

// Codes that have names of their own, and the types they belong to.
const TypeNames& icmp_code_names() {
    static const TypeNames kNames{{"network-unreachable", 3},
                                  {"host-unreachable", 3},
                                  {"protocol-unreachable", 3},
                                  {"port-unreachable", 3},
                                  {"fragmentation-needed", 3},
                                  {"source-route-failed", 3},
                                  {"communication-prohibited", 3},
                                  {"host-prohibited", 3},
                                  {"network-prohibited", 3},
                                  {"ttl-zero-during-transit", 11},
                                  {"ttl-zero-during-reassembly", 11},
                                  {"ip-header-bad", 12},
                                  {"required-option-missing", 12},
                                  {"network-redirect", 5},
                                  {"host-redirect", 5}};
    return kNames;
}

}  // namespace

std::optional<IcmpType> icmp_type(const std::string& text, bool v6) {
    const auto& names = v6 ? icmp6_names() : icmp_names();
    if (const auto found = names.find(text); found != names.end()) return IcmpType{found->second};
    if (const auto found = icmp_code_names().find(text); !v6 && found != icmp_code_names().end())
        return IcmpType{found->second, true};
    const auto parts = split(text, '/');
    const auto type = number_of(parts.front(), 255);
    if (!type || parts.size() > 2) return std::nullopt;
    return IcmpType{static_cast<uint8_t>(*type), parts.size() == 2};
}

}  // namespace ravelin::import
