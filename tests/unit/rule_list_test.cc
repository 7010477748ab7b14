// SPDX-License-Identifier: Apache-2.0
#include "controlplane/live/rule_list.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_live.h"

namespace ravelin::control {
namespace {

using config::Node;
using model::RuleChange;
using ::testing::HasSubstr;

Node rule(const std::string& name, const std::string& action = "drop", const std::string& of = "") {
    Node out = Node::map();
    out.set("name", Node::text(name));
    out.set("action", Node::text(action));
    out.set("slot", Node::integer(7));
    if (of.empty()) return out;
    Node connections = Node::map();
    connections.set("of", Node::text(of));
    connections.set("per-source", Node::integer(3));
    out.set("connections", std::move(connections));
    return out;
}

Node configuration(std::vector<Node> rules) {
    Node list = Node::list(), firewall = Node::map(), stage = Node::map(), pipeline = Node::list(),
         tree = Node::map();
    for (Node& r : rules) list.add(std::move(r));
    firewall.set("rules", std::move(list));
    stage.set("firewall", std::move(firewall));
    pipeline.add(std::move(stage));
    tree.set("pipeline", std::move(pipeline));
    return tree;
}

RuleChange added(const Node& rule, RuleChange::Place place = RuleChange::LAST,
                 const std::string& anchor = "") {
    RuleChange out;
    model::encode(rule, *out.mutable_add());
    out.set_place(place);
    out.set_anchor(anchor);
    return out;
}

RuleChange removed(const std::string& name) {
    RuleChange out;
    out.set_remove(name);
    return out;
}

firewall::RuleChanges all(const std::vector<RuleChange>& changes) {
    return {changes.begin(), changes.end()};
}

std::string names(const RuleList& list) {
    std::string out;
    const Node rules = list.rules();
    for (const Node& r : rules.items()) out += r["name"].as_text() + " ";
    return out;
}

RuleList of(std::vector<Node> rules) {
    RuleList out;
    out.reset(configuration(std::move(rules)));
    return out;
}

RuleChange any_change(std::mt19937& rng) {
    const auto name = [&] { return "r" + std::to_string(rng() % 14); };
    if (rng() % 3 == 0) return removed(name());
    const auto place = static_cast<RuleChange::Place>(rng() % 4);
    return added(rule(name()), place, place >= RuleChange::BEFORE ? name() : "");
}

// edit_rules() is what the data plane merges by: plain edits of a plain list.
TEST(RuleList, IsTheListThatPlainEditsMake) {
    std::mt19937 rng(11);
    RuleList list = of({rule("r1"), rule("builtin/arp"), rule("r2")});
    Node plain = list.rules();
    unsigned took = 0, refused = 0;
    for (int i = 0; i < 5000; ++i) {
        std::vector<RuleChange> changes;
        for (size_t n = 1 + rng() % 3; n != 0; --n) changes.push_back(any_change(rng));
        Node edited = plain;
        Status would = ok_status();
        for (size_t c = 0; c < changes.size() && would; ++c)
            would = firewall::edit_rules(edited, *firewall::read_edit(changes[c]));
        ASSERT_EQ(list.fits(all(changes)).ok(), would.ok());
        ASSERT_EQ(list.rules(), plain) << "fits() changed it";
        const Status changed = list.change(all(changes));
        ASSERT_EQ(changed.ok(), would.ok());
        if (would)
            plain = edited;
        else
            ASSERT_EQ(changed.error().message, would.error().message);
        ASSERT_EQ(list.rules(), plain);
        ++(would ? took : refused);
    }
    EXPECT_GT(took, 500u);
    EXPECT_GT(refused, 500u);
}

TEST(RuleList, FlowsThatARuleAsksForStayCounted) {
    RuleList list = of({rule("web", "accept"), rule("asks", "drop", "web"), rule("deny")});
    EXPECT_THAT(
        list.change(all({removed("web")})).error().message,
        HasSubstr("rule 'asks': connections.of: found 'web', expected a rule that accepts"));
    EXPECT_EQ(names(list), "web asks deny ");
    EXPECT_FALSE(list.change(all({added(rule("more", "drop", "deny"))})).ok());
    EXPECT_FALSE(list.change(all({added(rule("more", "drop", "nobody"))})).ok());
    EXPECT_FALSE(list.change(all({removed("web"), added(rule("web", "drop"))})).ok());
    EXPECT_TRUE(list.change(all({added(rule("self", "accept", "self"))})).ok());
    EXPECT_TRUE(list.change(all({removed("web"), removed("asks")})).ok());
    EXPECT_EQ(names(list), "deny self ");
    EXPECT_TRUE(list.change(all({added(rule("asks", "drop", "web")),
                                 added(rule("web", "accept"), RuleChange::FIRST)}))
                    .ok())
        << "in whatever order they come";
    EXPECT_EQ(names(list), "web deny self asks ");
}

TEST(RuleList, WithoutAFirewallThereIsNothingToChange) {
    RuleList list;
    list.reset(Node::map());
    EXPECT_EQ(list.fits(all({added(rule("a"))})).error().message, "the policy has no firewall");
}

}  // namespace
}  // namespace ravelin::control
