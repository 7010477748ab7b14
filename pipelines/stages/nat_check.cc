// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/nat_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

namespace ravelin::nat {
namespace {

/// The members that a rule of each kind must have, and must not.
struct Members {
    std::string_view needed, forbidden;
};
constexpr std::array<Members, 4> kMembers{{
    {"", "address hairpin"},
    {"address", "hairpin"},
    {"to address", "out"},
    {"to address", "out from protocol from-ports to-ports ports"},
}};

template <typename Fn>
Status each_word(std::string_view words, Fn&& fn) {
    while (!words.empty()) {
        const size_t end = std::min(words.find(' '), words.size());
        if (auto s = fn(words.substr(0, end)); !s) return s;
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return ok_status();
}

Status check_members(const config::Node& node) {
    const Members& members = kMembers[static_cast<size_t>(kind_of(node))];
    const std::string& kind = node["kind"].as_text();
    if (auto s = each_word(members.needed,
                           [&](std::string_view m) -> Status {
                               if (node.has(m)) return ok_status();
                               return Error{fmt::format("{}: is missing; {} needs it", m, kind)};
                           });
        !s)
        return s;
    return each_word(members.forbidden, [&](std::string_view m) -> Status {
        const bool given = m == "hairpin" ? node[m].as_bool() : node.has(m);
        if (!given) return ok_status();
        return Error{fmt::format("{}: is not for {}", m, kind)};
    });
}

Status check_v4(const config::Node& node) {
    for (const std::string_view member : {"from", "to", "address"})
        for (const Prefix& p : node[member].as_prefixes())
            if (!p.is_v4())
                return Error{
                    fmt::format("{}: found {}, expected IPv4 (NAT44)", member, p.to_string())};
    return ok_status();
}

}  // namespace

Kind kind_of(const config::Node& node) {
    return static_cast<Kind>(std::ranges::find(kKindWords, node["kind"].as_text()) -
                             kKindWords.begin());
}

Status check_rule(const config::Node& rule) {
    if (auto s = check_members(rule); !s) return s;
    return check_v4(rule);
}

void name_counters(const config::Node& config, std::vector<RuleInfo>& out) {
    for (const config::Node& rule : config["rules"].items()) {
        const std::string &name = rule["name"].as_text(), &kind = rule["kind"].as_text();
        if (!rule.has("slot") || !rule.has("new-slot")) continue;
        out.push_back({counted_as(name), static_cast<uint32_t>(rule["slot"].as_integer()), kind});
        out.push_back(
            {new_counted_as(name), static_cast<uint32_t>(rule["new-slot"].as_integer()), kind});
    }
}

}  // namespace ravelin::nat
