// SPDX-License-Identifier: Apache-2.0
#include "pipelines/stages/route_rules.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <set>

#include "dataplane/limits.h"
#include "dataplane/port_policies.h"
#include "pipelines/stages/firewall_packet.h"
#include "pipelines/stages/firewall_rule_reader.h"
#include "pipelines/stages/route_reader.h"

namespace ravelin {
namespace {

constexpr unsigned kDscpValues = 64;

// RFC 2474 (cs), RFC 2597 (af), RFC 3246 (ef), RFC 5865 (va), RFC 8622 (le).
std::optional<unsigned> dscp_of(std::string_view word) {
    struct Word {
        std::string_view word;
        uint8_t value;
    };
    constexpr std::array<Word, 23> kWords{
        {{"cs0", 0},   {"cs1", 8},   {"cs2", 16},  {"cs3", 24},  {"cs4", 32},  {"cs5", 40},
         {"cs6", 48},  {"cs7", 56},  {"af11", 10}, {"af12", 12}, {"af13", 14}, {"af21", 18},
         {"af22", 20}, {"af23", 22}, {"af31", 26}, {"af32", 28}, {"af33", 30}, {"af41", 34},
         {"af42", 36}, {"af43", 38}, {"ef", 46},   {"va", 44},   {"le", 1}}};
    for (const Word& w : kWords)
        if (w.word == word) return w.value;
    unsigned value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size() || value >= kDscpValues)
        return std::nullopt;
    return value;
}

class Reader {
  public:
    Reader(const PolicySnapshot& snapshot, const std::vector<std::string>& tables,
           NextHopsBuilder& hops)
        : snapshot_(snapshot), tables_(tables), hops_(hops), ports_(names_of(snapshot.ports)) {}

    /// What the rule does, and what it matches; nothing in the latter if it matches nothing.
    Result<std::pair<RouteRules::Rule, std::optional<ClassifierRule>>> read(
        const config::Node& node) {
        auto named = firewall::read_rule(node, ports_);
        if (!named) return std::move(named.error());
        RouteRules::Rule rule{.name = named->name};
        ClassifierRule match = std::move(named->rule);
        match.states = 0;
        if (auto s = dscp(node, rule); !s) return std::move(s.error());
        if (auto s = way(node, rule, match); !s) return std::move(s.error());
        const bool empty = !named->matches || rule.dscp == 0;
        return std::pair{std::move(rule), empty ? std::nullopt : std::optional(std::move(match))};
    }

  private:
    static Status dscp(const config::Node& node, RouteRules::Rule& rule) {
        if (!node.has("dscp")) return ok_status();
        rule.dscp = 0;
        for (const std::string& word : node["dscp"].as_names()) {
            const auto value = dscp_of(word);
            if (!value)
                return Error{fmt::format(
                    "dscp: found '{}', expected cs0 to cs7, af11 to af43, ef, va, le or 0 to 63",
                    word)};
            rule.dscp |= uint64_t{1} << *value;
        }
        return ok_status();
    }
    Status way(const config::Node& node, RouteRules::Rule& rule, ClassifierRule& match) {
        const std::string& table = node["table"].as_text();
        if (!table.empty()) {
            const auto at = std::ranges::find(tables_, table);
            if (at == tables_.end())
                return Error{fmt::format("table: found '{}', expected {}", table,
                                         tables_.empty()
                                             ? "none, as there are no tables"
                                             : fmt::format("{}", fmt::join(tables_, ", ")))};
            const bool more = node.has("via") || node.has("port") || node.has("mtu") ||
                              !node["next-hops"].items().empty();
            if (more || node["kind"].as_text() != "forward")
                return Error{"found `table` and another way, expected one or the other"};
            rule.table = static_cast<uint32_t>(at - tables_.begin());
            return ok_status();
        }
        auto next = read_next_hops(node, snapshot_);
        if (!next) return std::move(next.error());
        if (auto s = one_family(*next, match); !s) return s;
        auto value = hops_.add_group(std::move(*next));
        if (!value) return std::move(value.error()).within("next-hops");
        rule.value = *value;
        return ok_status();
    }
    // A packet of the other family could not be sent to a gateway.
    static Status one_family(const std::vector<WeightedHop>& next, ClassifierRule& match) {
        for (const WeightedHop& way : next) {
            if (way.hop.on_link) continue;
            const uint8_t family = way.hop.gateway.is_v4() ? 4 : 6;
            if (match.family != 0 && match.family != family)
                return Error{
                    fmt::format("via {}: is of the other family", way.hop.gateway.to_string())};
            match.family = family;
        }
        return ok_status();
    }

    const PolicySnapshot& snapshot_;
    const std::vector<std::string>& tables_;
    NextHopsBuilder& hops_;
    std::vector<std::string> ports_;
};

}  // namespace

Result<RouteRules> RouteRules::build(const config::Node& rules, const PolicySnapshot& snapshot,
                                     const std::vector<std::string>& tables,
                                     NextHopsBuilder& hops) {
    RouteRules out;
    std::vector<ClassifierRule> matches;
    std::set<std::string_view> names;
    Reader reader(snapshot, tables, hops);
    if (rules.items().size() > limits::kMaxRules)
        return Error{fmt::format("rules: found {}, expected at most {}", rules.items().size(),
                                 limits::kMaxRules)};
    for (size_t i = 0; i < rules.items().size(); ++i) {
        const std::string& name = rules.items()[i]["name"].as_text();
        auto read = reader.read(rules.items()[i]);
        if (!read) return std::move(read.error()).within(fmt::format("rules[{}] {}", i, name));
        if (!names.insert(name).second)
            return Error{fmt::format("rules[{}]: two are named '{}'", i, name)};
        if (!read->second) continue;
        out.rules_.push_back(std::move(read->first));
        matches.push_back(std::move(*read->second));
    }
    if (out.rules_.empty()) return out;
    auto classifier = Classifier::build(matches);
    if (!classifier) return std::move(classifier.error()).within("rules");
    out.classifier_ = std::move(*classifier);
    return out;
}

uint32_t RouteRules::match(const PacketMeta& meta, uint32_t from) const noexcept {
    const ClassifierKey key = firewall::classifier_key(meta, firewall::kStateNew);
    const uint64_t dscp = uint64_t{1} << (meta.tos >> 2);
    const uint32_t rule = classifier_.find(
        key, [&](uint32_t at) { return at >= from && (rules_[at].dscp & dscp) != 0; });
    return rule == Classifier::kNoMatch ? kNoRule : rule;
}

size_t RouteRules::memory_bytes() const {
    return rules_.capacity() * sizeof(Rule) + classifier_.memory_bytes();
}

}  // namespace ravelin
