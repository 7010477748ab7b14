// SPDX-License-Identifier: Apache-2.0
#include "tests/oracle/nft.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>
#include <vector>

#include "pipelines/stages/firewall_rules.h"

namespace ravelin::oracle {
namespace {

using config::Node;
using Words = std::vector<std::string>;

// Packets of the kinds that Ravelin gives no flow (state `untracked`): ICMP other than echo and
// errors, group management. Everything else has a state in both.
constexpr const char* kUntracked =
    "  icmp type != {{ 0, 3, 4, 5, 8, 11, 12 }} notrack\n"
    "  icmpv6 type {{ 130-255 }} notrack\n"
    "  meta l4proto {{ 2, {} }} notrack\n";

struct Number {
    std::string_view word;
    int icmp, icmp6;
};
// RFC 792, RFC 4443, RFC 4861, RFC 2710, RFC 3810, RFC 3122: by hand, not from the firewall.
constexpr std::array<Number, 19> kTypes{{
    {"echo-request", 8, 128},
    {"echo-reply", 0, 129},
    {"unreachable", 3, 1},
    {"packet-too-big", -1, 2},
    {"time-exceeded", 11, 3},
    {"parameter-problem", 12, 4},
    {"redirect", 5, 137},
    {"router-solicitation", 10, 133},
    {"router-advertisement", 9, 134},
    {"neighbour-solicitation", -1, 135},
    {"neighbour-advertisement", -1, 136},
    {"inverse-solicitation", -1, 141},
    {"inverse-advertisement", -1, 142},
    {"multicast-query", -1, 130},
    {"multicast-report", -1, 131},
    {"multicast-done", -1, 132},
    {"multicast-report-v2", -1, 143},
    {"timestamp-request", 13, -1},
    {"timestamp-reply", 14, -1},
}};
constexpr std::array<std::pair<std::string_view, int>, 11> kProtocols{{{"icmp", 1},
                                                                       {"igmp", 2},
                                                                       {"tcp", 6},
                                                                       {"udp", 17},
                                                                       {"gre", 47},
                                                                       {"esp", 50},
                                                                       {"ah", 51},
                                                                       {"icmp6", 58},
                                                                       {"ospf", 89},
                                                                       {"vrrp", 112},
                                                                       {"sctp", 132}}};
constexpr std::array kStates{"new", "established", "related", "invalid", "untracked"};
constexpr std::array<std::string_view, 22> kKnown{
    "name",      "action",   "in",         "out",      "family",     "from",
    "to",        "protocol", "from-ports", "to-ports", "icmp-types", "icmp-type-numbers",
    "hop-limit", "state",    "stateful",   "log",      "slot",       "disabled",
    "ttl",       "dscp",     "length",     "tcp-flags"};

int protocol_number(const std::string& word) {
    for (const auto& [name, number] : kProtocols)
        if (name == word) return number;
    return std::stoi(word);
}

// Prefixes of a set as nftables takes them in an interval set: those that others hold are left out,
// as it refuses overlaps ("conflicting intervals") in a set without auto-merge.
Words of_family(const std::vector<Prefix>& all, bool v4) {
    Words out;
    for (size_t i = 0; i < all.size(); ++i) {
        if (all[i].is_v4() != v4) continue;
        const Prefix p{all[i].first(), all[i].length};
        const auto holds = [&](const Prefix& q) {
            return q.is_v4() == v4 && q.contains(p.address) && (q.length < p.length);
        };
        const auto same = [&](size_t j) {
            return all[j].is_v4() == v4 && all[j].length == p.length && all[j].contains(p.address);
        };
        bool needed = std::ranges::none_of(all, holds);
        for (size_t j = 0; j < i; ++j) needed &= !same(j);
        if (needed) out.push_back(p.to_string());
    }
    return out;
}

std::string port_set(std::vector<config::PortRange> ranges) {
    std::ranges::sort(ranges, {}, &config::PortRange::low);
    std::vector<config::PortRange> joined;
    for (const auto& r : ranges) {
        if (!joined.empty() && r.low <= joined.back().high + 1)
            joined.back().high = std::max(joined.back().high, r.high);
        else
            joined.push_back(r);
    }
    Words out;
    for (const auto& r : joined) out.push_back(fmt::format("{}-{}", r.low, r.high));
    return fmt::format("{{ {} }}", fmt::join(out, ", "));
}

/// One rule. Each member gives a clause; clauses are joined once per address family.
class Translator {
  public:
    explicit Translator(const Node& rule) : rule_(rule) {}

