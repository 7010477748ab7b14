// SPDX-License-Identifier: Apache-2.0
// Rules from YAML to what the classifier takes: order, slots, numbers of ICMP words, errors.
#include "pipelines/stages/firewall_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "controlplane/config/yaml_loader.h"
#include "dataplane/verdict.h"
#include "pipelines/stages/firewall_schema.h"
#include "pipelines/tables/shadow.h"
#include "tests/support/classbench.h"

namespace ravelin::firewall {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

const std::vector<std::string> kPorts{"lan", "wan"};

config::Node load(const std::string& yaml) {
    auto doc = config::load_text(yaml, "t", kSchema,
                                 [](std::string_view) -> const Schema* { return nullptr; }, {});
    EXPECT_TRUE(doc.ok()) << doc.error().message << "\n" << yaml;
    return doc ? doc->tree : config::Node();
}
config::Node with_rules(const std::string& rules) { return load("rules: [" + rules + "]"); }

/// Configured rules alone.
std::vector<NamedRule> rules(const std::string& text) {
    auto all = rules_of(with_rules(text), kPorts);
    EXPECT_TRUE(all.ok()) << all.error().message;
    if (!all) return {};
    all->erase(all->begin(), all->begin() + static_cast<long>(builtin_rules().size()));
    return *all;
}
std::string error_of(const std::string& text) {
    const auto all = rules_of(with_rules(text), kPorts);
    return all ? "no error" : all.error().message;
}

TEST(FirewallRules, BuiltinsComeFirstAndCountFromTheTopDown) {
    const auto all = rules_of(with_rules("{name: a, action: drop}"), kPorts);
    ASSERT_TRUE(all.ok());
    ASSERT_EQ(all->size(), builtin_rules().size() + 1);
    for (size_t i = 0; i < builtin_rules().size(); ++i) {
        EXPECT_EQ((*all)[i].name, builtin_rules()[i].name);
        EXPECT_EQ((*all)[i].slot, limits::kMaxRules - 1 - i);
        EXPECT_GT((*all)[i].slot, kDefaultSlot);
    }
    EXPECT_EQ(all->back().slot, 0u);
}

TEST(FirewallRules, OverridingABuiltinKeepsItsPlaceAndSlot) {
    const auto all = rules_of(
        with_rules("{name: a, action: drop}, {name: builtin/icmp6-echo, action: drop}"), kPorts);
    ASSERT_TRUE(all.ok());
    EXPECT_EQ(all->size(), builtin_rules().size() + 1);
    const auto at = std::ranges::find(*all, "builtin/icmp6-echo", &NamedRule::name) - all->begin();
    EXPECT_EQ(builtin_rules()[static_cast<size_t>(at)].name, "builtin/icmp6-echo");
    EXPECT_EQ((*all)[static_cast<size_t>(at)].slot, builtin_slot(static_cast<size_t>(at)));
    EXPECT_EQ((*all)[static_cast<size_t>(at)].action, Action::kDrop);
}

TEST(FirewallRules, ABuiltinsNameKeepsItsSlotWhereTheOthersAreOff) {
    const auto all = rules_of(load("builtin: false\nrules: [{name: builtin/arp, action: accept}, "
                                   "{name: a, action: drop, slot: 0}, {name: builtin/icmp6-echo, "
                                   "action: drop}, {name: b, action: drop, slot: 2}]"),
                              kPorts);
    ASSERT_TRUE(all.ok()) << all.error().message;
    std::vector<uint32_t> slots;
    for (const NamedRule& rule : *all) slots.push_back(rule.slot);
    EXPECT_THAT(slots, ElementsAre(builtin_slot(0), 0, builtin_slot(4), 2));
    EXPECT_TRUE(all->front().arp);
}

TEST(FirewallRules, DiscoveryIsForTheBoxInARouterAndForEverybodyInAWire) {
    const auto out_of = [](bool wire) {
        const auto all = rules_of(with_rules(""), kPorts, wire);
        return std::ranges::find(*all, "builtin/neighbour-discovery", &NamedRule::name)
            ->rule.out_ports;
    };
    EXPECT_THAT(out_of(false), ElementsAre(kLocalPort));
    EXPECT_TRUE(out_of(true).empty());
}

TEST(FirewallRules, TakesPortsLocalAndSlots) {
    const auto r = rules("{name: a, action: accept, in: wan, out: [lan, local], slot: 9}");
    EXPECT_THAT(r.at(0).rule.in_ports, ElementsAre(1));
    EXPECT_THAT(r.at(0).rule.out_ports, ElementsAre(0, kLocalPort));
    EXPECT_EQ(r.at(0).slot, 9u);
}

TEST(FirewallRules, AnIcmpWordHasItsNumberInEachFamily) {
    const auto r = rules(
        "{name: a, action: accept, icmp-types: echo-request},"
        "{name: b, action: accept, protocol: icmp6, icmp-types: [echo-request, redirect]},"
        "{name: c, action: accept, family: ip4, icmp-types: [unreachable, packet-too-big]}");
    EXPECT_THAT(r.at(0).rule.protocols, ElementsAre(1));
    EXPECT_THAT(r[0].rule.icmp_types, ElementsAre(8));
    EXPECT_THAT(r[0].icmp6_types, ElementsAre(128));
    EXPECT_THAT(r[1].rule.icmp_types, UnorderedElementsAre(128, 137));
    EXPECT_TRUE(r[1].icmp6_types.empty());
    EXPECT_THAT(r[2].rule.icmp_types, ElementsAre(3));
    const auto input = classifier_input(r);
    EXPECT_THAT(input.origin, ElementsAre(0, 0, 1, 2));
    EXPECT_THAT(input.rules[1].protocols, ElementsAre(58));
}

TEST(FirewallRules, ARuleThatCanMatchNothingIsNotGivenToTheClassifier) {
    const auto r = rules(
        "{name: a, action: accept, from: []}, {name: b, action: accept, disabled: true},"
        "{name: c, action: accept, state: []}, {name: d, action: accept, protocol: []}");
    ASSERT_EQ(r.size(), 4u);
    EXPECT_TRUE(classifier_input(r).rules.empty());
}

TEST(FirewallRules, InvalidPacketsAreForRulesThatAskForThem) {
    const auto r =
        rules("{name: a, action: accept}, {name: b, action: accept, state: [invalid, new]}");
    EXPECT_EQ(r.at(0).rule.states & kStateInvalid, 0);
    EXPECT_EQ(r[1].rule.states, kStateInvalid | kStateNew);
}

TEST(FirewallRules, ShadowedRulesAreFoundAmongExactOnes) {
    const auto r = rules(
        "{name: a, action: drop, hop-limit: 255}, {name: b, action: drop, protocol: udp},"
        "{name: c, action: accept, protocol: udp, to-ports: 53}");
    EXPECT_FALSE(r.at(0).exact());
    const std::vector<ClassifierRule> exact{r[1].rule, r[2].rule};
    EXPECT_THAT(find_shadowed(exact), ElementsAre(ShadowedRule{1, 0}));
}

struct Wrong {
    const char* rules;
    const char* message;
};
class FirewallRuleErrors : public ::testing::TestWithParam<Wrong> {};

TEST_P(FirewallRuleErrors, AreOneLineThatNamesTheRule) {
    const std::string message = error_of(GetParam().rules);
    EXPECT_EQ(message, GetParam().message);
    EXPECT_EQ(message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, FirewallRuleErrors,
    ::testing::Values(
        Wrong{"{name: a, action: drop, in: dmz}",
              "rules[0] 'a': in: found 'dmz', expected lan, wan"},
        Wrong{"{name: a, action: drop, in: local}",
              "rules[0] 'a': in: found 'local', expected lan, wan"},
        Wrong{"{name: a, action: drop, out: dmz}",
              "rules[0] 'a': out: found 'dmz', expected lan, wan or local"},
        Wrong{"{name: b, action: drop}, {name: b, action: drop}",
              "rules[1] 'b': name: two rules have it"},
        Wrong{"{name: default, action: drop}",
              "rules[0] 'default': name: what decides in the end is called so; choose another"},
        Wrong{"{name: a, action: drop, protocol: tpc}",
              "rules[0] 'a': protocol: found 'tpc', expected tcp, udp, icmp, icmp6, sctp, esp, ah, "
              "gre, igmp, ospf, vrrp, any or 0 to 255"},
        Wrong{"{name: a, action: drop, protocol: 256}",
              "rules[0] 'a': protocol: found '256', expected tcp, udp, icmp, icmp6, sctp, esp, ah, "
              "gre, igmp, ospf, vrrp, any or 0 to 255"},
        Wrong{"{name: a, action: drop, protocol: esp, to-ports: 80}",
              "rules[0] 'a': from-ports and to-ports need protocol tcp, udp or sctp"},
        Wrong{"{name: a, action: drop, protocol: tcp, icmp-types: redirect}",
              "rules[0] 'a': icmp-types need protocol icmp or icmp6 of the rule's family"},
        Wrong{"{name: a, action: drop, protocol: icmp, icmp-types: packet-too-big}",
              "rules[0] 'a': icmp-types: none of them exists in the rule's protocol"},
        Wrong{"{name: a, action: drop, icmp-type-numbers: [300]}",
              "rules[0] 'a': icmp-type-numbers: found '300', expected 0 to 255"},
        Wrong{"{name: a, action: drop, from: 10.0.0.0/8, to: '2001:db8::/32'}",
              "rules[0] 'a': can match nothing: from, to and family have no IP version in common"},
        Wrong{"{name: a, action: drop, from: 10.0.0.0/8, family: ip6}",
              "rules[0] 'a': can match nothing: from, to and family have no IP version in common"},
        Wrong{"{name: a, action: drop, state: established}",
              "rules[0] 'a': state: packets of an accepted flow meet no rule, so established "
              "cannot be denied"},
        Wrong{"{name: a, action: drop, slot: 5}, {name: b, action: drop, slot: 5}",
              "rules[1] 'b': slot: another rule counts in 5"},
        Wrong{"{name: builtin/arp, action: drop, from: 10.0.0.0/8}",
              "rules[0] 'builtin/arp': from: decides all ARP; expected action, log and disabled "
              "only"}));

TEST(FirewallRules, TenThousandClassBenchRulesDecideAsALinearSearchDoes) {
    const auto path = test::data_path("rules/classbench/fw1_10k.gz");
    if (!path) GTEST_SKIP() << "no shared data";
    const auto bench = test::read_classbench(*path);
    config::Node list = config::Node::list();
    for (size_t i = 0; i < bench.size(); ++i) {
        config::Node rule = config::Node::map();
        rule.set("name", config::Node::text("r" + std::to_string(i)));
        rule.set("action", config::Node::text(i % 2 == 0 ? "accept" : "drop"));
        if (!bench[i].sources.empty())
            rule.set("from", config::Node::blob(config::Node::encode(bench[i].sources)));
        if (!bench[i].destinations.empty())
            rule.set("to", config::Node::blob(config::Node::encode(bench[i].destinations)));
        if (!bench[i].protocols.empty()) {
            config::Node names = config::Node::list();
            names.add(config::Node::text(std::to_string(bench[i].protocols[0])));
            rule.set("protocol", std::move(names));
        }
        const bool transport =
            bench[i].protocols.empty() || bench[i].protocols[0] == 6 || bench[i].protocols[0] == 17;
        if (transport && !bench[i].source_ports.empty())
            rule.set("from-ports", config::Node::blob(config::Node::encode(bench[i].source_ports)));
        if (transport && !bench[i].destination_ports.empty())
            rule.set("to-ports",
                     config::Node::blob(config::Node::encode(bench[i].destination_ports)));
        list.add(std::move(rule));
    }
    config::Node config = config::Node::map();
    config.set("rules", std::move(list));
    const auto named = rules_of(config, kPorts);
    ASSERT_TRUE(named.ok()) << named.error().message;
    ASSERT_EQ(named->size(), bench.size() + builtin_rules().size());
    const auto input = classifier_input(*named);
    const auto classifier = Classifier::build(input.rules);
    ASSERT_TRUE(classifier.ok()) << classifier.error().message;
    std::mt19937 rng(1);
    size_t found = 0;
    for (int i = 0; i < 3000; ++i) {
        ClassifierKey key = test::key_near(bench[rng() % bench.size()], rng);
        key.state = kStateNew;
        const uint32_t at = classifier->match(key);
        ASSERT_EQ(at, test::linear_match(input.rules, key)) << i;
        found += at != Classifier::kNoMatch ? 1 : 0;
    }
    EXPECT_GT(found, 1000u) << "the packets hardly meet the rules";
}

}  // namespace
}  // namespace ravelin::firewall
