// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/compiler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "controlplane/compile/checks.h"
#include "controlplane/compile/tree_diff.h"
#include "tests/support/edge_yaml.h"

namespace ravelin::control {
namespace {

using test::edge_yaml;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

std::string replaced(std::string text, const std::string& what, const std::string& with) {
    const size_t at = text.find(what);
    EXPECT_NE(at, std::string::npos) << what;
    return text.replace(at, what.size(), with);
}

std::string error_of(const std::string& yaml) {
    Compiler compiler;
    auto compiled = compiler.compile(yaml, "edge.yaml", SlotMap());
    return compiled ? "compiles" : compiled.error().message;
}

TEST(Compiler, GivesEachRuleASlotAndNamesTheBuiltInOnes) {
    Compiler compiler;
    auto compiled = compiler.compile(edge_yaml(), "edge.yaml", SlotMap());
    ASSERT_TRUE(compiled.ok()) << compiled.error().message;
    EXPECT_THAT(compiled->warnings, IsEmpty());
    ASSERT_EQ(slotted_rules(compiled->tree).size(), 1u);
    EXPECT_EQ(slotted_rules(compiled->tree)[0].slot, 0u);
    EXPECT_TRUE(compiled->rules.front().builtin);
    EXPECT_EQ(compiled->rules.back().name, "default");
}

std::string nat_yaml(const std::string& rules) {
    return replaced(edge_yaml(),
                    "  - route:", "  - steer\n  - nat: {rules: [" + rules + "]}\n  - route:");
}

// A rule of nat may be called as one of the firewall's; its counts are its own and stay with it.
TEST(Compiler, GivesRulesOfNatSlotsThatTheyKeep) {
    Compiler compiler;
    SlotMap slots;
    const std::string web = "{name: web, kind: masquerade, out: wan}";
    auto first = compiler.compile(nat_yaml(web), "edge.yaml", slots);
    ASSERT_TRUE(first.ok()) << first.error().message;
    slots.adopt(slotted_rules(first->tree), 1, {});
    const auto before = nat_rules_of(first->tree);
    ASSERT_EQ(before.size(), 1u);
    EXPECT_EQ(before[0].kind, "masquerade");
    EXPECT_NE(before[0].slot, before[0].new_slot);
    EXPECT_NE(before[0].slot, slots.find("web")->slot);
    EXPECT_NE(before[0].new_slot, slots.find("web")->slot);

    auto second = compiler.compile(nat_yaml("{name: dns, kind: masquerade, protocol: udp}, " + web),
                                   "edge.yaml", slots);
    ASSERT_TRUE(second.ok()) << second.error().message;
    const auto after = nat_rules_of(second->tree);
    ASSERT_EQ(after.size(), 2u);
    EXPECT_EQ(after[1].slot, before[0].slot);
    EXPECT_EQ(after[1].new_slot, before[0].new_slot);
    std::set<uint32_t> all;
    for (const SlottedRule& rule : slotted_rules(second->tree)) all.insert(rule.slot);
    EXPECT_EQ(all.size(), 5u);
}

TEST(Compiler, SnapshotComesBackAsItWas) {
    Compiler compiler;
    auto compiled = compiler.compile(edge_yaml(), "edge.yaml", SlotMap());
    ASSERT_TRUE(compiled.ok());
    auto back = decode_snapshot(encode_snapshot(compiled->tree, 7));
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(back->generation, 7u);
    EXPECT_EQ(back->tree, compiled->tree);
    EXPECT_FALSE(decode_snapshot("rubbish").ok());
}

// Until there could be several, `out` and `cpu` of reservations were texts.
TEST(Compiler, SnapshotsOfAnEarlierBuildAreRead) {
    Compiler compiler;
    auto compiled = compiler.compile(R"(
reservations: [{name: r, principal: a, cpu: 600cyc/pkt, out: wan, bytes: 100B, rate: 1kpps, deadline: 50ms}]
functions: [{name: f, thin: {}, work: 600}]
principals: [{name: a, function: f}]
ports: [{name: lan, device: 'null'}, {name: wan, device: 'null', rate: 1Gbit}]
pipeline: [parse, steer, route, classify, invoke]
)",
                                     "edge.yaml", SlotMap());
    ASSERT_TRUE(compiled.ok()) << compiled.error().message;
    config::Node old = compiled->tree;
    for (auto& [member, list] : old.members())
        if (member == "reservations")
            for (const char* const text : {"cpu", "out"}) {
                config::Node& one = list.items()[0];
                const std::string only = one[text].as_names().at(0);
                one.set(text, config::Node::text(only));
            }
    ASSERT_FALSE(old == compiled->tree);
    const auto back = decode_snapshot(encode_snapshot(old, 7));
    ASSERT_TRUE(back.ok()) << back.error().message;
    EXPECT_EQ(back->tree, compiled->tree);
    EXPECT_TRUE(compiler.recompile(back->tree, SlotMap()).ok()) << "as at a rollback";
}

TEST(Compiler, PlacesAStagesErrorInTheFile) {
    EXPECT_THAT(error_of(replaced(edge_yaml(), "in: lan", "in: moon")),
                AllOf(StartsWith("edge.yaml:9:"),
                      HasSubstr("pipeline.firewall.rules[0].in: found 'moon', expected")));
    EXPECT_THAT(error_of(replaced(edge_yaml(), "via: 192.0.2.254", "via: 198.51.100.1")),
                AllOf(StartsWith("edge.yaml:6:"), HasSubstr("pipeline.route.routes[0].via"),
                      HasSubstr("on no connected network")));
}

TEST(Compiler, ChecksThatPortsFitTogether) {
    EXPECT_THAT(
        error_of(replaced(edge_yaml(), "name: wan", "name: lan")),
        AllOf(StartsWith("edge.yaml:3:"), HasSubstr("ports[1].name"), HasSubstr("edge.yaml:2:")));
    EXPECT_THAT(error_of(replaced(edge_yaml(), "192.0.2.1/24", "10.0.0.129/25")),
                HasSubstr("overlaps 10.0.0.1/24 of port 'lan'"));
    EXPECT_THAT(error_of(replaced(edge_yaml(), "name: wan", "name: local")),
                HasSubstr("the box itself"));
    EXPECT_THAT(
        error_of("mode: wire\n" + replaced(edge_yaml(), "name: lan,", "name: lan, peer: lan,")),
        HasSubstr("expected the name of another port"));
    EXPECT_THAT(error_of(replaced(edge_yaml(), "\"off\"", "nowhere")),
                AllOf(HasSubstr("control.metrics"), HasSubstr("ADDRESS:PORT")));
}

TEST(Compiler, PlacesWhatIsWrongWithPrincipals) {
    const auto with = [](const std::string& principals) {
        return error_of("principals:\n" + principals + edge_yaml());
    };
    EXPECT_THAT(with("  - {name: org}\n"),
                AllOf(StartsWith("edge.yaml:2:"), HasSubstr("without the stage classify")));
    const std::string classified = replaced(edge_yaml(), "control:", "  - classify\ncontrol:");
    EXPECT_EQ(error_of("principals:\n  - {name: org}\n" + classified), "compiles");
    EXPECT_THAT(error_of("principals:\n  - {name: org}\n  - {name: org}\n" + classified),
                AllOf(StartsWith("edge.yaml:3:"), HasSubstr("'org' is declared twice")));
    EXPECT_THAT(error_of("principals:\n  - {name: org, prefixes: 10.0.0.0/8}\n"
                         "  - {name: lab, prefixes: 10.0.0.0/8}\n" +
                         classified),
                AllOf(StartsWith("edge.yaml:3:"), HasSubstr("is bound to 'org' too")));
    const std::string ruled =
        replaced(classified, "action: accept", "action: accept, principal: nobody");
    const size_t at = ruled.find("principal: nobody");
    const auto line = 2 + std::count(ruled.begin(), ruled.begin() + static_cast<long>(at), '\n');
    EXPECT_THAT(error_of("principals: [{name: org}]\n" + ruled),
                AllOf(StartsWith("edge.yaml:" + std::to_string(line) + ":"),
                      HasSubstr("principal: found 'nobody'")));
}

TEST(Compiler, PlacesAFunctionOnAWorkerThatIsNot) {
    Compiler compiler;
    const auto told = [&](const std::string& worker) {
        const auto done = compiler.compile(
            "workers: {count: 2}\n"
            "functions: [{name: f, thin: {}, worker: " +
                worker +
                "}]\n"
                "principals: [{name: a, function: f}]\n"
                "ports: [{name: lan, device: 'null'}]\n"
                "pipeline: [parse, steer, route, firewall, classify, invoke]\n",
            "edge.yaml", SlotMap());
        return done ? "taken" : done.error().message;
    };
    EXPECT_EQ(told("1"), "taken");
    EXPECT_EQ(told("2"),
              "edge.yaml:2:41: functions[0].worker: found 2, expected 0 to 1, as there are 2");
    EXPECT_THAT(told("32"), HasSubstr("edge.yaml:2:41: "));
}

TEST(Compiler, WarnsOfShadowedRulesWithBothPlaces) {
    Compiler compiler;
    auto compiled = compiler.compile(
        edge_yaml("        - {name: all, action: accept, protocol: tcp}\n"
                  "        - {name: web, action: drop, protocol: tcp, to-ports: 80}\n"),
        "edge.yaml", SlotMap());
    ASSERT_TRUE(compiled.ok()) << compiled.error().message;
    EXPECT_THAT(compiled->warnings,
                ElementsAre(AllOf(StartsWith("edge.yaml:10:"), HasSubstr("'web' never matches"),
                                  HasSubstr("'all' (edge.yaml:9:"))));
}

TEST(Compiler, ARuleThatIsBoundToARateHidesNoOther) {
    Compiler compiler;
    const auto warnings = [&](const std::string& first, const std::string& second) {
        auto compiled = compiler.compile(
            edge_yaml("        - {name: a, action: accept, protocol: tcp" + first +
                      "}\n        - {name: b, action: drop, protocol: tcp, to-ports: 80" + second +
                      "}\n"),
            "edge.yaml", SlotMap());
        EXPECT_TRUE(compiled.ok()) << compiled.error().message;
        return compiled ? compiled->warnings.size() : 99;
    };
    EXPECT_EQ(warnings("", ""), 1u);
    for (const char* bound :
         {", limit: {rate: 10pps}", ", connections: {per-source: 9}", ", tcp-flags: syn/syn",
          ", dscp: ef", ", ttl: 1-9", ", length: 0-99", ", fragment: true", ", options: false"})
        EXPECT_EQ(warnings(bound, ""), 0u) << bound;
    EXPECT_EQ(warnings("", ", limit: {rate: 10pps}"), 1u);
}

TEST(Checks, ReadsEndpointsOfBothFamilies) {
    EXPECT_EQ(parse_endpoint("[::1]:9477")->host, "::1");
    EXPECT_EQ(parse_endpoint("127.0.0.1:80")->port, 80);
    for (const char* wrong :
         {"::1:9477", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:99999", "host:1", ":80"})
        EXPECT_FALSE(parse_endpoint(wrong).ok()) << wrong;
}

std::string diff_of(const std::string& before, const std::string& after) {
    Compiler compiler;
    auto a = compiler.compile(before, "a", SlotMap()), b = compiler.compile(after, "b", SlotMap());
    EXPECT_TRUE(a.ok() && b.ok()) << (a.ok() ? b.error().message : a.error().message);
    return a && b ? to_text(diff(a->tree, b->tree)) : "";
}

TEST(Diff, IsEmptyForOnePolicy) { EXPECT_EQ(diff_of(edge_yaml(), edge_yaml()), ""); }

TEST(Diff, NamesRulesThatCameWentChangedAndMoved) {
    const std::string before = edge_yaml(
        "        - {name: a, action: accept}\n"
        "        - {name: b, action: drop, protocol: udp}\n"
        "        - {name: c, action: drop, protocol: tcp}\n");
    const std::string after = edge_yaml(
        "        - {name: c, action: reject, protocol: tcp}\n"
        "        - {name: d, action: drop, from: 10.0.0.0/8}\n"
        "        - {name: a, action: accept}\n");
    const std::string text = diff_of(before, after);
    EXPECT_THAT(text, HasSubstr("~ pipeline.firewall.rules.c.action: drop -> reject\n"));
    EXPECT_THAT(
        text,
        HasSubstr("+ pipeline.firewall.rules.d: {name: d, action: drop, from: 10.0.0.0/8}\n"));
    EXPECT_THAT(text, HasSubstr("- pipeline.firewall.rules.b: {name: b"));
    EXPECT_THAT(text, HasSubstr(": moved\n"));
}

TEST(Diff, ShowsWhatEnteredAndLeftASet) {
    EXPECT_EQ(diff_of("sets: {bad: [10.0.0.0/8, 11.0.0.0/8]}\n" + edge_yaml(),
                      "sets: {bad: [11.0.0.0/8, 12.0.0.0/8]}\n" + edge_yaml()),
              "~ sets.bad: 10.0.0.0/8 -> 12.0.0.0/8\n");
}

}  // namespace
}  // namespace ravelin::control