    Result<std::string> run() {
        for (const auto& [member, value] : rule_.members())
            if (!value.is_null() && std::ranges::find(kKnown, member) == kKnown.end())
                return refused(fmt::format("'{}' has no translation", member));
        if (!rule_["stateful"].is_null() && !rule_["stateful"].as_bool() &&
            rule_["action"].as_text() == "accept")
            return refused("'stateful: false' would need its packets untracked");
        if (rule_["disabled"].as_bool()) return std::string{};
        for (const bool v4 : {true, false}) family(v4);
        return out_;
    }

  private:
    Error refused(const std::string& why) const {
        return Error{fmt::format("rule '{}': {}", rule_["name"].as_text(), why)};
    }

    // Device names; nothing if no forwarded packet can match.
    static std::optional<std::string> devices(const Node& node, const char* key) {
        Words names;
        for (const std::string& name : node.as_names())
            if (name != "local") names.push_back(fmt::format("\"{}\"", name));
        if (names.empty()) return std::nullopt;
        return fmt::format("{} {{ {} }} ", key, fmt::join(names, ", "));
    }

    void family(bool v4) {
        const std::string& only = rule_["family"].as_text();
        if (!only.empty() && (only == "ip4") != v4) return;
        std::string clause = fmt::format("  meta nfproto {} ", v4 ? "ipv4" : "ipv6");
        for (const auto& [member, key] : {std::pair{"in", "iifname"}, {"out", "oifname"}}) {
            if (!rule_.has(member)) continue;
            const auto d = devices(rule_[member], key);
            if (!d) return;
            clause += *d;
        }
        for (const auto& [member, key] : {std::pair{"from", "saddr"}, {"to", "daddr"}}) {
            if (!rule_.has(member)) continue;
            const Words set = of_family(rule_[member].as_prefixes(), v4);
            if (set.empty()) return;
            clause += fmt::format("{} {} {{ {} }} ", v4 ? "ip" : "ip6", key, fmt::join(set, ", "));
        }
        // The forward hook comes after the hop is counted (ip_forward, ip6_forward).
        const auto hops = rule_["hop-limit"].as_integer();
        if (hops == 1) return;  // never forwarded
        if (hops != 0) clause += fmt::format("{} {} ", v4 ? "ip ttl" : "ip6 hoplimit", hops - 1);
        upper(clause, v4);
    }

    std::vector<int> protocols() const {
        std::vector<int> out;
        for (const std::string& name : rule_["protocol"].as_names()) {
            if (name == "any") return {};
            out.push_back(protocol_number(name));
        }
        return out;
    }

    void upper(std::string clause, bool v4) {
        std::vector<int> numbers = protocols();
        if (rule_.has("protocol") && rule_["protocol"].as_names().empty()) return;
        const std::string headers = header_clause(rule_, v4);
        if (headers == kNever) return;
        const bool ports = rule_.has("from-ports") || rule_.has("to-ports");
        const bool types = rule_.has("icmp-types") || rule_.has("icmp-type-numbers");
        const auto keep = [&](std::vector<int> wanted) {
            if (numbers.empty()) numbers = wanted;
            std::erase_if(numbers,
                          [&](int n) { return std::ranges::find(wanted, n) == wanted.end(); });
            return !numbers.empty();
        };
        if (ports && !keep({6, 17, 132})) return;
        if (rule_.has("tcp-flags") && !keep({6})) return;
        // The families have one ICMP each; the other one's numbers mean nothing there.
        if (types && !keep({v4 ? 1 : 58})) return;
        if (!numbers.empty())
            clause += fmt::format("meta l4proto {{ {} }} ", fmt::join(numbers, ", "));
        for (const auto& [member, key] :
             {std::pair{"from-ports", "sport"}, {"to-ports", "dport"}}) {
            if (!rule_.has(member)) continue;
            const auto ranges = rule_[member].as_ports();
            if (ranges.empty()) return;
            clause += fmt::format("th {} {} ", key, port_set(ranges));
        }
        if (types && !icmp(clause, v4)) return;
        clause += headers;
        if (!states(clause)) return;
        verdict(clause);
    }

