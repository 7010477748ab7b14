// SPDX-License-Identifier: Apache-2.0
#include "pipelines/tables/cut_trees.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "tests/support/classbench.h"
#include "tests/support/random_rules.h"

namespace ravelin {
namespace {

using Random = std::mt19937_64;
using test::key_across;
using test::linear_match;

// Up to as many packets as are asked for at once; behind them stands anything.
class Asked {
  public:
    explicit Asked(Random& rng) : most_(1 + static_cast<unsigned>(rng() % Probes::kMost)) {
        auto* words = reinterpret_cast<uint32_t*>(&probes_);
        for (size_t i = 0; i < sizeof probes_ / sizeof *words; ++i)
            words[i] = static_cast<uint32_t>(rng());
    }
    [[nodiscard]] bool full() const { return keys_.size() == most_; }
    void add(const CutTrees& trees, const ClassifierKey& key) {
        const size_t at = keys_.size();
        probes_.value[0][at] = key.source.v4_host();
        probes_.value[1][at] = key.destination.v4_host();
        probes_.value[2][at] = key.source_port;
        probes_.value[3][at] = key.destination_port;
        probes_.kind[at] = trees.kind_of(key.protocol, key.state, key.icmp_type);
        probes_.place[at] = trees.place_of(key.in_port, key.out_port);
        keys_.push_back(key);
    }
    void compare(const CutTrees& trees, std::span<const ClassifierRule> rules) const {
        columns::Column<uint32_t> found;
        trees.match_burst(probes_, found, static_cast<unsigned>(keys_.size()));
        for (size_t i = 0; i < keys_.size() && !testing::Test::HasFailure(); ++i)
            EXPECT_EQ(found[i], linear_match(rules, keys_[i])) << i << test::describe(keys_[i]);
    }

