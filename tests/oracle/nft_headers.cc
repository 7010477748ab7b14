// SPDX-License-Identifier: Apache-2.0
// Conditions on header fields, as nft says them in the forward hook.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <string_view>
#include <vector>

#include "tests/oracle/nft.h"

namespace ravelin::oracle {
namespace {

using config::Node;
// RFC 9293 section 3.1: from the lowest bit.
constexpr std::array<std::string_view, 8> kFlags{"fin", "syn", "rst", "psh",
                                                 "ack", "urg", "ece", "cwr"};

unsigned flags_of(const std::string& text) {
    unsigned out = 0;
    for (size_t i = 0; i < kFlags.size(); ++i)
        if (text.find(kFlags[i]) != std::string::npos) out |= 1u << i;
    return out;
}

// The hop is counted before the hook, so what was 64 is 63 here.
std::string hops(const Node& rule, bool v4) {
    if (!rule.has("ttl")) return {};
    std::bitset<256> wanted;
    for (const std::string& text : rule["ttl"].as_names()) {
        const size_t dash = text.find('-');
        const int low = std::stoi(text);
        const int high = dash == std::string::npos ? low : std::stoi(text.substr(dash + 1));
        for (int hop = std::max(low, 2); hop <= high; ++hop)
            wanted.set(static_cast<size_t>(hop - 1));
    }
    std::vector<std::string> values;
    for (size_t hop = 0; hop < wanted.size(); ++hop)
        if (wanted[hop]) values.push_back(std::to_string(hop));
    if (values.empty()) return kNever;
    return fmt::format("{} {{ {} }} ", v4 ? "ip ttl" : "ip6 hoplimit", fmt::join(values, ", "));
}

}  // namespace

std::string header_clause(const Node& rule, bool v4) {
    std::string out = hops(rule, v4);
    if (out == kNever) return out;
    if (rule.has("dscp")) {
        const auto words = rule["dscp"].as_names();
        if (words.empty()) return kNever;
        out += fmt::format("{} dscp {{ {} }} ", v4 ? "ip" : "ip6", fmt::join(words, ", "));
    }
    if (rule.has("length")) out += fmt::format("meta length {} ", rule["length"].as_text());
    if (rule.has("tcp-flags")) {
        const std::string& text = rule["tcp-flags"].as_text();
        const size_t slash = text.find('/');
        out += fmt::format("tcp flags & {:#04x} == {:#04x} ", flags_of(text.substr(slash + 1)),
                           flags_of(text.substr(0, slash)));
    }
    return out;
}

}  // namespace ravelin::oracle