    bool icmp(std::string& clause, bool v4) const {
        std::vector<int> numbers;
        const auto words = static_cast<uint64_t>(rule_["icmp-types"].as_integer());
        for (size_t i = 0; i < kTypes.size(); ++i) {
            const int number = v4 ? kTypes[i].icmp : kTypes[i].icmp6;
            if ((words >> i & 1) != 0 && number >= 0) numbers.push_back(number);
        }
        for (const std::string& text : rule_["icmp-type-numbers"].as_names())
            numbers.push_back(std::stoi(text));
        std::ranges::sort(numbers);
        numbers.erase(std::unique(numbers.begin(), numbers.end()), numbers.end());
        if (numbers.empty()) return false;
        clause +=
            fmt::format("{} type {{ {} }} ", v4 ? "icmp" : "icmpv6", fmt::join(numbers, ", "));
        return true;
    }

    bool states(std::string& clause) const {
        if (!rule_.has("state")) {
            clause += "ct state { new, established, related, untracked } ";
            return true;
        }
        Words words;
        for (size_t i = 0; i < kStates.size(); ++i)
            if ((rule_["state"].as_integer() >> i & 1) != 0) words.emplace_back(kStates[i]);
        if (words.empty()) return false;
        clause += fmt::format("ct state {{ {} }} ", fmt::join(words, ", "));
        return true;
    }

    void verdict(const std::string& clause) {
        const std::string& action = rule_["action"].as_text();
        if (action != "reject") {
            out_ += clause + action + "\n";
            return;
        }
        out_ += clause + "meta l4proto tcp reject with tcp reset\n";
        out_ += clause + "reject with icmpx admin-prohibited\n";
    }

    const Node& rule_;
    std::string out_;
};

// The rules nobody writes, in the words of a rule.
std::string builtins() {
    std::string out;
    for (const firewall::BuiltinRule& b : firewall::builtin_rules()) {
        if (b.icmp_types.empty() || b.link_scope) continue;  // to the box itself only
        const bool v4 = b.protocol == "icmp";
        out +=
            fmt::format("  meta nfproto {} {} type {{ {} }} ct state {} accept\n",
                        v4 ? "ipv4" : "ipv6", v4 ? "icmp" : "icmpv6", fmt::join(b.icmp_types, ", "),
                        b.states == firewall::kStateNew ? "new" : "related");
    }
    return out;
}

std::string otherwise(const std::string& action) {
    // A packet that fits no connection needs a rule that asks for such.
    const std::string first = "  ct state invalid drop\n";
    if (action == "reject")
        return first +
               "  meta l4proto tcp reject with tcp reset\n  reject with icmpx admin-prohibited\n";
    return first + "  " + action + "\n";
}

}  // namespace

Result<std::string> to_nft(const Node& firewall) {
    for (const auto* member : {"default", "builtin", "rules"})
        if (firewall[member].is_null()) return Error{fmt::format("{} is missing", member)};
    std::string rules;
    for (const Node& rule : firewall["rules"].items()) {
        const std::string& name = rule["name"].as_text();
        if (name.starts_with("builtin/"))
            return Error{fmt::format("rule '{}': replaces a built-in rule", name)};
        auto text = Translator(rule).run();
        if (!text) return std::move(text.error());
        rules += *text;
    }
    return fmt::format(
        "table inet oracle {{\n chain prerouting {{\n  type filter hook prerouting priority -300\n"
        "{} }}\n chain forward {{\n  type filter hook forward priority 0; policy drop\n"
        "  meta l4proto {} ip saddr {} accept\n  ct state established accept\n{}{}{} }}\n}}\n",
        fmt::format(fmt::runtime(kUntracked), kMarkerProtocol), kMarkerProtocol, kMarkerSource,
        firewall["builtin"].as_bool() ? builtins() : "", rules,
        otherwise(firewall["default"].as_text()));
}

}  // namespace ravelin::oracle
