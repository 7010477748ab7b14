// SPDX-License-Identifier: Apache-2.0
// A rule that covers another matches each of its packets, so one sample packet per rule, put to
// the classifier, finds the few rules worth comparing in full.
#include "pipelines/tables/shadow.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

namespace ravelin {
namespace {

template <typename T>
using Spans = std::vector<std::pair<T, T>>;  // sorted, disjoint, not touching; both ends included

template <typename T>
void normalise(Spans<T>& spans) {
    std::sort(spans.begin(), spans.end());
    size_t kept = 0;
    for (const auto& span : spans) {
        // The first test keeps +1 from wrapping at the last value.
        if (kept != 0 &&
            (span.first <= spans[kept - 1].second || span.first == spans[kept - 1].second + 1))
            spans[kept - 1].second = std::max(spans[kept - 1].second, span.second);
        else
            spans[kept++] = span;
    }
    spans.resize(kept);
}

template <typename T>
bool covers(const Spans<T>& outer, const Spans<T>& inner) {
    return std::all_of(inner.begin(), inner.end(), [&](const auto& span) {
        auto at = std::upper_bound(outer.begin(), outer.end(), span.first,
                                   [](T value, const auto& o) { return value < o.first; });
        return at != outer.begin() && span.second <= (--at)->second;
    });
}

/// Both addresses' ranges in one family; v4 in mapped form. Unequal families never meet.
struct Addresses {
    Spans<Uint128> sources, destinations;
    [[nodiscard]] bool empty() const { return sources.empty() || destinations.empty(); }
};

/// A rule as ranges per dimension.
struct Shape {
    std::array<Addresses, 2> family;  // IPv4, IPv6
    std::bitset<256> protocols;
    std::array<Spans<uint32_t>, 5> values;  // source and destination port, in, out, ICMP type
    uint8_t states = 0xff;
    [[nodiscard]] bool empty() const {
        return protocols.none() || (family[0].empty() && family[1].empty());
    }
};

Uint128 number_of(const IpAddress& a) { return Uint128{a.high()} << 64 | a.low(); }

IpAddress address_of(Uint128 number) {
    IpAddress a;
    for (size_t i = 0; i < 16; ++i) a.bytes[i] = static_cast<uint8_t>(number >> (120 - 8 * i));
    return a;
}

Spans<Uint128> address_spans(const std::vector<Prefix>& prefixes, bool v4) {
    Spans<Uint128> out;
    for (const Prefix& p : prefixes)
        if (p.is_v4() == v4) out.emplace_back(number_of(p.first()), number_of(p.last()));
    if (prefixes.empty()) {
        const Prefix all{v4 ? IpAddress::v4(0) : IpAddress{}, 0};
        out.emplace_back(number_of(all.first()), number_of(all.last()));
    }
    normalise(out);
    return out;
}

template <typename T>
Spans<uint32_t> value_spans(const std::vector<T>& list) {
    Spans<uint32_t> out;
    for (const T& item : list) {
        if constexpr (std::is_same_v<T, config::PortRange>)
            out.emplace_back(item.low, item.high);
        else
            out.emplace_back(item, item);
    }
    if (list.empty()) out.emplace_back(0, sizeof(T) == 1 ? 0xff : 0xffff);
    normalise(out);
    return out;
}

Shape shape_of(const ClassifierRule& rule) {
    Shape out;
    for (bool v4 : {true, false}) {
        if (rule.family != 0 && (rule.family == 4) != v4) continue;
        out.family[v4 ? 0 : 1] = {address_spans(rule.sources, v4),
                                  address_spans(rule.destinations, v4)};
    }
    out.protocols = effective_protocols(rule);
    out.values = {value_spans(rule.source_ports), value_spans(rule.destination_ports),
                  value_spans(rule.in_ports), value_spans(rule.out_ports),
                  value_spans(rule.icmp_types)};
    if (rule.states != 0) out.states = rule.states;
    return out;
}

bool covers(const Shape& outer, const Shape& inner) {
    if ((inner.protocols & ~outer.protocols).any() || (inner.states & ~outer.states) != 0)
        return false;
    for (size_t i = 0; i < inner.values.size(); ++i)
        if (!covers(outer.values[i], inner.values[i])) return false;
    for (size_t f = 0; f < inner.family.size(); ++f) {
        if (inner.family[f].empty()) continue;
        if (!covers(outer.family[f].sources, inner.family[f].sources) ||
            !covers(outer.family[f].destinations, inner.family[f].destinations))
            return false;
    }
    return true;
}

/// A packet that the rule matches; the shape is not empty.
ClassifierKey sample_of(const Shape& shape) {
    const Addresses& addresses = shape.family[shape.family[0].empty() ? 1 : 0];
    const auto first = [&](size_t i) {
        return static_cast<uint16_t>(shape.values[i].front().first);
    };
    ClassifierKey key{.source = address_of(addresses.sources.front().first),
                      .destination = address_of(addresses.destinations.front().first),
                      .source_port = first(0),
                      .destination_port = first(1),
                      .in_port = first(2),
                      .out_port = first(3),
                      .protocol = 0,
                      .icmp_type = static_cast<uint8_t>(first(4)),
                      .state = static_cast<uint8_t>(shape.states & -shape.states)};
    while (!shape.protocols[key.protocol]) ++key.protocol;
    return key;
}

}  // namespace

std::vector<ShadowedRule> find_shadowed(std::span<const ClassifierRule> rules,
                                        const std::vector<bool>& partial) {
    std::vector<ShadowedRule> out;
    const auto classifier = Classifier::build(rules);
    if (!classifier) return out;
    std::vector<Shape> shapes;
    shapes.reserve(rules.size());
    for (const ClassifierRule& rule : rules) shapes.push_back(shape_of(rule));
    for (size_t i = 0; i < rules.size(); ++i) {
        if (shapes[i].empty()) continue;
        const ClassifierKey key = sample_of(shapes[i]);
        const auto takes_all = [&](uint32_t at) {
            return at >= i || ((partial.empty() || !partial[at]) && covers(shapes[at], shapes[i]));
        };
        if (const size_t by = classifier->find(key, takes_all); by < i) out.push_back({i, by});
    }
    return out;
}

bool covers(const ClassifierRule& outer, const ClassifierRule& inner) {
    return covers(shape_of(outer), shape_of(inner));
}

}  // namespace ravelin