  private:
    unsigned most_;
    Probes probes_;
    std::vector<ClassifierKey> keys_;
};

// Packets at the edges of rules, and of what no rule wrote down, alone and many at once. How many
// were covered.
int compare(const CutTrees& trees, std::span<const ClassifierRule> rules, Random& rng,
            int lookups) {
    int covered = 0;
    Asked asked(rng);
    for (int i = 0; i < lookups && !testing::Test::HasFailure(); ++i) {
        const auto key = key_across(rules, rng);
        if (!trees.covers(key)) continue;
        ++covered;
        EXPECT_EQ(trees.match(key), linear_match(rules, key)) << test::describe(key);
        asked.add(trees, key);
        if (!asked.full()) continue;
        asked.compare(trees, rules);
        asked = Asked(rng);
    }
    return covered;
}

TEST(CutTrees, NoRulesAreCovered) {
    const ClassifierKey key{.source = IpAddress::v4(1), .destination = IpAddress::v4(2)};
    EXPECT_FALSE(CutTrees().covers(key));
    EXPECT_FALSE(CutTrees::build({}).covers(key));
}

TEST(CutTrees, CoverIpv4Alone) {
    const std::vector<ClassifierRule> rules(2);
    const CutTrees trees = CutTrees::build(rules);
    ClassifierKey key{.source = IpAddress::v4(1), .destination = IpAddress::v4(2), .state = 1};
    ASSERT_TRUE(trees.covers(key));
    EXPECT_EQ(trees.match(key), 0u);
    key.destination = *IpAddress::parse("2001:db8::1");
    EXPECT_FALSE(trees.covers(key));
}

TEST(CutTrees, RandomRulesEqualLinearScan) {
    Random rng(1);  // more of them lie across each other too much
    for (size_t count : {1, 2, 5, 16, 17, 64, 65, 120, 200})
        for (int repeat = 0; repeat < 4; ++repeat) {
            const auto rules = test::random_rules(rng, count);
            // Some are for IPv6 alone: then there is nothing to find. And leaves hold less where
            // groups are compared one rule after the other.
            const bool fits = count > 5 && count <= size_t{2} * TermGroup::kTerms * kMostInLeaf;
            const int covered = compare(CutTrees::build(rules), rules, rng, 3000);
            EXPECT_GT(covered, fits ? 500 : -1) << count << " rules";
            if (HasFailure()) return;
        }
}

// The mix of ../shared/baselines.md: hosts and networks over two /9s, ports and ranges.
std::vector<ClassifierRule> spread_rules(size_t count, Random& rng) {
    std::vector<ClassifierRule> rules(count);
    const auto prefix = [&](uint32_t base, uint32_t room, std::initializer_list<uint8_t> lengths) {
        const uint8_t length = std::data(lengths)[rng() % lengths.size()];
        const uint32_t mask = ~uint32_t{0} << (32 - length);
        return Prefix{IpAddress::v4((base + static_cast<uint32_t>(rng() % room)) & mask), length};
    };
    for (ClassifierRule& rule : rules) {
        rule.sources = {prefix(0x0a000000, 0xf00000, {16, 24, 32})};
        if (rng() % 8 != 0) rule.destinations = {prefix(0xc6120000, 0x20000, {24, 32})};
        if (rng() % 16 == 0) rule.sources.push_back(prefix(0x0a000000, 1 << 24, {7, 8, 9, 12}));
        rule.protocols = {static_cast<uint8_t>(rng() % 2 == 0 ? 6 : 17)};
        const auto low = static_cast<uint16_t>(rng() % 60'000);
        rule.destination_ports = {{low, static_cast<uint16_t>(low + rng() % 1000)}};
        if (rng() % 8 == 0) rule.in_ports = {static_cast<uint16_t>(rng() % 4)};
        rule.states = 0x17;
    }
    return rules;
}

TEST(CutTrees, ManyRulesEqualLinearScan) {
    Random rng(2);
    for (size_t count : {100, 1000, 10'000}) {
        const auto rules = spread_rules(count, rng);
        const CutTrees trees = CutTrees::build(rules);
        EXPECT_GT(compare(trees, rules, rng, 4000), 3000) << count << " rules";
        EXPECT_LT(trees.memory_bytes(), count * 600 + (1 << 20));
        if (HasFailure()) return;
    }
}

TEST(CutTrees, LargeListsAreNotCovered) {
    Random rng(3);
    std::vector<ClassifierRule> rules(2);
    for (int i = 0; i < 100'000; ++i)
        rules[0].sources.push_back({IpAddress::v4(static_cast<uint32_t>(rng())), 32});
    EXPECT_FALSE(CutTrees::build(rules).covers(
        {.source = IpAddress::v4(1), .destination = IpAddress::v4(2)}));
}

TEST(CutTrees, MoreClassesThanBitsAreNotCovered) {
    std::vector<ClassifierRule> rules(40);
    for (uint16_t i = 0; i < 40; ++i) rules[i].in_ports = {i};
    const ClassifierKey key{.source = IpAddress::v4(1), .destination = IpAddress::v4(2)};
    EXPECT_FALSE(CutTrees::build(rules).covers(key));
    EXPECT_TRUE(CutTrees::build(std::span(rules).first(20)).covers(key));
}

// In whatever order and how often a rule writes values down; and of masks of states only those of
// one state are any packet's.
TEST(CutTrees, WhatIsEqualIsCountedOnce) {
    std::vector<ClassifierRule> rules(600);
    for (size_t i = 0; i < rules.size(); ++i) {
        std::vector<uint8_t> protocols{6, 17, 132, 47, 1};
        for (size_t n = i % 120; n > 0; --n) std::ranges::next_permutation(protocols);
        if (i % 2 == 0) protocols.push_back(6);
        rules[i].protocols = protocols;
        rules[i].sources = {{IpAddress::v4(static_cast<uint32_t>(i << 8)), 24}};
        rules[i].states = static_cast<uint8_t>(1 + i % 31);
        rules[i].in_ports = {static_cast<uint16_t>(i % 7)};
    }
    Random rng(6);
    EXPECT_GT(compare(CutTrees::build(rules), rules, rng, 3000), 2500);
}

// Each lies across all others: no cut helps, and the search for one ends.
TEST(CutTrees, RulesAcrossEachOtherAreNotCovered) {
    Random rng(7);
    std::vector<ClassifierRule> rules(20'000);
    for (ClassifierRule& rule : rules) {
        const auto half = [&] {
            const auto low = static_cast<uint16_t>(rng() % 30'000);
            return config::PortRange{low, static_cast<uint16_t>(low + 30'000)};
        };
        rule.source_ports = {half()};
        rule.destination_ports = {half()};
    }
    EXPECT_TRUE(CutTrees::build(rules).empty());
}

// Nothing cuts these apart: one leaf would hold them all.
TEST(CutTrees, RulesOfOneKindOfPacketAreNotCovered) {
    std::vector<ClassifierRule> rules(2000);
    for (ClassifierRule& rule : rules) rule.protocols = {6};
    EXPECT_FALSE(CutTrees::build(rules).covers(
        {.source = IpAddress::v4(1), .destination = IpAddress::v4(2)}));
}

TEST(TermGroup, AllAtOnceEqualsOneByOne) {
    Random rng(4);
    const auto few = [&] { return static_cast<uint32_t>(rng() % 4); };
    for (int i = 0; i < 20'000; ++i) {
        TermGroup g;
        const auto used = static_cast<unsigned>(rng() % (TermGroup::kTerms + 1));
        for (unsigned t = 0; t < used; ++t) {
            g.source[t] = few() - 1, g.source_width[t] = few();
            g.destination[t] = few(), g.destination_width[t] = few() * 0x40000000;
            g.source_port[t] = static_cast<uint16_t>(few() - 1);
            g.source_port_width[t] = static_cast<uint16_t>(few());
            g.destination_port[t] = static_cast<uint16_t>(few());
            g.destination_port_width[t] = static_cast<uint16_t>(few() * 0x5555);
            g.refused_kind[t] = few() & 1;
            g.refused_place[t] = few() & 2;
        }
        Probes p;
        const unsigned at = static_cast<unsigned>(i) % Probes::kMost;
        const uint32_t steps[] = {1, 0x30000000, 1, 0x5000};
        for (size_t f = 0; f < kTermFields; ++f) p.value[f][at] = few() * steps[f];
        p.kind[at] = Probes::kPresent | few();
        p.place[at] = few();
        ASSERT_EQ(matching(g, p, at, true, true), matching_plain(g, p, at));
        ASSERT_EQ(matching(g, p, at, true, true) >> used, 0u);
        g.refused_place = {};
        g.source_port = {};
        g.source_port_width.fill(0xffff);
        ASSERT_EQ(matching(g, p, at, false, false), matching_plain(g, p, at));
    }
}

class CutTreesOfClassBench : public testing::TestWithParam<const char*> {};

TEST_P(CutTreesOfClassBench, EqualLinearScan) {
    const auto path = test::data_path(std::string("rules/classbench/") + GetParam());
    if (!path) GTEST_SKIP() << "no ClassBench rules on this machine";
    const auto rules = test::read_classbench(*path);
    const CutTrees trees = CutTrees::build(rules);
    Random rng(5);
    EXPECT_EQ(compare(trees, rules, rng, 3000), 3000);
}

INSTANTIATE_TEST_SUITE_P(Sets, CutTreesOfClassBench,
                         testing::Values("acl1_1k", "fw1_1k", "ipc1_1k", "acl1_10k.gz",
                                         "fw1_10k.gz", "ipc1_10k.gz"));

}  // namespace
}  // namespace ravelin
