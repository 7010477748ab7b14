// SPDX-License-Identifier: Apache-2.0
#include "pipelines/model/tree_codec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace ravelin::model {
namespace {

using ::testing::HasSubstr;

config::Node sample() {
    config::Node rule = config::Node::map();
    rule.set("name", config::Node::text("web"));
    rule.set("rate", config::Node::integer(-7));
    rule.set("from", config::Node::blob(std::string("\0\xff\0", 3)));
    config::Node rules = config::Node::list();
    rules.add(std::move(rule));
    rules.add(config::Node::map());
    rules.add(config::Node::list());
    config::Node tree = config::Node::map();
    tree.set("rules", std::move(rules));
    return tree;
}

TEST(TreeCodec, GivesBackWhatItWasGiven) {
    Node wire, parsed;
    encode(sample(), wire);
    ASSERT_TRUE(parsed.ParseFromString(wire.SerializeAsString()));
    auto back = decode(parsed);
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(*back, sample());
}

TEST(TreeCodec, LeavesNullMembersOut) {
    config::Node tree = config::Node::map();
    tree.set("absent", config::Node());
    Node wire;
    encode(tree, wire);
    EXPECT_EQ(wire.map().members_size(), 0);
}

TEST(TreeCodec, RefusesAValueWithoutKind) {
    Node wire;
    wire.mutable_list()->add_items();
    EXPECT_THAT(decode(wire).error().message, HasSubstr("no known kind"));
    EXPECT_FALSE(decode(Node()).ok());
}

TEST(TreeCodec, RefusesTreesDeeperThanTheLimit) {
    const auto nested = [](unsigned levels) {
        Node tree;
        Node* at = &tree;
        for (unsigned i = 1; i < levels; ++i) at = at->mutable_list()->add_items();
        at->set_integer(1);
        return tree;
    };
    EXPECT_TRUE(decode(nested(kMaxTreeDepth)).ok());
    EXPECT_THAT(decode(nested(kMaxTreeDepth + 1)).error().message, HasSubstr("deeper than 32"));
}

TEST(TreeCodec, RefusesTwoMembersOfOneName) {
    Node wire;
    for (const char* name : {"a", "b", "a"}) {
        Member& member = *wire.mutable_map()->add_members();
        member.set_name(name);
        member.mutable_value()->set_integer(1);
    }
    EXPECT_THAT(decode(wire).error().message, HasSubstr("'a'"));
}

TEST(TreeCodec, ProtobufTakesTheDeepestTree) {
    config::Node tree = config::Node::integer(1);
    for (unsigned i = 1; i < kMaxTreeDepth; ++i) {
        config::Node outer = config::Node::map();
        outer.set("m", std::move(tree));
        tree = std::move(outer);
    }
    Node wire, parsed;
    encode(tree, wire);
    ASSERT_TRUE(parsed.ParseFromString(wire.SerializeAsString()));
    EXPECT_EQ(*decode(parsed), tree);
}

}  // namespace
}  // namespace ravelin::model
