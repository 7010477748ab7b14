// SPDX-License-Identifier: Apache-2.0
#include "pipelines/tables/classifier.h"

#include <gtest/gtest.h>

#include <chrono>
#include <random>

#include "tests/support/classbench.h"
#include "tests/support/instrumented.h"
#include "tests/support/random_rules.h"

namespace ravelin {
namespace {

using Random = std::mt19937_64;
using test::key_across;
using test::key_near;
using test::linear_match;

ClassifierKey tcp(std::string_view from, std::string_view to, uint16_t port) {
    return {.source = *IpAddress::parse(from),
            .destination = *IpAddress::parse(to),
            .source_port = 40000,
            .destination_port = port,
            .protocol = 6,
            .state = 1};
}

void expect_linear(const Classifier& classifier, std::span<const ClassifierRule> rules, Random& rng,
                   int lookups) {
    for (int i = 0; i < lookups; ++i) {
        const auto key = key_across(rules, rng);
        ASSERT_EQ(classifier.match(key), linear_match(rules, key)) << test::describe(key);
    }
}

uint32_t next_match(const Classifier& c, const ClassifierKey& key, uint32_t from) {
    return c.find(key, [&](uint32_t rule) { return rule >= from; });
}

TEST(Classifier, NoRulesMatchNothing) {
    const auto built = Classifier::build({});
    ASSERT_TRUE(built);
    const Classifier unbuilt;
    for (const Classifier* c : {&*built, &unbuilt}) {
        EXPECT_EQ(c->match(tcp("192.0.2.1", "192.0.2.2", 80)), Classifier::kNoMatch);
        EXPECT_EQ(c->size(), 0u);
    }
}

TEST(Classifier, AnyMatchesBothFamilies) {
    const auto c = Classifier::build(std::vector<ClassifierRule>(2));
    EXPECT_EQ(c->match(tcp("192.0.2.1", "192.0.2.2", 80)), 0u);
    EXPECT_EQ(c->match(tcp("2001:db8::1", "2001:db8::2", 80)), 0u);
    EXPECT_EQ(next_match(*c, tcp("192.0.2.1", "192.0.2.2", 80), 1), 1u);
    EXPECT_EQ(next_match(*c, tcp("192.0.2.1", "192.0.2.2", 80), 2), Classifier::kNoMatch);
}

TEST(Classifier, FamilyLimitsAnyAddress) {
    const auto c = Classifier::build(std::vector<ClassifierRule>{{.family = 6}, {.family = 4}});
    EXPECT_EQ(c->match(tcp("192.0.2.1", "192.0.2.2", 80)), 1u);
    EXPECT_EQ(c->match(tcp("2001:db8::1", "2001:db8::2", 80)), 0u);
}

TEST(Classifier, PortsOnlyMatchProtocolsWithPorts) {
    const auto c =
        Classifier::build(std::vector<ClassifierRule>{{.destination_ports = {{0, 0xffff}}}});
    auto key = tcp("192.0.2.1", "192.0.2.2", 0);
    for (unsigned protocol = 0; protocol < 256; ++protocol) {
        key.protocol = static_cast<uint8_t>(protocol);
        const bool has_ports = protocol == 6 || protocol == 17 || protocol == 132;
        EXPECT_EQ(c->match(key), has_ports ? 0u : Classifier::kNoMatch) << protocol;
    }
}

TEST(Classifier, IcmpTypesOnlyMatchIcmp) {
    const auto c =
        Classifier::build(std::vector<ClassifierRule>{{.protocols = {1}, .icmp_types = {8, 0}}});
    auto key = tcp("192.0.2.1", "192.0.2.2", 0);
    EXPECT_EQ(c->match(key), Classifier::kNoMatch);
    key.protocol = 1;
    EXPECT_EQ(c->match(key), 0u);
    key.icmp_type = 3;
    EXPECT_EQ(c->match(key), Classifier::kNoMatch);
    key.protocol = 58, key.icmp_type = 8;
    EXPECT_EQ(c->match(key), Classifier::kNoMatch);
}

TEST(Classifier, StatesAndSpecialPorts) {
    const auto c =
        Classifier::build(std::vector<ClassifierRule>{{.out_ports = {0xffff}, .states = 0x02},
                                                      {.out_ports = {0xfffe}},
                                                      {.in_ports = {3}, .states = 0x05}});
    auto key = tcp("192.0.2.1", "192.0.2.2", 0);
    key.in_port = 3, key.out_port = 0xffff;
    EXPECT_EQ(c->match(key), 2u);
    key.state = 2;
    EXPECT_EQ(c->match(key), 0u);
    key.out_port = 0xfffe;
    EXPECT_EQ(c->match(key), 1u);
    key.out_port = 0;
    EXPECT_EQ(c->match(key), Classifier::kNoMatch);
}

TEST(Classifier, RefusesBadRulesByIndex) {
    std::vector<ClassifierRule> rules(3);
    rules[2].source_ports = {{9, 8}};
    auto built = Classifier::build(rules);
    ASSERT_FALSE(built);
    EXPECT_EQ(built.error().message, "rule 2: port range 9-8 is backwards");
    rules[2] = {.family = 5};
    EXPECT_FALSE(Classifier::build(rules));
    rules[2] = {.sources = {{IpAddress::v4(0), 33}}};
    EXPECT_FALSE(Classifier::build(rules));
}

TEST(Classifier, RandomRulesEqualLinearScan) {
    Random rng(1);
    for (size_t count : {1, 2, 5, 20, 64, 65, 200, 511, 512, 513, 1500}) {
        for (int repeat = 0; repeat < 4; ++repeat) {
            const auto rules = test::random_rules(rng, count);
            const auto c = Classifier::build(rules);
            ASSERT_TRUE(c);
            expect_linear(*c, rules, rng, 3000);
            if (HasFatalFailure()) return;
        }
    }
}

TEST(Classifier, FindOffersEveryMatchInOrder) {
    Random rng(2);
    const auto rules = test::random_rules(rng, 1200);
    const auto c = Classifier::build(rules);
    for (int i = 0; i < 300; ++i) {
        const auto key = key_near(rules[rng() % rules.size()], rng);
        std::vector<uint32_t> offered, wanted;
        const uint32_t none = c->find(key, [&](uint32_t r) {
            offered.push_back(r);
            return false;
        });
        for (uint32_t r = 0; r < rules.size(); ++r)
            if (test::matches(rules[r], key)) wanted.push_back(r);
        ASSERT_EQ(none, Classifier::kNoMatch);
        ASSERT_EQ(offered, wanted);
    }
}

/// More than 64 chunks: the summary takes several words.
TEST(Classifier, FortyThousandHostRules) {
    std::vector<ClassifierRule> rules;
    for (uint32_t i = 0; i < 40000; ++i)
        rules.push_back({.sources = {{IpAddress::v4(0x0a000000 + i * 7), 32}}, .protocols = {6}});
    rules.push_back({.destination_ports = {{53, 53}}});
    const auto c = Classifier::build(rules);
    ASSERT_TRUE(c);
    EXPECT_LT(c->memory_bytes(), size_t{32} << 20);
    for (uint32_t i = 0; i < 40000; ++i) {
        auto key = tcp("0.0.0.0", "192.0.2.1", 53);
        key.source = IpAddress::v4(0x0a000000 + i * 7);
        ASSERT_EQ(c->match(key), i);
        ASSERT_EQ(next_match(*c, key, i + 1), 40000u);
        key.source = IpAddress::v4(0x0a000001 + i * 7);
        ASSERT_EQ(c->match(key), 40000u);
        key.destination_port = 54;
        ASSERT_EQ(c->match(key), Classifier::kNoMatch);
    }
}

TEST(Classifier, RulesWithHugePrefixSets) {
    Random rng(3);
    std::vector<ClassifierRule> rules(4);
    for (auto& rule : rules)
        for (int i = 0; i < 100000; ++i)
            rule.sources.push_back({IpAddress::v4(static_cast<uint32_t>(rng())), 32});
    rules[3].sources.push_back(*Prefix::parse("10.0.0.0/8"));
    const auto c = Classifier::build(rules);
    ASSERT_TRUE(c);
    EXPECT_LT(c->memory_bytes(), size_t{96} << 20);
    for (uint32_t r = 0; r < 4; ++r)
        for (size_t i = 0; i < 1000; ++i) {
            auto key = tcp("0.0.0.0", "192.0.2.1", 1);
            key.source = rules[r].sources[i].address;
            ASSERT_LE(c->match(key), r);
        }
    EXPECT_LE(c->match(tcp("10.1.2.3", "192.0.2.1", 1)), 3u);
}

class ClassBench : public testing::TestWithParam<const char*> {};

TEST_P(ClassBench, EqualsLinearScan) {
    const auto path = test::data_path(std::string("rules/") + GetParam());
    if (!path) GTEST_SKIP() << "no ClassBench rules on this machine (set RAVELIN_DATA)";
    const auto rules = test::read_classbench(*path);
    ASSERT_GT(rules.size(), 500u);
    const auto start = std::chrono::steady_clock::now();
    const auto c = Classifier::build(rules);
    const std::chrono::duration<double, std::milli> took = std::chrono::steady_clock::now() - start;
    ASSERT_TRUE(c);
    std::printf("%s: %zu rules, build %.1f ms, %.2f MiB\n", GetParam(), rules.size(), took.count(),
                static_cast<double>(c->memory_bytes()) / 1048576);
    EXPECT_LT(c->memory_bytes(), size_t{24} << 20);
    Random rng(5);
    expect_linear(*c, rules, rng, test::kInstrumented ? 4000 : 20000);
}

INSTANTIATE_TEST_SUITE_P(Sets, ClassBench,
                         testing::Values("classbench/acl1_1k", "classbench/acl2_1k",
                                         "classbench/acl3_1k", "classbench/acl4_1k",
                                         "classbench/acl5_1k", "classbench/fw1_1k",
                                         "classbench/fw2_1k", "classbench/fw3_1k",
                                         "classbench/fw4_1k", "classbench/fw5_1k",
                                         "classbench/ipc1_1k", "classbench/ipc2_1k",
                                         "classbench/acl1_10k.gz", "classbench/fw1_10k.gz",
                                         "classbench/ipc1_10k.gz", "classbench-trace/acl1_1k"));

/// Headers somebody else made for these rules; which rule they were made from does not tell the
/// first that matches, so the linear scan does.
TEST(ClassBenchTrace, EqualsLinearScan) {
    const auto rules_path = test::data_path("rules/classbench-trace/acl1_1k");
    const auto trace_path = test::data_path("rules/classbench-trace/acl1_1k_trace.gz");
    if (!rules_path || !trace_path) GTEST_SKIP() << "no ClassBench trace (set RAVELIN_DATA)";
    const auto rules = test::read_classbench(*rules_path);
    const auto c = Classifier::build(rules);
    ASSERT_TRUE(c);
    size_t headers = 0;
    for (const std::string& line : test::read_lines(*trace_path)) {
        unsigned long source = 0, destination = 0, sport = 0, dport = 0, protocol = 0;
        if (std::sscanf(line.c_str(), "%lu %lu %lu %lu %lu", &source, &destination, &sport, &dport,
                        &protocol) != 5)
            continue;
        const ClassifierKey key{.source = IpAddress::v4(static_cast<uint32_t>(source)),
                                .destination = IpAddress::v4(static_cast<uint32_t>(destination)),
                                .source_port = static_cast<uint16_t>(sport),
                                .destination_port = static_cast<uint16_t>(dport),
                                .protocol = static_cast<uint8_t>(protocol),
                                .state = 1};
        ASSERT_EQ(c->match(key), linear_match(rules, key)) << line;
        ++headers;
    }
    EXPECT_GT(headers, 1000u);
}

}  // namespace
}  // namespace ravelin
