// SPDX-License-Identifier: Apache-2.0
// Live edits beside compiled tables against a scan of the edited list.
#include "pipelines/stages/firewall_live.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "pipelines/stages/firewall_build.h"
#include "pipelines/stages/firewall_policy.h"
#include "tests/support/classbench.h"
#include "tests/support/random_rules.h"

namespace ravelin::firewall {
namespace {

using ::testing::HasSubstr;
using Place = RuleEdit::Place;
using Random = std::mt19937_64;

LiveSets some_sets() {
    LiveSets sets{std::move(*LiveSet::create({"s", SetType::kPrefixes, 100}))};
    for (const char* text : {"10.0.0.0/30", "10.0.1.8/29", "2001:db8::/126"})
        sets[0]->add(*SetElement::parse(SetType::kPrefixes, text), 0);
    return sets;
}

NamedRule random_named(Random& rng, uint32_t number) {
    NamedRule r;
    r.name = "r" + std::to_string(number);
    r.slot = number;
    r.rule = test::random_rule(rng);
    r.matches = rng() % 20 != 0;
    r.action = rng() % 2 == 0 ? Action::kAccept : Action::kDrop;
    if (rng() % 10 == 0) r.hop_limit = 255;
    if (rng() % 6 == 0) r.live = {{LiveField::kFrom, "s"}};
    if (rng() % 6 == 0) r.extra.conditions.longest = 100;
    if (rng() % 6 == 0) r.extra.conditions.dscp = rng();
    return r;
}

using Held = HeldEdits::value_type;

Held adding(NamedRule named, Place place, std::string anchor = "") {
    HeldEdit held;
    held.edit.rule = config::Node::map();
    held.edit.rule.set("name", config::Node::text(named.name));
    held.edit.place = place;
    held.edit.anchor = std::move(anchor);
    held.named = std::move(named);
    return std::make_shared<const HeldEdit>(std::move(held));
}

Held removing(const std::string& name) {
    HeldEdit held;
    held.edit.remove = name;
    return std::make_shared<const HeldEdit>(std::move(held));
}

/// The list as an operator thinks of it.
struct Model {
    std::vector<NamedRule> list;

    [[nodiscard]] size_t find(const std::string& name) const {
        size_t i = 0;
        while (list[i].name != name) ++i;
        return i;
    }
    void take(const HeldEdit& held) {
        const auto at = [&](size_t i) { return list.begin() + static_cast<std::ptrdiff_t>(i); };
        if (held.edit.rule.is_null())
            list.erase(at(find(held.edit.remove)));
        else if (held.edit.place == Place::kFirst)
            list.insert(list.begin(), held.named);
        else if (held.edit.place == Place::kLast)
            list.push_back(held.named);
        else
            list.insert(at(find(held.edit.anchor) + (held.edit.place == Place::kAfter ? 1u : 0u)),
                        held.named);
    }
    [[nodiscard]] uint32_t decide(const RuleKey& key, int hop_limit, const LiveSet& set) const {
        for (const NamedRule& r : list) {
            if (!r.matches || !test::matches(r.rule, key)) continue;
            if (key.packet->l3_total > r.extra.conditions.longest) continue;
            if ((r.extra.conditions.dscp >> (key.packet->tos >> 2) & 1) == 0) continue;
            if (!r.live.empty() && !set.holds_address(key.source)) continue;
            if (r.hop_limit == 0 || r.hop_limit == hop_limit) return r.slot;
        }
        return kDefaultSlot;
    }
};

/// `policy` with the list in its tables.
void compile(FirewallPolicy& policy, const Model& model) {
    const FirewallPolicy before = policy;
    auto built = build_tables(model.list, policy, before.tables == nullptr ? nullptr : &before);
    ASSERT_TRUE(built.ok()) << built.error().message;
    policy.tables = std::move(*built);
    policy.delta = nullptr;
}

std::string error_of(const FirewallPolicy& policy, const HeldEdits& edits) {
    auto delta = make_delta(policy, edits);
    return delta ? std::string() : delta.error().message;
}

FirewallPolicy edited(FirewallPolicy policy, const HeldEdits& edits,
                      const FirewallPolicy* previous = nullptr) {
    auto delta = make_delta(policy, edits, previous);
    EXPECT_TRUE(delta.ok()) << delta.error().message;
    policy.delta = std::move(*delta);
    return policy;
}

class Firewall {
  public:
    Firewall(Random& rng, size_t rules) : rng_(rng) {
        for (size_t i = 0; i < rules; ++i) model_.list.push_back(random_named(rng_, next_++));
        policy_.sets = some_sets();
        policy_.otherwise.slot = kDefaultSlot;
        compile(policy_, model_);
        merged_ = model_;
    }
    void edit() {
        Held held;
        if (!model_.list.empty() && rng_() % 3 == 0) {
            held = removing(any());
        } else {
            const auto place = static_cast<Place>(model_.list.empty() ? rng_() % 2 : rng_() % 4);
            const bool anchored = place == Place::kBefore || place == Place::kAfter;
            held = adding(random_named(rng_, next_++), place, anchored ? any() : "");
        }
        model_.take(*held);
        edits_.push_back(std::move(held));
        take_delta();
    }
    /// Some of the edits become part of the tables, as if the others came meanwhile.
    void merge() {
        const size_t n = rng_() % 2 == 0 ? edits_.size() : rng_() % (edits_.size() + 1);
        for (size_t i = 0; i < n; ++i) merged_.take(*edits_[i]);
        edits_.erase(edits_.begin(), edits_.begin() + static_cast<std::ptrdiff_t>(n));
        compile(policy_, merged_);
        take_delta();
    }
    void check(unsigned packets) {
        for (unsigned i = 0; i < packets; ++i) {
            const NamedRule near = model_.list.empty() ? random_named(rng_, 0)
                                                       : model_.list[rng_() % model_.list.size()];
            PacketMeta packet;
            packet.l3_total = rng_() % 2 == 0 ? 100 : 101;
            packet.tos = static_cast<uint8_t>(rng_());
            RuleKey key{test::key_near(near.rule, rng_)};
            key.packet = &packet;
            const int hop_limit = rng_() % 2 == 0 ? 255 : 64;
            Ask ask;
            if (policy_.delta == nullptr && policy_.tables->rules.trees.covers(key)) ++by_trees_;
            ASSERT_EQ(policy_.decide(key, hop_limit, ask).slot,
                      model_.decide(key, hop_limit, *policy_.sets[0]));
        }
    }

