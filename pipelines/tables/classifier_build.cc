// SPDX-License-Identifier: Apache-2.0
// Building a Classifier: per dimension, which rules a value can match.
#include <algorithm>
#include <array>
#include <numeric>
#include <string>
#include <tuple>
#include <unordered_map>

#include "pipelines/tables/classifier.h"

namespace ravelin {

std::bitset<256> effective_protocols(const ClassifierRule& rule) {
    std::bitset<256> out;
    for (uint8_t protocol : rule.protocols) out.set(protocol);
    if (rule.protocols.empty()) out.set();
    if (!rule.source_ports.empty() || !rule.destination_ports.empty())
        out &= std::bitset<256>().set(6).set(17).set(132);
    if (!rule.icmp_types.empty()) out &= std::bitset<256>().set(1).set(58);
    return out;
}

namespace {

using Ranges = std::vector<std::pair<uint32_t, uint32_t>>;  // low and high, both included

void append(Ranges& out, const config::PortRange& range) {
    out.emplace_back(range.low, range.high);
}
void append(Ranges& out, uint16_t value) { out.emplace_back(value, value); }

/// Sorted, with overlapping and touching ranges merged: each end is then met exactly once.
void normalise(Ranges& ranges) {
    std::sort(ranges.begin(), ranges.end());
    size_t kept = 0;
    for (const auto& range : ranges) {
        if (kept != 0 && range.first <= ranges[kept - 1].second + 1)
            ranges[kept - 1].second = std::max(ranges[kept - 1].second, range.second);
        else
            ranges[kept++] = range;
    }
    ranges.resize(kept);
}

/// A reader of one list: a rule's ranges, normalised and good until the next; null: the rule
/// ignores this dimension.
template <typename List>
auto list_of(List field) {
    return [field, ranges = Ranges()](const ClassifierRule& rule) mutable -> const Ranges* {
        if ((rule.*field).empty()) return nullptr;
        ranges.clear();
        for (const auto& item : rule.*field) append(ranges, item);
        normalise(ranges);
        return &ranges;
    };
}

template <typename Holds>
Ranges ranges_of(Holds holds) {
    Ranges out;
    for (uint32_t value = 0; value < 256; ++value)
        if (holds(value)) out.emplace_back(value, value);
    normalise(out);
    return out;
}

/// As list_of(). Thousands of rules have a handful of protocol lists between them.
class ProtocolReader {
  public:
    const Ranges* operator()(const ClassifierRule& rule) {
        const auto protocols = effective_protocols(rule);
        if (protocols.all()) return nullptr;
        const auto [at, is_new] = known_.try_emplace(protocols);
        if (is_new) at->second = ranges_of([&](uint32_t p) { return protocols[p]; });
        return &at->second;
    }

  private:
    std::unordered_map<std::bitset<256>, Ranges> known_;
};

/// As list_of(), of masks of states.
class StateReader {
  public:
    const Ranges* operator()(const ClassifierRule& rule) {
        if (rule.states == 0) return nullptr;
        Ranges& known = known_[rule.states];
        if (known.empty()) known = ranges_of([&](uint32_t s) { return (s & rule.states) != 0; });
        return &known;
    }

  private:
    std::array<Ranges, 256> known_;
};

/// A value at which a rule begins or ends, and the rule.
using Ends = std::vector<std::pair<uint32_t, uint32_t>>;

/// By value, which is at most `size`. Given with rules ascending, so that few passes over many ends
/// do.
void sort(Ends& ends, uint32_t size) {
    if (ends.size() < size / 8) return std::sort(ends.begin(), ends.end());
    std::vector<uint32_t> place(size_t{size} + 2);
    for (const auto& [value, rule] : ends) ++place[value + 1];
    std::partial_sum(place.begin(), place.end(), place.begin());
    Ends sorted(ends.size());
    for (const auto& end : ends) sorted[place[end.first]++] = end;
    ends = std::move(sorted);
}

Status check(const ClassifierRule& rule) {
    for (const auto* prefixes : {&rule.sources, &rule.destinations})
        for (const Prefix& p : *prefixes)
            if (p.length > (p.is_v4() ? 32 : 128))
                return Error{"prefix " + p.to_string() + " is longer than its family's addresses"};
    for (const auto* ports : {&rule.source_ports, &rule.destination_ports})
        for (const auto& [low, high] : *ports)
            if (low > high)
                return Error{"port range " + std::to_string(low) + "-" + std::to_string(high) +
                             " is backwards"};
    if (rule.family != 0 && rule.family != 4 && rule.family != 6)
        return Error{"family " + std::to_string(rule.family) + ", expected 4, 6 or 0 for both"};
    return ok_status();
}

/// A prefix as a range of mapped addresses, and a rule that names it.
struct Mention {
    Uint128 first;
    uint32_t rule;
    uint8_t mapped_length, length;
    bool v4;
    [[nodiscard]] auto place() const { return std::tuple(v4, first, mapped_length); }
    bool operator<(const Mention& o) const {
        return std::tuple(place(), rule) < std::tuple(o.place(), o.rule);
    }
    [[nodiscard]] bool holds(const Mention& o) const {
        return v4 == o.v4 &&
               (mapped_length == 0 || (first ^ o.first) >> (128 - mapped_length) == 0);
    }
    [[nodiscard]] Prefix prefix() const {
        Prefix p{.address = {}, .length = length};
        for (size_t i = 0; i < 16; ++i)
            p.address.bytes[i] = static_cast<uint8_t>(first >> (120 - 8 * i));
        return p;
    }
};

Mention mention_of(const Prefix& p, uint32_t rule) {
    const unsigned host_bits = 128 - p.mapped_length();
    Uint128 first = Uint128{p.address.high()} << 64 | p.address.low();
    first = host_bits == 128 ? 0 : first >> host_bits << host_bits;
    return {first, rule, static_cast<uint8_t>(p.mapped_length()), p.length, p.is_v4()};
}

}  // namespace

class ClassifierBuilder {
  public:
    explicit ClassifierBuilder(std::span<const ClassifierRule> rules)
        : rules_(rules), sets_(rules.size()) {}

