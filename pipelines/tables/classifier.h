// SPDX-License-Identifier: Apache-2.0
// Classifier: the first rule that matches a packet, by intersecting one set of rules per dimension
// (Lakshman and Stiliadis, SIGCOMM 1998) in chunks of 512 rules, skipping chunks by a summary.
// Immutable, so workers share one. Cost: two Lpm lookups, then about eight words per dimension and
// chunk up to the match; measured in perf/micro/classifier_bench.cc.
#pragma once
#include <array>
#include <bit>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/address.h"
#include "dataplane/config/node.h"
#include "dataplane/result.h"
#include "pipelines/tables/lpm.h"
#include "pipelines/tables/rule_sets.h"

namespace ravelin {

/// One rule. Every list is a union and every field must match; an empty list matches anything.
struct ClassifierRule {
    std::vector<Prefix> sources{}, destinations{};
    std::vector<uint8_t> protocols{};
    /// When given, only TCP, UDP and SCTP packets match.
    std::vector<config::PortRange> source_ports{}, destination_ports{};
    std::vector<uint16_t> in_ports{}, out_ports{};
    /// When given, only ICMP and ICMPv6 packets match.
    std::vector<uint8_t> icmp_types{};
    uint8_t states = 0;  ///< mask of connection states; 0 is any
    uint8_t family = 0;  ///< 4, 6, or 0 for both; applies to each address by itself
};

/// What a packet is matched by; ports in host order.
struct ClassifierKey {
    IpAddress source{}, destination{};
    uint16_t source_port = 0, destination_port = 0, in_port = 0, out_port = 0;
    uint8_t protocol = 0;
    uint8_t icmp_type = 0;  ///< of ICMP and ICMPv6; ignored for others
    uint8_t state = 0;      ///< exactly one bit
};

/// Protocols a rule can match once its ports and ICMP types have restricted them.
std::bitset<256> effective_protocols(const ClassifierRule& rule);

class Classifier {
  public:
    /// What match() returns if no rule matches.
    static constexpr uint32_t kNoMatch = UINT32_MAX;

    /// No rules: matches nothing.
    Classifier() = default;
    /// Rules in order of precedence. Errors name the rule's index: bad prefix length, port range
    /// whose low end is above its high end, family other than 0, 4, 6; or no memory.
    static Result<Classifier> build(std::span<const ClassifierRule> rules);

    /// Lowest index of a rule that matches, or kNoMatch. Does not allocate.
    [[nodiscard]] uint32_t match(const ClassifierKey& key) const noexcept {
        return find(key, [](uint32_t) { return true; });
    }
    /// Lowest index of a rule that matches and that takes(index) says true of, or kNoMatch. The
    /// packet's sets are looked up once, however many rules are offered. Does not allocate.
    template <typename Takes>
    [[nodiscard]] uint32_t find(const ClassifierKey& key, Takes takes) const noexcept;

    [[nodiscard]] size_t memory_bytes() const;
    /// Number of rules.
    [[nodiscard]] size_t size() const { return size_; }

  private:
    friend class ClassifierBuilder;

    /// Source or destination: a prefix's value is its set, one default per family.
    struct AddressTable {
        Lpm lpm;
        RuleDefaults v4, v6;
    };
    /// A small integer: the set by value. Empty if no rule looks at it.
    struct ValueTable {
        RuleDefaults defaults;
        std::vector<uint32_t> set;
    };
    static constexpr size_t kValueTables = 7, kTables = kValueTables + 2;
    /// A packet's set in one dimension, walked block by block.
    struct View {
        const uint64_t* bitmap;
        const uint32_t* listed;
        const RuleDefaults* defaults;
    };
    using Views = std::array<View, kTables>;

    size_t views_of(const ClassifierKey& key, Views& views) const noexcept;
    View view_of(uint32_t set, const RuleDefaults& defaults) const noexcept;
    [[nodiscard]] bool match_chunk(std::span<const View> views, size_t chunk,
                                   RuleChunk& left) const noexcept;

    size_t size_ = 0;
    RuleSets sets_;
    AddressTable source_, destination_;
    // In order of how much they usually tell apart, so that most chunks end early.
    ValueTable destination_port_, source_port_, protocol_, in_port_, out_port_, icmp_type_, state_;
};

template <typename Takes>
uint32_t Classifier::find(const ClassifierKey& key, Takes takes) const noexcept {
    if (size_ == 0) return kNoMatch;
    Views storage;
    const std::span<View> views(storage.data(), views_of(key, storage));
    for (size_t block = 0; block < sets_.blocks; ++block) {
        uint64_t candidates = ~uint64_t{0};
        // A listed chunk contains its default and more, so it is never empty.
        for (const View& view : views)
            candidates &= view.bitmap[block] | view.defaults->nonzero[block];
        for (; candidates != 0; candidates &= candidates - 1) {
            const size_t chunk = block * 64 + static_cast<size_t>(std::countr_zero(candidates));
            RuleChunk left;
            if (!match_chunk(views, chunk, left)) continue;
            for (size_t w = 0; w < left.words.size(); ++w)
                for (uint64_t word = left.words[w]; word != 0; word &= word - 1) {
                    const auto rule = static_cast<uint32_t>(
                        chunk * kChunkRules + w * 64 + static_cast<size_t>(std::countr_zero(word)));
                    if (takes(rule)) return rule;
                }
        }
        for (View& view : views) view.listed += std::popcount(view.bitmap[block]);
    }
    return kNoMatch;
}

}  // namespace ravelin