    /// Packets checked of which trees knew.
    [[nodiscard]] unsigned by_trees() const { return by_trees_; }

  private:
    std::string any() { return model_.list[rng_() % model_.list.size()].name; }
    void take_delta() { policy_ = edited(std::move(policy_), edits_); }
    Random& rng_;
    uint32_t next_ = 0;
    unsigned by_trees_ = 0;
    Model model_, merged_;
    HeldEdits edits_;
    FirewallPolicy policy_;
};

TEST(FirewallLive, AVerdictIsThatOfTheFirstMatchInTheEditedList) {
    Random rng(1);
    unsigned by_trees = 0;
    for (int round = 0; round < 40; ++round) {
        Firewall firewall(rng, round % 4 == 0 ? rng() % 4 : rng() % 700);
        for (int i = 0; i < 60; ++i) {
            firewall.edit();
            if (rng() % 8 == 0) firewall.merge();
            firewall.check(40);
            if (HasFatalFailure()) return;
        }
        by_trees += firewall.by_trees();
    }
    EXPECT_GT(by_trees, 1000u);
}

TEST(FirewallLive, RefusesWhatDoesNotFit) {
    Random rng(2);
    Model model;
    for (uint32_t i = 0; i < 3; ++i) model.list.push_back(random_named(rng, i));
    FirewallPolicy policy;
    policy.sets = some_sets();
    compile(policy, model);
    const auto error = [&](const HeldEdits& edits) { return error_of(policy, edits); };
    EXPECT_THAT(error({removing("r7")}), HasSubstr("there is none"));
    EXPECT_THAT(error({removing("r1"), removing("r1")}), HasSubstr("there is none"));
    EXPECT_THAT(error({removing("builtin/icmp6-echo")}), HasSubstr("built in"));
    EXPECT_THAT(error({adding(random_named(rng, 1), Place::kLast)}), HasSubstr("already"));
    EXPECT_THAT(error({adding(random_named(rng, 8), Place::kAfter, "r7")}), HasSubstr("none"));
    EXPECT_EQ(error({removing("r1"), adding(random_named(rng, 1), Place::kLast)}), "");
    NamedRule taken = random_named(rng, 9);
    taken.slot = 2;
    EXPECT_THAT(error({adding(taken, Place::kLast)}), HasSubstr("slot 2 is another's"));
    EXPECT_EQ(error({removing("r2"), adding(taken, Place::kLast)}), "");
    HeldEdits many;
    for (uint32_t i = 0; i <= kMostLiveEdits; ++i)
        many.push_back(adding(random_named(rng, 100 + i), Place::kLast));
    EXPECT_THAT(error(many), HasSubstr("at most 256"));
}

NamedRule plain(const std::string& name, uint32_t slot) {
    NamedRule r;
    r.name = name;
    r.slot = slot;
    return r;
}

LimitSpec burst_of(unsigned packets) {
    constexpr uint64_t kSecond = 1'000'000'000;
    return {.cost = kSecond, .depth_ns = packets * kSecond};
}

/// The slot that takes one more packet at a time when no bucket fills.
uint32_t spend(const FirewallPolicy& policy) {
    PacketMeta packet;
    RuleKey key;
    key.packet = &packet;
    Ask ask{.now_ns = 1, .take = Ask::Take::kTokens};
    return policy.decide(key, 64, ask).slot;
}

TEST(FirewallLive, LimitsKeepTheirBucketsThroughEditsAndMerges) {
    Model model;
    model.list.push_back(plain("base", 0));
    model.list[0].extra.limit = burst_of(3);
    FirewallPolicy policy;
    policy.otherwise.slot = kDefaultSlot;
    compile(policy, model);
    EXPECT_EQ(spend(policy), 0u);
    NamedRule live = plain("live", 1);
    live.extra.limit = burst_of(2);
    HeldEdits edits{adding(live, Place::kFirst)};
    policy = edited(std::move(policy), edits);
    EXPECT_EQ(spend(policy), 1u);
    edits.push_back(adding(plain("other", 2), Place::kLast));
    policy = edited(std::move(policy), edits);
    EXPECT_EQ(spend(policy), 1u);
    EXPECT_EQ(spend(policy), 0u);
    for (const Held& held : edits) model.take(*held);
    const FirewallPolicy before = policy;
    compile(policy, model);
    EXPECT_EQ(spend(policy), 0u);
    EXPECT_EQ(spend(policy), 2u);
    // One that came while the others were merged.
    NamedRule late = plain("late", 3);
    late.extra.limit = burst_of(1);
    edits.push_back(adding(late, Place::kFirst));
    const FirewallPolicy meanwhile = edited(before, edits);
    EXPECT_EQ(spend(meanwhile), 3u);
    policy = edited(std::move(policy), {edits.back()}, &meanwhile);
    EXPECT_EQ(spend(policy), 2u);
}

TEST(FirewallLive, CountsFlowsOfARuleThatCountsThemAlready) {
    Model model;
    model.list = {plain("counts", 0), plain("does not", 1), plain("asks", 2)};
    model.list[0].extra.connections.per_source = 5;
    model.list[2].extra.connections = {.per_source = 5, .over = true, .of = "counts"};
    FirewallPolicy policy;
    compile(policy, model);
    NamedRule live = plain("live", 3);
    live.extra.connections = {.per_source = 7, .over = true, .of = "does not"};
    EXPECT_THAT(error_of(policy, {adding(live, Place::kFirst)}), HasSubstr("counted already"));
    live.extra.connections.of = "nobody";
    EXPECT_THAT(error_of(policy, {adding(live, Place::kFirst)}), HasSubstr("counted already"));
    live.extra.connections.of = "counts";
    const FirewallPolicy with = edited(policy, {adding(live, Place::kFirst)});
    ASSERT_EQ(with.delta->added.extras.size(), 1u);
    EXPECT_EQ(with.delta->added.extras[0].counted_slot, 0u);
    EXPECT_THAT(error_of(policy, {removing("counts")}), HasSubstr("'asks' counts its flows"));
    EXPECT_EQ(error_of(policy, {removing("asks"), removing("counts")}), "");
    NamedRule own = plain("own", 4);
    own.extra.connections.per_source = 1;
    const FirewallPolicy alone = edited(policy, {adding(own, Place::kFirst)});
    EXPECT_TRUE(alone.delta->added.rules[0].counted);
}

TEST(FirewallLive, ATcpWindowIsThatOfTheRuleWhoseSlotItIs) {
    Model model;
    model.list = {plain("loose", 0), plain("usual", 1)};
    model.list[0].window = "loose";
    FirewallPolicy policy;
    compile(policy, model);
    EXPECT_EQ(policy.window_of(0), TcpWindow::loose);
    EXPECT_EQ(policy.window_of(1), TcpWindow::strict);
    NamedRule off = plain("off", 2);
    off.window = "off";
    const FirewallPolicy after = edited(
        policy,
        {removing("loose"), adding(plain("again", 0), Place::kFirst), adding(off, Place::kLast)});
    EXPECT_EQ(after.window_of(0), TcpWindow::strict);
    EXPECT_EQ(after.window_of(2), TcpWindow::off);
}

}  // namespace
}  // namespace ravelin::firewall
