// SPDX-License-Identifier: Apache-2.0
// The members of a rule that become a RuleExtra. Without EAL.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include "pipelines/stages/firewall_conditions.h"
#include "pipelines/stages/firewall_extra_schema.h"

namespace ravelin::firewall {
namespace {

using config::Node;
using Word = std::pair<std::string_view, uint8_t>;

// RFC 9293 section 3.1, in the order of their bits.
constexpr std::array<std::string_view, 8> kFlagWords{"fin", "syn", "rst", "psh",
                                                     "ack", "urg", "ece", "cwr"};
// RFC 2474, RFC 2597, RFC 3246, RFC 5865, RFC 8622.
constexpr std::array<Word, 24> kCodePoints{
    {{"be", 0},    {"le", 1},    {"cs0", 0},   {"cs1", 8},   {"cs2", 16},  {"cs3", 24},
     {"cs4", 32},  {"cs5", 40},  {"cs6", 48},  {"cs7", 56},  {"af11", 10}, {"af12", 12},
     {"af13", 14}, {"af21", 18}, {"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28},
     {"af33", 30}, {"af41", 34}, {"af42", 36}, {"af43", 38}, {"va", 44},   {"ef", 46}}};
constexpr unsigned kDefaultBurst = 5;  // as nft has it
constexpr uint64_t kNsPerSecond = 1'000'000'000, kLeastBurstBytes = 65536;

std::optional<unsigned> number_of(std::string_view text, unsigned most) {
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size() || value > most)
        return std::nullopt;
    return value;
}

std::optional<std::pair<unsigned, unsigned>> range_of(std::string_view text, unsigned most) {
    const size_t dash = text.find('-');
    const auto low = number_of(text.substr(0, dash), most);
    const auto high = dash == std::string_view::npos ? low : number_of(text.substr(dash + 1), most);
    if (!low || !high || *low > *high) return std::nullopt;
    return std::pair(*low, *high);
}

// "syn,ack"; "none" is no flag, and what is neither is -1.
int flags_of(std::string_view text) {
    if (text == "none") return 0;
    unsigned flags = 0;
    for (size_t at = 0; at <= text.size();) {
        const size_t end = std::min(text.find(',', at), text.size());
        const auto word = std::ranges::find(kFlagWords, text.substr(at, end - at));
        if (word == kFlagWords.end()) return -1;
        flags |= 1u << (word - kFlagWords.begin());
        at = end + 1;
    }
    return static_cast<int>(flags);
}

Status read_tcp_flags(const Node& rule, Conditions& to) {
    if (!rule.has("tcp-flags")) return ok_status();
    const std::string& text = rule["tcp-flags"].as_text();
    const size_t slash = text.find('/');
    const int value = flags_of(std::string_view(text).substr(0, slash));
    const int mask =
        slash == std::string::npos ? -1 : flags_of(std::string_view(text).substr(slash + 1));
    if (value < 0 || mask <= 0 || (value & ~mask) != 0)
        return Error{fmt::format(
            "tcp-flags: found '{}', expected those set of those looked at, like syn/syn,ack; of "
            "fin syn rst psh ack urg ece cwr, or none/...",
            text)};
    to.tcp_flags = static_cast<uint8_t>(value);
    to.tcp_mask = static_cast<uint8_t>(mask);
    return ok_status();
}

Status read_dscp(const Node& rule, Conditions& to) {
    if (!rule.has("dscp")) return ok_status();
    to.dscp = 0;
    for (const std::string& text : rule["dscp"].as_names()) {
        const auto word = std::ranges::find(kCodePoints, text, &Word::first);
        const auto number =
            word != kCodePoints.end() ? std::optional<unsigned>(word->second) : number_of(text, 63);
        if (!number)
            return Error{fmt::format(
                "dscp: found '{}', expected be, le, cs0 to cs7, af11 to af43, va, ef or 0 to 63",
                text)};
        to.dscp |= uint64_t{1} << *number;
    }
    return ok_status();
}

Status read_ranges(const Node& rule, Conditions& to) {
    if (rule.has("ttl")) {
        to.hops = {};
        for (const std::string& text : rule["ttl"].as_names()) {
            const auto range = range_of(text, 255);
            if (!range)
                return Error{
                    fmt::format("ttl: found '{}', expected 0 to 255 or a range like 1-64", text)};
            for (unsigned hop = range->first; hop <= range->second; ++hop)
                to.hops[hop / 64] |= uint64_t{1} << hop % 64;
        }
    }
    if (rule.has("length")) {
        const std::string& text = rule["length"].as_text();
        const auto range = range_of(text, 65535);
        if (!range)
            return Error{
                fmt::format("length: found '{}', expected bytes of the IP packet, 0 to "
                            "65535 or a range like 0-576",
                            text)};
        to.shortest = static_cast<uint16_t>(range->first);
        to.longest = static_cast<uint16_t>(range->second);
    }
    return ok_status();
}

Conditions::Wanted wanted(const Node& rule, std::string_view member) {
    if (!rule.has(member)) return Conditions::Wanted::kAny;
    return rule[member].as_bool() ? Conditions::Wanted::kYes : Conditions::Wanted::kNo;
}

Status read_limit(const Node& limit, std::optional<LimitSpec>& to) {
    if (limit.is_null()) return ok_status();
    const bool rate = limit.has("rate"), every = limit.has("every");
    const bool bandwidth = limit.has("bandwidth");
    if (unsigned{rate} + unsigned{every} + unsigned{bandwidth} != 1)
        return Error{"limit: expected one of rate, every and bandwidth"};
    if (limit.has(bandwidth ? "burst" : "burst-size"))
        return Error{bandwidth ? "limit: burst counts packets, expected burst-size with bandwidth"
                               : "limit: burst-size counts bytes, expected burst"};
    LimitSpec spec;
    uint64_t units = limit.has("burst") ? static_cast<uint64_t>(limit["burst"].as_integer())
                                        : uint64_t{kDefaultBurst};
    const auto number = [&](std::string_view member) {
        return static_cast<uint64_t>(limit[member].as_integer());
    };
    spec.cost = every ? number("every") : kNsPerSecond;
    if (rate) spec.per = number("rate");
    if (bandwidth) {
        spec.unit = LimitSpec::Unit::kBytes;
        spec.cost = 8 * kNsPerSecond;
        spec.per = number("bandwidth");
        units = limit.has("burst-size")
                    ? number("burst-size")
                    : std::min<uint64_t>(std::max(spec.per / 8, kLeastBurstBytes), 1u << 30);
    }
    // As often as a packet costs: rounding must not take the burst's last one.
    spec.depth_ns = bandwidth ? units * spec.cost / spec.per : units * (spec.cost / spec.per);
    const auto per = std::ranges::find(kPerWords, limit["per"].as_text());
    spec.key = static_cast<LimitSpec::Key>(per == kPerWords.end() ? 0 : per - kPerWords.begin());
    spec.over = limit["over"].as_bool();
    spec.size = static_cast<uint32_t>(number("size"));
    to = spec;
    return ok_status();
}

Status read_connections(const Node& rule, Connections& to) {
    const Node& node = rule["connections"];
    if (node.is_null()) return ok_status();
    to.per_source = static_cast<uint32_t>(node["per-source"].as_integer());
    to.over = node["over"].as_bool();
    to.of = node["of"].as_text();
    if (to.of == rule["name"].as_text()) to.of.clear();
    const bool stateful = rule["stateful"].is_null() || rule["stateful"].as_bool();
    const bool counts = rule["action"].as_text() == "accept" && stateful && !to.over;
    if (to.of.empty() && !counts)
        return Error{
            "connections: the rule itself opens no flows within the number, expected of: "
            "the rule whose flows count"};
    return ok_status();
}

// What a handshake by cookie cannot be: two packets of two lengths stand for one connection.
Status check_syn_proxy(const Node& rule) {
    const bool stateful = rule["stateful"].is_null() || rule["stateful"].as_bool();
    if (rule["action"].as_text() != "accept" || !stateful)
        return Error{"syn-proxy: found a rule that opens no flows, expected action accept"};
    if (rule.has("length") || rule.has("fragment"))
        return Error{
            "syn-proxy: found length or fragment beside it, which SYN and ACK may differ "
            "in; expected neither"};
    return ok_status();
}

}  // namespace

Result<std::optional<SynProxy>> read_syn_proxy(const Node& rule) {
    const Node& node = rule["syn-proxy"];
    if (node.is_null()) return std::optional<SynProxy>();
    if (auto s = check_syn_proxy(rule); !s) return std::move(s.error());
    SynProxy proxy;
    if (node.has("mss")) proxy.segment_size = static_cast<uint16_t>(node["mss"].as_integer());
    if (node.has("window-scale"))
        proxy.window_scale = static_cast<int8_t>(node["window-scale"].as_integer());
    if (node.has("sack")) proxy.sack = node["sack"].as_bool();
    if (node.has("timestamps")) proxy.timestamps = node["timestamps"].as_bool();
    if (!node.has("above")) return std::optional(proxy);
    LimitSpec above;
    above.cost = kNsPerSecond;
    above.per = static_cast<uint64_t>(node["above"].as_integer());
    above.depth_ns = std::max<uint64_t>(above.per / 10, kDefaultBurst) * (above.cost / above.per);
    proxy.above = above;
    return std::optional(proxy);
}

Result<RuleExtra> read_extra(const Node& rule) {
    RuleExtra extra;
    Conditions& c = extra.conditions;
    for (const auto step : {read_tcp_flags, read_dscp, read_ranges})
        if (auto s = step(rule, c); !s) return std::move(s.error());
    c.fragment = wanted(rule, "fragment");
    c.options = wanted(rule, "options");
    if (auto s = read_limit(rule["limit"], extra.limit); !s) return std::move(s.error());
    if (auto s = read_connections(rule, extra.connections); !s) return std::move(s.error());
    return extra;
}

}  // namespace ravelin::firewall
