// SPDX-License-Identifier: Apache-2.0
// What the translator says, and what it refuses to.
#include <gtest/gtest.h>

#include "controlplane/config/yaml_loader.h"
#include "pipelines/stages/firewall_schema.h"
#include "tests/oracle/nft.h"

namespace ravelin::oracle {
namespace {

Result<std::string> translated(const std::string& firewall) {
    auto loaded =
        config::load_text(firewall, "test", firewall::kSchema,
                          [](std::string_view) -> const config::Schema* { return nullptr; }, {});
    if (!loaded) return std::move(loaded.error());
    return to_nft(loaded->tree);
}

void expect_rule(const std::string& rule, const std::string& expected) {
    const auto text = translated("rules: [" + rule + "]");
    ASSERT_TRUE(text) << text.error().message;
    EXPECT_NE(text->find(expected), std::string::npos) << *text;
}

TEST(Translate, FamiliesApart) {
    const auto text = translated(
        R"(rules: [{name: a, action: accept, from: [10.0.0.0/8, 10.1.0.0/16, "2001:db8::/32"], in: lan}])");
    ASSERT_TRUE(text) << text.error().message;
    const std::string usual = "ct state { new, established, related, untracked } accept\n";
    EXPECT_NE(text->find("meta nfproto ipv4 iifname { \"lan\" } ip saddr { 10.0.0.0/8 } " + usual),
              std::string::npos)
        << *text;
    EXPECT_NE(
        text->find("meta nfproto ipv6 iifname { \"lan\" } ip6 saddr { 2001:db8::/32 } " + usual),
        std::string::npos)
        << *text;
}

TEST(Translate, PortsTypesAndStates) {
    expect_rule(
        "{name: a, action: drop, protocol: [tcp, udp], to-ports: [80, 81-90, 22], state: [new, "
        "invalid]}",
        "meta nfproto ipv4 meta l4proto { 6, 17 } th dport { 22-22, 80-90 } ct state { new, "
        "invalid } drop");
    expect_rule("{name: a, action: drop, to-ports: 53}",
                "meta l4proto { 6, 17, 132 } th dport { 53-53 }");
    expect_rule("{name: a, action: accept, icmp-types: [echo-request, unreachable]}",
                "meta nfproto ipv6 meta l4proto { 58 } icmpv6 type { 1, 128 }");
}

TEST(Translate, HeaderFields) {
    expect_rule(
        "{name: a, action: drop, ttl: [1-3, 64], dscp: [ef, 8], length: 0-576}",
        "meta nfproto ipv6 ip6 hoplimit { 1, 2, 63 } ip6 dscp { ef, 8 } meta length 0-576 ct");
    expect_rule("{name: a, action: drop, tcp-flags: \"syn/syn,ack\"}",
                "meta nfproto ipv4 meta l4proto { 6 } tcp flags & 0x12 == 0x02 ct state");
    const auto never = translated("rules: [{name: a, action: accept, ttl: 1}]");
    ASSERT_TRUE(never);
    EXPECT_EQ(never->find("hoplimit"), std::string::npos);
}

TEST(Translate, RejectAnswersTcpWithAReset) {
    const auto text = translated(
        "{default: reject, rules: [{name: a, action: reject, family: ip4, protocol: tcp}]}");
    ASSERT_TRUE(text);
    EXPECT_NE(text->find("meta l4proto { 6 } ct state { new, established, related, untracked } "
                         "meta l4proto tcp reject with tcp reset"),
              std::string::npos)
        << *text;
    EXPECT_NE(text->find("  reject with icmpx admin-prohibited\n }"), std::string::npos) << *text;
}

TEST(Translate, WhatCannotMatchIsNoRule) {
    for (const auto* rule :
         {"{name: a, action: accept, out: local}", "{name: a, action: accept, disabled: true}",
          "{name: a, action: accept, from: []}"}) {
        const auto text = translated(std::string("rules: [") + rule + "]"),
                   none = translated("rules: []");
        ASSERT_TRUE(text && none);
        EXPECT_EQ(*text, *none) << rule;
    }
}

TEST(Translate, RefusesWhatItCannotSay) {
    const auto stateless = translated("rules: [{name: a, action: accept, stateful: false}]");
    ASSERT_FALSE(stateless);
    EXPECT_EQ(stateless.error().message,
              "rule 'a': 'stateful: false' would need its packets untracked");
    EXPECT_FALSE(translated("rules: [{name: builtin/arp, action: drop}]"));
    // A member the translator has never heard of: what the firewall learns tomorrow.
    auto tree =
        config::load_text("rules: [{name: a, action: drop}]", "test", firewall::kSchema,
                          [](std::string_view) -> const config::Schema* { return nullptr; }, {});
    ASSERT_TRUE(tree);
    const_cast<config::Node&>(tree->tree["rules"]).items()[0].set("mood", config::Node::integer(1));
    const auto mood = to_nft(tree->tree);
    ASSERT_FALSE(mood);
    EXPECT_EQ(mood.error().message, "rule 'a': 'mood' has no translation");
}

}  // namespace
}  // namespace ravelin::oracle
