// SPDX-License-Identifier: Apache-2.0
#include "pipelines/tables/cut_terms.h"

#include <algorithm>
#include <bitset>
#include <string>
#include <tuple>
#include <unordered_map>

namespace ravelin {
namespace {

using Ranges = std::vector<std::pair<uint32_t, uint32_t>>;  // low and high, both included
using List = std::optional<size_t>;                         // number of a list; none: any value

constexpr size_t kGrowth = 4, kSpare = 4096;  // terms for a rule, and besides

/// Values of a small field, apart by which lists of rules hold them.
class Classes {
  public:
    explicit Classes(size_t values) : held_by_(values) {}

    /// The number of a list; none: no room for one more. In any order it is the same list.
    template <typename Number>
    List number(std::vector<Number> list) {
        std::ranges::sort(list);
        list.erase(std::unique(list.begin(), list.end()), list.end());
        const auto* bytes = reinterpret_cast<const char*>(list.data());
        const auto [at, is_new] =
            numbers_.try_emplace(std::string(bytes, list.size() * sizeof(Number)), numbers_.size());
        if (!is_new) return at->second;
        if (at->second >= kLists) return {};
        for (const Number value : list) held_by_[value] |= uint64_t{1} << at->second;
        return at->second;
    }
    /// Gives each class a bit from `next` on; false: there are not as many below Probe::kPresent.
    bool give_bits(unsigned& next, std::vector<uint32_t>& bits) {
        if (numbers_.empty()) return true;
        for (const uint64_t held : held_by_) {
            const auto [at, is_new] = classes_.try_emplace(held, uint32_t{1} << next);
            if (is_new && ++next > 31) return false;
            bits.push_back(at->second);
        }
        return true;
    }
    /// Bits of the values that a list does not hold.
    [[nodiscard]] uint32_t refused(List list) const {
        uint32_t bits = 0;
        for (const auto& [held, bit] : classes_)
            if (list && (held >> *list & 1) == 0) bits |= bit;
        return bits;
    }

  private:
    static constexpr size_t kLists = 64;
    std::vector<uint64_t> held_by_;  // by value, a bit for each list
    std::unordered_map<std::string, size_t> numbers_;
    std::unordered_map<uint64_t, uint32_t> classes_;
};

/// Nothing where prefixes are of the other family alone.
Ranges ranges_of(const std::vector<Prefix>& prefixes) {
    if (prefixes.empty()) return {{0, ~0u}};
    Ranges out;
    for (const Prefix& p : prefixes)
        if (p.is_v4()) out.emplace_back(p.first().v4_host(), p.last().v4_host());
    return out;
}
Ranges ranges_of(const std::vector<config::PortRange>& ports) {
    if (ports.empty()) return {{0, 0xffff}};
    Ranges out;
    for (const auto& [low, high] : ports) out.emplace_back(low, high);
    return out;
}

class TermMaker {
  public:
    explicit TermMaker(std::span<const ClassifierRule> rules) : rules_(rules) {}

    std::optional<CutTerms> make() {
        if (!number_lists() || !give_bits() || !make_terms()) return {};
        return std::move(out_);
    }

  private:
    struct Lists {
        List protocol, state, icmp_type, in_port, out_port;
    };

    // Which of a rule's lists there are; false: too many different ones.
    bool number_lists() {
        lists_.resize(rules_.size());
        for (size_t i = 0; i < rules_.size(); ++i) {
            const ClassifierRule& rule = rules_[i];
            Lists& to = lists_[i];
            const auto number = [](Classes& classes, const auto& list, List& to_list) {
                if (!list.empty()) to_list = classes.number(list);
                return list.empty() || to_list.has_value();
            };
            if (!number_protocols(rule, to.protocol) ||
                !number(states_, bits_of(rule.states), to.state) ||
                !number(icmp_types_, rule.icmp_types, to.icmp_type) ||
                !number(in_ports_, rule.in_ports, to.in_port) ||
                !number(out_ports_, rule.out_ports, to.out_port))
                return false;
        }
        return true;
    }
    bool number_protocols(const ClassifierRule& rule, List& number) {
        const auto held = effective_protocols(rule);
        if (held.all()) return true;
        const auto [at, is_new] = protocol_lists_.try_emplace(held);
        if (is_new) {
            std::vector<uint8_t> list;  // empty where no packet can meet the rule
            for (unsigned value = 0; value < held.size(); ++value)
                if (held[value]) list.push_back(static_cast<uint8_t>(value));
            at->second = protocols_.number(std::move(list));
        }
        number = at->second;
        return number.has_value();
    }
    // A packet has one state.
    static std::vector<uint8_t> bits_of(uint8_t states) {
        std::vector<uint8_t> bits;
        for (unsigned bit = 1; bit < 256; bit *= 2)
            if ((states & bit) != 0) bits.push_back(static_cast<uint8_t>(bit));
        return bits;
    }

    bool give_bits() {
        unsigned kinds = 0, places = 0;
        return protocols_.give_bits(kinds, out_.protocol.of) &&
               states_.give_bits(kinds, out_.state.of) &&
               icmp_types_.give_bits(kinds, out_.icmp_type.of) &&
               in_ports_.give_bits(places, out_.in_port.of) &&
               out_ports_.give_bits(places, out_.out_port.of);
    }

    // Every combination of what a rule lists.
    bool make_terms() {
        const size_t most = rules_.size() * kGrowth + kSpare;
        for (uint32_t i = 0; i < rules_.size(); ++i) {
            const ClassifierRule& rule = rules_[i];
            if (rule.family == 6) continue;
            const Lists& l = lists_[i];
            const std::array<Ranges, kTermFields> fields{
                ranges_of(rule.sources), ranges_of(rule.destinations), ranges_of(rule.source_ports),
                ranges_of(rule.destination_ports)};
            size_t product = 1;
            for (const Ranges& ranges : fields)
                if ((product *= ranges.size()) > most) return false;
            if (out_.terms.size() + product > most) return false;
            CutTerm term{.rule = i};
            term.refused_kind = protocols_.refused(l.protocol) | states_.refused(l.state) |
                                icmp_types_.refused(l.icmp_type);
            term.refused_place = in_ports_.refused(l.in_port) | out_ports_.refused(l.out_port);
            for (size_t n = 0; n < product; ++n) {
                size_t rest = n;
                for (size_t f = 0; f < kTermFields; ++f) {
                    std::tie(term.low[f], term.high[f]) = fields[f][rest % fields[f].size()];
                    rest /= fields[f].size();
                }
                out_.terms.push_back(term);
            }
        }
        return true;
    }

    std::span<const ClassifierRule> rules_;
    std::vector<Lists> lists_;  // by rule
    std::unordered_map<std::bitset<256>, List> protocol_lists_;
    Classes protocols_{256}, states_{256}, icmp_types_{256}, in_ports_{65536}, out_ports_{65536};
    CutTerms out_;
};

}  // namespace

std::optional<CutTerms> cut_terms_of(std::span<const ClassifierRule> rules) {
    return TermMaker(rules).make();
}

}  // namespace ravelin
