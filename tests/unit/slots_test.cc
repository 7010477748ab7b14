// SPDX-License-Identifier: Apache-2.0
#include "controlplane/compile/slots.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "pipelines/stages/firewall_rules.h"

namespace ravelin::control {
namespace {

using ::testing::ElementsAre;
using Names = std::vector<std::string>;

std::vector<uint32_t> adopt(SlotMap& map, const Names& names, uint64_t generation,
                            const SlotMap::ReadSlot& read = {}) {
    const std::vector<uint32_t> slots = *map.propose(names);
    std::vector<SlottedRule> rules;
    for (size_t i = 0; i < names.size(); ++i) rules.push_back({names[i], slots[i]});
    map.adopt(rules, generation, read);
    return slots;
}

TEST(SlotMap, KeepsARulesSlotWhereverItStands) {
    SlotMap map;
    EXPECT_THAT(adopt(map, {"a", "b"}, 1), ElementsAre(0, 1));
    EXPECT_THAT(adopt(map, {"new", "b", "a"}, 2), ElementsAre(2, 1, 0));
    EXPECT_EQ(map.find("a")->since_generation, 1u);
    EXPECT_EQ(map.find("new")->since_generation, 2u);
}

TEST(SlotMap, GivesAReturningRuleItsSlotBack) {
    SlotMap map;
    adopt(map, {"a", "b"}, 1);
    adopt(map, {"b"}, 2);
    EXPECT_THAT(adopt(map, {"c", "a", "b"}, 3), ElementsAre(2, 0, 1));
    EXPECT_EQ(map.find("a")->since_generation, 1u);
}

// Rules that come and go one by one have the slots that adopting all of them each time gives.
TEST(SlotMap, OneRuleIsAdoptedAsAllAre) {
    SlotMap all, single;
    Names names{"a", "b"};
    adopt(all, names, 1);
    adopt(single, names, 1);
    const auto read = [](uint32_t slot) { return SlotMap::Reading{{slot + 100, 9}, 55}; };
    std::mt19937 rng(5);
    for (int i = 0; i < 500; ++i) {
        const std::string name = "r" + std::to_string(rng() % 20);
        const auto at = std::ranges::find(names, name);
        if (at != names.end()) {
            names.erase(at);
            single.go(name);
        } else {
            names.push_back(name);
            const auto slot = single.propose(name);
            ASSERT_TRUE(slot.ok());
            ASSERT_EQ(*slot, all.propose(names)->back());
            single.come({name, *slot}, 2, read);
        }
        adopt(all, names, 2, read);
        for (int n = 0; n < 20; ++n) {
            const RuleSlot *one = single.find("r" + std::to_string(n)),
                           *other = all.find("r" + std::to_string(n));
            ASSERT_EQ(one == nullptr, other == nullptr);
            if (one == nullptr) continue;
            ASSERT_EQ(one->slot, other->slot);
            ASSERT_EQ(one->gone == 0, other->gone == 0);
            ASSERT_EQ(one->since_generation, other->since_generation);
            ASSERT_EQ(one->baseline.packets, other->baseline.packets);
        }
    }
}

TEST(SlotMap, ARuleThatComesTakesASlotFromWhoIsGone) {
    SlotMap map;
    Names names;
    for (uint32_t i = 0; i < firewall::kReservedSlots; ++i)
        names.push_back("r" + std::to_string(i));
    adopt(map, names, 1);
    map.go("r7");
    EXPECT_FALSE(map.propose("x").ok()) << "every slot was used";
    EXPECT_EQ(*map.propose("r7"), 7u) << "it is still its own";
    map.come({"x", 7}, 1, {});
    EXPECT_EQ(map.find("r7"), nullptr);
    EXPECT_EQ(*map.propose("x"), 7u);
    const auto saved = SlotMap::parse(map.to_json());
    ASSERT_TRUE(saved.ok()) << "no slot has two rules: " << saved.error().message;
}

TEST(SlotMap, ReusesTheLongestGoneSlotOnceAllWereUsed) {
    SlotMap map;
    Names all;
    for (uint32_t i = 0; i < firewall::kReservedSlots; ++i) all.push_back("r" + std::to_string(i));
    adopt(map, all, 1);
    all.erase(all.begin() + 7);  // r7 goes first, r3 after it
    adopt(map, all, 2);
    all.erase(all.begin() + 3);
    adopt(map, all, 3);
    all.push_back("x");
    const auto read = [](uint32_t slot) { return SlotMap::Reading{{slot + 100, 9}, 55}; };
    EXPECT_EQ(adopt(map, all, 4, read).back(), 7u);
    EXPECT_EQ(map.find("r7"), nullptr);
    const RuleCounter shown = since_baseline({107 + 5, 9}, 55, *map.find("x"));
    EXPECT_EQ(shown.packets, 5u);
    EXPECT_EQ(shown.bytes, 0u);
    EXPECT_EQ(since_baseline({3, 0}, 56, *map.find("x")).packets, 3u)
        << "another segment starts at zero";
    all.push_back("y");
    all.push_back("too many");
    EXPECT_FALSE(map.propose(all).ok());
}

TEST(SlotMap, SurvivesItsFile) {
    SlotMap map;
    adopt(map, {"a", "b"}, 1, [](uint32_t) { return SlotMap::Reading{{7, 8}, 9}; });
    adopt(map, {"b"}, 2);
    auto back = SlotMap::parse(map.to_json());
    ASSERT_TRUE(back.ok());
    EXPECT_EQ(back->to_json(), map.to_json());
    EXPECT_EQ(back->find("a")->baseline.packets, 7u);
}

TEST(SlotMap, RefusesADamagedFile) {
    EXPECT_FALSE(SlotMap::parse("").ok());
    EXPECT_FALSE(SlotMap::parse("{\"rules\": {\"a\": {\"slot\": -1}}}").ok());
    EXPECT_FALSE(SlotMap::parse("{\"rules\": []}").ok());
}

}  // namespace
}  // namespace ravelin::control