    Result<Classifier> build() {
        for (size_t i = 0; i < rules_.size(); ++i)
            if (auto checked = check(rules_[i]); !checked)
                return std::move(checked.error()).within("rule " + std::to_string(i));
        out_.size_ = rules_.size();
        for (auto [table, field] : {std::pair{&out_.source_, &ClassifierRule::sources},
                                    std::pair{&out_.destination_, &ClassifierRule::destinations}})
            if (auto made = addresses(*table, field); !made) return std::move(made.error());
        using Rule = ClassifierRule;
        values(out_.destination_port_, 65536, list_of(&Rule::destination_ports));
        values(out_.source_port_, 65536, list_of(&Rule::source_ports));
        values(out_.in_port_, 65536, list_of(&Rule::in_ports));
        values(out_.out_port_, 65536, list_of(&Rule::out_ports));
        values(out_.icmp_type_, 256, list_of(&Rule::icmp_types));
        values(out_.protocol_, 256, ProtocolReader());
        values(out_.state_, 256, StateReader());
        out_.sets_ = std::move(sets_).take();
        return std::move(out_);
    }

  private:
    using Prefixes = std::vector<Prefix> ClassifierRule::*;
    using Change = RuleSetsBuilder::Change;

    RuleDefaults family_defaults(Prefixes field, uint8_t family) {
        std::vector<bool> wild(rules_.size());
        for (size_t i = 0; i < rules_.size(); ++i)
            wild[i] =
                (rules_[i].*field).empty() && (rules_[i].family == 0 || rules_[i].family == family);
        return sets_.defaults(wild);
    }

    Status addresses(Classifier::AddressTable& table, Prefixes field) {
        table.v4 = family_defaults(field, 4);
        table.v6 = family_defaults(field, 6);
        std::vector<Mention> mentions;
        for (size_t i = 0; i < rules_.size(); ++i)
            for (const Prefix& p : rules_[i].*field)
                if (rules_[i].family == 0 || (rules_[i].family == 4) == p.is_v4())
                    mentions.push_back(mention_of(p, static_cast<uint32_t>(i)));
        std::sort(mentions.begin(), mentions.end());
        auto lpm = Lpm::build(sets_of(mentions, table));
        if (!lpm) return std::move(lpm.error());
        table.lpm = std::move(*lpm);
        return ok_status();
    }

    /// One set per distinct prefix: the rules that name it or a prefix around it. In sorted order
    /// the prefixes around the current one are a stack.
    std::vector<LpmEntry> sets_of(std::span<const Mention> mentions,
                                  const Classifier::AddressTable& table) {
        std::vector<LpmEntry> out;
        std::vector<std::pair<Mention, RuleSetsBuilder::Row>> around;
        std::vector<uint32_t> named;
        for (size_t i = 0; i < mentions.size();) {
            const Mention& here = mentions[i];
            named.clear();
            for (; i < mentions.size() && mentions[i].place() == here.place(); ++i)
                named.push_back(mentions[i].rule);
            while (!around.empty() && !around.back().first.holds(here)) around.pop_back();
            const RuleDefaults& defaults = here.v4 ? table.v4 : table.v6;
            RuleSetsBuilder::Row row = around.empty() ? defaults.chunks : around.back().second;
            sets_.change(row, named, Change::kAdd);
            out.push_back({here.prefix(), sets_.intern(row, defaults)});
            around.emplace_back(here, std::move(row));
        }
        return out;
    }

    /// Sweeps over the values, toggling rules where their ranges begin and end.
    template <typename Reader>
    void values(Classifier::ValueTable& table, uint32_t size, Reader read) {
        std::vector<bool> wild(rules_.size());
        Ends ends;
        for (uint32_t i = 0; i < rules_.size(); ++i) {
            const Ranges* ranges = read(rules_[i]);
            wild[i] = ranges == nullptr;
            if (ranges == nullptr) continue;
            for (const auto& [low, high] : *ranges) {
                ends.emplace_back(low, i);
                ends.emplace_back(high + 1, i);
            }
        }
        table.defaults = sets_.defaults(wild);
        if (table.defaults.all_rules) return;
        sort(ends, size);
        table.set.assign(size, 0);
        RuleSetsBuilder::Row row = table.defaults.chunks;
        std::vector<uint32_t> toggled;
        for (size_t i = 0; i < ends.size();) {
            const uint32_t value = ends[i].first;
            toggled.clear();
            for (; i < ends.size() && ends[i].first == value; ++i)
                toggled.push_back(ends[i].second);
            sets_.change(row, toggled, Change::kToggle);
            const uint32_t until = i < ends.size() ? ends[i].first : size;
            if (value < until)
                std::fill(table.set.begin() + value, table.set.begin() + until,
                          sets_.intern(row, table.defaults));
        }
    }

    std::span<const ClassifierRule> rules_;
    RuleSetsBuilder sets_;
    Classifier out_;
};

Result<Classifier> Classifier::build(std::span<const ClassifierRule> rules) {
    return ClassifierBuilder(rules).build();
}

}  // namespace ravelin
