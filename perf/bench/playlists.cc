// SPDX-License-Identifier: Apache-2.0
#include "perf/bench/playlists.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <numeric>

#include "dataplane/net/headers.h"
#include "perf/bench/box.h"
#include "tests/support/data.h"

namespace ravelin::perf {
namespace {

constexpr uint32_t kServers = 0xc6120000;  // 198.18.0.0/15 (RFC 2544)

uint32_t within(const Prefix& prefix, std::mt19937_64& random) {
    const unsigned length = prefix.length;
    const uint32_t mask = length == 0 ? 0 : ~uint32_t{0} << (32 - length);
    return (prefix.address.v4_host() & mask) | (static_cast<uint32_t>(random()) & ~mask);
}

Prefix prefix_of(uint32_t address, unsigned length) {
    const uint32_t mask = ~uint32_t{0} << (32 - length);
    return {IpAddress::v4(address & mask), static_cast<uint8_t>(length)};
}

/// An address of the rule's, or a wide one where it has any; false: none that is forwarded.
bool draw(const std::vector<Prefix>& prefixes, uint32_t otherwise, std::mt19937_64& random,
          be32& out) {
    constexpr int kTries = 8;
    for (int i = 0; i < kTries; ++i) {
        const uint32_t address =
            prefixes.empty() ? otherwise : within(prefixes[random() % prefixes.size()], random);
        out = be32(address);
        if (is_forwarded(address)) return true;
    }
    return false;
}

uint16_t draw(const std::vector<config::PortRange>& ranges, std::mt19937_64& random) {
    if (ranges.empty()) return static_cast<uint16_t>(1024 + random() % 64000);
    const auto& r = ranges[random() % ranges.size()];
    return static_cast<uint16_t>(r.low + random() % (uint32_t{r.high} - r.low + 1));
}

bool draw(const ClassifierRule& rule, std::mt19937_64& random, Descriptor& flow) {
    const auto has = [&](uint8_t p) {
        return rule.protocols.empty() ||
               std::ranges::find(rule.protocols, p) != rule.protocols.end();
    };
    if (!has(net::kUdp) && !has(net::kTcp)) return false;
    flow.protocol = has(net::kUdp) ? net::kUdp : net::kTcp;
    const auto any = static_cast<uint32_t>(random());
    if (!draw(rule.sources, kClients + any % 0xf0000, random, flow.source)) return false;
    if (!draw(rule.destinations, kServers + (any >> 12) % 0x20000, random, flow.destination))
        return false;
    flow.source_port = be16(draw(rule.source_ports, random));
    flow.destination_port = be16(draw(rule.destination_ports, random));
    return flow.source.raw() != flow.destination.raw();  // a land attack: parse drops it
}

std::string list_of(const char* name, const std::vector<Prefix>& prefixes) {
    std::string text;
    for (const Prefix& p : prefixes) text += (text.empty() ? "" : ", ") + p.to_string();
    return text.empty() ? "" : fmt::format(", {}: [{}]", name, text);
}

std::string list_of(const char* name, const std::vector<config::PortRange>& ranges) {
    std::string text;
    for (const auto& r : ranges)
        text += (text.empty() ? "" : ", ") +
                (r.low == r.high ? std::to_string(r.low) : fmt::format("{}-{}", r.low, r.high));
    return text.empty() ? "" : fmt::format(", {}: [{}]", name, text);
}

}  // namespace

bool is_forwarded(uint32_t address) {
    const uint32_t first = address >> 24;
    const bool own = (address >> 8) == 0x0a0000 || (address >> 8) == 0xc00002;
    return first != 0 && first != 127 && first < 224 && address >> 16 != 0xa9fe && !own;
}

void write_conversations(std::span<Descriptor> flows, uint8_t protocol) {
    std::vector<uint32_t> order(flows.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::shuffle(order, std::mt19937_64(1));
    for (size_t i = 0; i < flows.size(); ++i) {
        const uint32_t id = order[i];
        flows[i].source = be32(kClients + id / 16);
        flows[i].source_port = be16(static_cast<uint16_t>(20'000 + id % 16 * 1009));
        flows[i].destination = be32(kServers + id * 7 % 997);
        flows[i].destination_port = be16(443);
        flows[i].protocol = protocol;
    }
}

namespace {

/// Places below n, ranked in no order; that of rank k comes about k times less often than the first
/// (log(1 + 1/k) as often).
class Ranks {
  public:
    explicit Ranks(size_t n) : places_(n) {
        std::iota(places_.begin(), places_.end(), size_t{0});
        std::ranges::shuffle(places_, std::mt19937_64(4));
    }
    size_t any(std::mt19937_64& random) const {
        const double part = std::uniform_real_distribution<double>(0, 1)(random);
        const double rank = std::exp(part * std::log(static_cast<double>(places_.size()) + 1));
        return places_[std::min(static_cast<size_t>(rank), places_.size()) - 1];
    }

  private:
    std::vector<size_t> places_;
};

}  // namespace

void write_to_prefixes(std::span<Descriptor> flows, const std::vector<Prefix>& prefixes,
                       uint32_t sources, Popularity popularity) {
    std::mt19937_64 random(2);
    const Ranks ranks(popularity == Popularity::kZipf ? prefixes.size() : 0);
    const auto chosen = [&] {
        return popularity == Popularity::kZipf ? ranks.any(random) : random() % prefixes.size();
    };
    for (Descriptor& flow : flows) {
        uint32_t to = 0;
        do to = within(prefixes[chosen()], random);
        while (!is_forwarded(to) || to >> 24 == 10);
        const auto any = static_cast<uint32_t>(random());
        flow.source = be32(kClients + any % (sources != 0 ? sources : 0xf0000));
        flow.destination = be32(to);
        flow.source_port = be16(static_cast<uint16_t>(1024 + (any >> 16) % 60'000));
        flow.destination_port = be16(53);
        flow.protocol = net::kUdp;
    }
}

void write_to_rules(std::span<Descriptor> flows, const std::vector<ClassifierRule>& rules) {
    std::mt19937_64 random(3);
    size_t rule = 0, refused = 0;
    for (Descriptor& flow : flows) {
        while (!draw(rules[rule++ % rules.size()], random, flow))
            if (++refused > 100 * rules.size() + flows.size() * 100)
                give_up("these rules can hardly be met by what this router forwards");
    }
    std::ranges::shuffle(flows, random);
}

std::vector<ClassifierRule> mixed_rules(uint32_t n, uint32_t seed) {
    std::mt19937 random(seed);
    const auto upto = [&](uint32_t most) { return static_cast<uint32_t>(random() % most); };
    std::vector<ClassifierRule> rules(n);
    for (ClassifierRule& rule : rules) {
        const uint32_t s = upto(10);
        rule.sources = {prefix_of(kClients + upto(0xf00000), s < 3 ? 32 : s < 7 ? 24 : 16)};
        rule.destinations = {prefix_of(kServers + upto(0x20000), upto(2) == 0 ? 32 : 24)};
        rule.protocols = {upto(2) == 0 ? net::kTcp : net::kUdp};
        const auto low = static_cast<uint16_t>(1 + upto(60'000));
        const uint32_t width = upto(10) < 7 ? 0 : upto(1000);
        rule.destination_ports = {{low, static_cast<uint16_t>(low + width)}};
    }
    return rules;
}

std::vector<Prefix> mixed_prefixes(uint32_t n, uint32_t seed) {
    std::mt19937 random(seed);
    std::vector<Prefix> prefixes;
    while (prefixes.size() < n) {
        const unsigned kind = static_cast<unsigned>(random() % 100);
        const unsigned length = kind < 60   ? 24
                                : kind < 70 ? 23
                                : kind < 82 ? 22
                                            : 16 + static_cast<unsigned>(random() % 6);
        const Prefix prefix = prefix_of(static_cast<uint32_t>(random()), length);
        const uint32_t first = prefix.first().v4_host();
        if (is_forwarded(first) && first >> 24 != 10 && first >> 24 != 192)
            prefixes.push_back(prefix);
        if (prefixes.size() != n) continue;
        std::ranges::sort(prefixes);
        // Not of std::ranges: clang 14 does not read its result.
        prefixes.erase(std::unique(prefixes.begin(), prefixes.end()), prefixes.end());
    }
    return prefixes;
}

std::vector<Prefix> prefixes_of(const std::string& path) {
    std::vector<Prefix> prefixes;
    for (const std::string& line : test::read_lines(path))
        if (const auto p = Prefix::parse(line); p && p->is_v4()) prefixes.push_back(*p);
    return prefixes;
}

std::string rule_text(const std::vector<ClassifierRule>& rules, const std::string& members) {
    std::string text;
    for (size_t i = 0; i < rules.size(); ++i) {
        const ClassifierRule& r = rules[i];
        text += fmt::format("{}{{name: r{}, action: accept", i == 0 ? "" : ",\n", i);
        text += list_of("from", r.sources) + list_of("to", r.destinations) +
                list_of("from-ports", r.source_ports) + list_of("to-ports", r.destination_ports);
        if (!r.protocols.empty()) text += fmt::format(", protocol: {}", r.protocols.front());
        text += members + "}";
    }
    return text;
}

std::string prefix_file(const std::vector<Prefix>& prefixes) {
    static const std::string path = fmt::format("/dev/shm/ravelin-prefixes-{}", getpid());
    std::ofstream file(path);
    for (const Prefix& p : prefixes) file << p.to_string() << '\n';
    std::atexit([] { unlink(path.c_str()); });
    return path;
}

}  // namespace ravelin::perf
