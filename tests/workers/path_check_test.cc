// SPDX-License-Identifier: Apache-2.0
// Changes that would cut the management path or the asking session are refused, and nothing else.
#include <gmock/gmock.h>

#include "controlplane/change/guard.h"
#include "dataplane/process/path_check.h"
#include "pipelines/model/tree_codec.h"
#include "tests/support/live_rule.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string configuration(const std::string& rules, const std::string& route = "10.0.9.0/24") {
    return R"(
workers: {count: 2, poll: adaptive, buffers: 1024, flows: 1024, hugepages: "off"}
ports:
  - {name: lan, device: net_ring_lan, addresses: 10.0.1.1/24}
  - {name: wan, device: net_ring_wan, addresses: 198.51.100.1/24}
pipeline:
  - parse
  - steer
  - route: {routes: [{to: )" +
           route + R"(, via: 198.51.100.2}]}
  - firewall:
      rules:
)" + rules +
           "  - neighbour\n  - local\n  - rewrite\n";
}
const std::string kOpen = "        - {name: ssh, action: accept, protocol: tcp, to-ports: 22}\n";

class PathCheck : public ::testing::Test {
  protected:
    PathCheck() : box_({"lan", "wan"}, 2) {}

    /// A path of TCP to port 22 of 10.0.1.7.
    static model::Path path(const std::string& from) {
        config::Node rule = config::Node::map(), tcp = config::Node::list();
        rule.set("name", config::Node::text("ops"));
        rule.set("action", config::Node::text("accept"));
        rule.set("from", config::Node::blob(config::Node::encode(*Prefix::parse(from))));
        rule.set("to", config::Node::blob(config::Node::encode(*Prefix::parse("10.0.1.7"))));
        tcp.add(config::Node::text("tcp"));
        rule.set("protocol", tcp);
        rule.set("to-ports",
                 config::Node::blob(config::Node::encode(std::vector{config::PortRange{22, 22}})));
        return path(rule);
    }
    static model::Path path(const config::Node& rule) {
        model::Path out;
        out.set_name("management 'ops'");
        model::encode(rule, *out.mutable_rule());
        return out;
    }
    Status change(const std::string& yaml, const model::Path& keep, uint32_t confirm_ms = 0) {
        Paths paths;
        *paths.Add() = keep;
        return box_.try_apply(yaml, confirm_ms, paths);
    }
    RingBox box_;
};

TEST_F(PathCheck, ADenyingRuleIsNamed) {
    box_.apply(configuration(kOpen));
    const Status cut =
        change(configuration("        - {name: block, action: drop, from: 10.0.9.0/24}\n" + kOpen),
               path("10.0.9.0/24"));
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message,
                AllOf(HasSubstr("management 'ops': would be cut: rule 'block' would deny"),
                      HasSubstr("in=wan tcp 10.0.9."), HasSubstr("10.0.1.7:22")));
    EXPECT_EQ(box_.store().current()->generation, 1u) << "what was in force stays";
    const Status none = change(configuration(""), path("10.0.9.0/24"));
    ASSERT_FALSE(none.ok());
    EXPECT_THAT(none.error().message, HasSubstr("the firewall's default would deny"));
}

TEST_F(PathCheck, ARuleThatDeniesOneHostOfThePathIsFound) {
    box_.apply(configuration(kOpen));
    const Status cut =
        change(configuration("        - {name: one, action: reject, from: 10.0.9.77}\n" + kOpen),
               path("10.0.9.0/24"));
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message, HasSubstr("rule 'one' would deny in=wan tcp 10.0.9.77:"));
}

TEST_F(PathCheck, OtherRulesAndOtherPathsDoNotMatter) {
    box_.apply(configuration(kOpen));
    const std::string rules =
        "        - {name: udp, action: drop, protocol: udp}\n"
        "        - {name: web, action: drop, protocol: tcp, to-ports: 80}\n"
        "        - {name: guests, action: drop, from: 10.0.8.0/24}\n" +
        kOpen;
    const Status fine = change(configuration(rules), path("10.0.9.0/24"));
    EXPECT_TRUE(fine.ok()) << fine.error().message;
}

TEST_F(PathCheck, AConnectedNetworkIsReachedByItsPort) {
    box_.apply(configuration(kOpen));
    for (const char* from :
         {"198.51.100.0/24", "198.51.100.77", "198.51.100.128/25", "198.51.100.0/30"}) {
        const Status fine = change(configuration(kOpen), path(from));
        EXPECT_TRUE(fine.ok()) << from << ": " << fine.error().message;
        EXPECT_FALSE(change(configuration(""), path(from)).ok()) << from;
    }
}

TEST_F(PathCheck, ARouteThatGoesCutsToo) {
    box_.apply(configuration(kOpen));
    const Status cut = change(configuration(kOpen, "10.0.44.0/24"), path("10.0.9.0/24"));
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message, HasSubstr("no route leads to 10.0.9.0/24"));
}

TEST_F(PathCheck, ASessionCountsOnlyWhileItPasses) {
    box_.apply(configuration(kOpen));
    const auto session = *control::session_path("10.0.9.5 50123 10.0.1.7 22");
    const Status cut = change(configuration(""), session);
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message,
                AllOf(HasSubstr("your session from 10.0.9.5:50123: would be cut"),
                      HasSubstr("10.0.9.5:50123 > 10.0.1.7:22")));
    const auto elsewhere = *control::session_path("172.16.0.1 50123 172.16.0.2 22");
    EXPECT_TRUE(change(configuration(""), elsewhere).ok()) << "it does not come through the box";
    EXPECT_TRUE(change(configuration(kOpen), session).ok()) << "it does not pass now";
}

TEST_F(PathCheck, APathThatNoPacketFitsIsRefused) {
    box_.apply(configuration(kOpen));
    config::Node rule = config::Node::map(), lan = config::Node::list(), icmp = lan;
    rule.set("name", config::Node::text("ops"));
    rule.set("action", config::Node::text("accept"));
    rule.set("from", config::Node::blob(config::Node::encode(*Prefix::parse("2001:db8::/64"))));
    lan.add(config::Node::text("lan"));
    rule.set("in", lan);
    icmp.add(config::Node::text("icmp"));
    rule.set("protocol", icmp);
    const Status untried = change(configuration(kOpen), path(rule));
    ASSERT_FALSE(untried.ok()) << "ICMP of IPv4 from an IPv6 network";
    EXPECT_EQ(untried.error().message, "management 'ops': no packet can be made of it");
    rule.set("from", config::Node::blob(""));
    EXPECT_FALSE(change(configuration(kOpen), path(rule)).ok()) << "from an empty set";
}

uint64_t slow_ns = 0;
Now slow() { return Now::from_ns(slow_ns += 1'500'000'000); }

TEST_F(PathCheck, WhatIsNotTriedInTimeIsRefused) {
    box_.apply(configuration(kOpen +
                             "        - {name: a, action: drop, to-ports: 80, protocol: tcp}\n"
                             "        - {name: b, action: drop, from: 10.0.9.0/24}\n"
                             "        - {name: c, action: drop, from: 10.0.8.0/24}\n"));
    const PolicySnapshot& policy = *box_.store().current();
    Paths paths;
    *paths.Add() = path("10.0.9.0/24");
    const auto check = [&](Clock clock) {
        return paths_pass(*box_.store().appliance(), policy, &policy, paths, Now::read(), clock);
    };
    const Status late = check(slow);
    ASSERT_FALSE(late.ok());
    EXPECT_EQ(late.error().message,
              "management 'ops': may be cut: 1 of 3 rules that deny were tried against it when the "
              "2 s for all paths were over; refused unless forced");
    const Status fine = check([] { return Now{}; });
    EXPECT_TRUE(fine.ok()) << fine.error().message;
}

TEST_F(PathCheck, TheFirstPolicyIsHeldToItAndNothingIsLeftOfIt) {
    EXPECT_FALSE(change(configuration(""), path("10.0.9.0/24")).ok());
    EXPECT_EQ(box_.store().appliance(), nullptr);
}

TEST_F(PathCheck, RollingBackIsHeldToItUnlessTheTimeIsUp) {
    box_.apply(configuration(""));
    box_.apply(configuration(kOpen), 1000);
    Paths paths;
    *paths.Add() = path("10.0.9.0/24");
    const Now now = Now::read();
    const Status cut = box_.store().roll_back(now, paths);
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message, HasSubstr("default would deny"));
    EXPECT_EQ(box_.store().current()->generation, 2u);
    EXPECT_TRUE(box_.store().expire(Now::from_ns(now.ns + 2'000'000'000)));
}

constexpr uint32_t kSlot = 900;  // of live rules

TEST_F(PathCheck, ALiveRuleThatDeniesSomeOfAPathIsRefused) {
    box_.apply(configuration(kOpen));
    Paths paths;
    *paths.Add() = path("10.0.9.0/24");
    const auto live = [&](const std::string& rule, model::RuleChange::Place place) {
        auto change = rule_added(rule, kSlot);
        change.set_place(place);
        return change_rule(box_.store(), change, paths);
    };
    const Status cut = live("{name: one, action: drop, from: 10.0.9.77}", model::RuleChange::FIRST);
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message,
                HasSubstr("management 'ops': would be cut: rule 'one' would deny in=wan tcp "
                          "10.0.9.77:"));
    EXPECT_EQ(box_.store().current()->rules.find("one"), nullptr);
    const Status behind =
        live("{name: late, action: drop, from: 10.0.9.0/24}", model::RuleChange::LAST);
    EXPECT_TRUE(behind.ok()) << "the path is accepted before: " << behind.error().message;
    EXPECT_FALSE(change_rule(box_.store(), rule_removed("ssh"), paths).ok());
    EXPECT_TRUE(change_rule(box_.store(), rule_removed("late"), paths).ok());
    EXPECT_TRUE(change_rule(box_.store(), rule_removed("ssh")).ok()) << "by force";
    const Status other = live("{name: web, action: drop, to-ports: 80}", model::RuleChange::FIRST);
    EXPECT_TRUE(other.ok()) << "what is cut already is not cut by this: " << other.error().message;
}

TEST_F(PathCheck, ALiveRuleOfAPathMayGoWhereAnotherAcceptsIt) {
    box_.apply(configuration(kOpen));
    Paths paths;
    *paths.Add() = path("10.0.9.0/24");
    *paths.Add() = *control::session_path("10.0.9.5 50123 10.0.1.7 22");
    ASSERT_TRUE(change_rule(box_.store(),
                            rule_added("{name: more, action: accept, from: 10.0.8.0/23}", kSlot))
                    .ok());
    EXPECT_TRUE(change_rule(box_.store(), rule_removed("ssh"), paths).ok());
    for (const bool merged : {false, true}) {
        for (int i = 0; merged && i < 1000 && box_.store().live().merges() == 0; ++i) {
            box_.store().merge_rules(kInAPause);
            ASSERT_TRUE(box_.turn());
        }
        const Status cut = change_rule(box_.store(), rule_removed("more"), paths);
        ASSERT_FALSE(cut.ok()) << merged;
        EXPECT_THAT(cut.error().message, HasSubstr("default would deny"));
    }
}

constexpr const char* kSets =
    "sets: {bad: {type: prefixes, size: 100}, ends: {type: endpoints, size: 100}, "
    "ports: {type: ports}, pairs: {type: address-pairs, size: 100}}\n";

class SetCheck : public PathCheck {
  protected:
    SetCheck() {
        *paths_.Add() = path("10.0.9.0/24");
        *paths_.Add() = *control::session_path("10.0.9.5 50123 10.0.1.7 22");
    }
    void begin(const std::string& rules) { box_.apply(kSets + configuration(rules)); }
    Status change(const std::string& set, model::SetChange::Action action,
                  const std::vector<std::string>& elements, bool force = false,
                  uint64_t timeout_ms = 0) {
        PolicyStore& store = box_.store();
        model::LiveChange change;
        change.set_generation(store.current()->generation);
        change.set_serial(store.live().serial() + 1);
        model::SetChange& one = *change.add_sets();
        one.set_set(set);
        one.set_action(action);
        for (const std::string& text : elements) {
            SetElement::parse(store.current()->find_set(set)->decl().type, text)
                ->append_to(*one.mutable_elements());
            if (timeout_ms != 0) one.add_remaining_ms(timeout_ms);
        }
        const Now now = Now::read();
        const Paths none;
        const uint32_t epoch = store.current()->epoch, size = this->size(set);
        const Status could = store.could_change(change, now, force ? none : paths_);
        EXPECT_EQ(epoch, store.current()->epoch) << "tried alone";
        EXPECT_EQ(size, this->size(set));
        Status done = store.change(change, now, now.ns, force ? none : paths_);
        EXPECT_EQ(could.ok(), done.ok());
        return done;
    }
    Status add(const std::string& set, const std::string& element) {
        return change(set, model::SetChange::ADD, {element});
    }
    uint32_t size(const std::string& set) { return box_.store().current()->find_set(set)->size(); }
    Paths paths_;
};

TEST_F(SetCheck, AnElementThatDeniesSomeOfAPathIsRefused) {
    begin("        - {name: blocked, action: drop, from: '@bad'}\n" + kOpen);
    const Status cut = add("bad", "10.0.9.77");
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message,
                HasSubstr("management 'ops': would be cut: rule 'blocked' would deny in=wan tcp "
                          "10.0.9.77:"));
    EXPECT_FALSE(add("bad", "0.0.0.0/0").ok());
    EXPECT_EQ(size("bad"), 0u);
    EXPECT_TRUE(add("bad", "10.0.8.0/24").ok());
    EXPECT_TRUE(change("bad", model::SetChange::ADD, {"10.0.9.77"}, true).ok());
    EXPECT_TRUE(add("bad", "10.0.9.77").ok()) << "it is there already";
    EXPECT_FALSE(add("bad", "10.0.9.78").ok());
    EXPECT_TRUE(change("bad", model::SetChange::FLUSH, {}).ok()) << "that opens";
    EXPECT_EQ(size("bad"), 0u);
}

TEST_F(SetCheck, WhereThePathIsAcceptedBeforeItDoesNotMatter) {
    begin(kOpen + "        - {name: blocked, action: drop, from: '@bad'}\n");
    const Status fine = add("bad", "10.0.9.0/24");
    EXPECT_TRUE(fine.ok()) << fine.error().message;
}

TEST_F(SetCheck, AnElementThatAcceptsMayGoWhereAnotherHoldsItsAddresses) {
    begin("        - {name: trusted, action: accept, from: '@bad', protocol: tcp, to-ports: 22}\n");
    ASSERT_TRUE(change("bad", model::SetChange::ADD, {"10.0.9.0/24", "10.0.9.77"}, true).ok());
    const Status fine = change("bad", model::SetChange::REMOVE, {"10.0.9.77"});
    EXPECT_TRUE(fine.ok()) << fine.error().message;
    const Status cut = change("bad", model::SetChange::REMOVE, {"10.0.9.0/24"});
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message, HasSubstr("the firewall's default would deny"));
    EXPECT_FALSE(change("bad", model::SetChange::FLUSH, {}).ok());
    EXPECT_EQ(size("bad"), 1u);
}

TEST_F(SetCheck, WhatGoesAndComesBackInOneChangeDoesNotMatter) {
    begin("        - {name: trusted, action: accept, from: '@bad', protocol: tcp, to-ports: 22}\n");
    ASSERT_TRUE(change("bad", model::SetChange::ADD, {"10.0.9.0/24"}, true).ok());
    model::LiveChange both;
    both.set_generation(box_.store().current()->generation);
    both.set_serial(box_.store().live().serial() + 1);
    for (const auto action : {model::SetChange::FLUSH, model::SetChange::ADD}) {
        model::SetChange& one = *both.add_sets();
        one.set_set("bad");
        one.set_action(action);
        if (action == model::SetChange::ADD)
            SetElement::parse(SetType::kPrefixes, "10.0.9.0/24")
                ->append_to(*one.mutable_elements());
    }
    const Status fine = box_.store().could_change(both, Now::read(), paths_);
    EXPECT_TRUE(fine.ok()) << fine.error().message;
    both.mutable_sets()->RemoveLast();
    EXPECT_FALSE(box_.store().could_change(both, Now::read(), paths_).ok());
}

TEST_F(SetCheck, ThePolicyThatMayComeBackCountsToo) {
    begin("        - {name: blocked, action: drop, from: '@bad'}\n" + kOpen);
    const Status provisional = box_.try_apply(kSets + configuration(kOpen), 60'000);
    ASSERT_TRUE(provisional.ok()) << provisional.error().message;
    EXPECT_FALSE(add("bad", "10.0.9.77").ok());
    EXPECT_TRUE(add("bad", "10.0.8.77").ok());
}

// A timeout takes away what was given for a time; what lasts may not be made to hang by one.
TEST_F(SetCheck, NothingLastingMayHangByATimeout) {
    constexpr uint64_t kHour = 3'600'000;
    constexpr auto kAdd = model::SetChange::ADD, kRemove = model::SetChange::REMOVE;
    begin("        - {name: trusted, action: accept, from: '@bad', protocol: tcp, to-ports: 22}\n");
    EXPECT_TRUE(change("bad", kAdd, {"10.0.9.0/24"}, false, kHour).ok())
        << "when it ends all is as it was";
    EXPECT_TRUE(change("bad", kAdd, {"10.0.9.0/24"}, false, kHour).ok()) << "longer";
    EXPECT_TRUE(change("bad", kAdd, {"10.0.9.0/24"}).ok()) << "for good";
    const Status lapses = change("bad", kAdd, {"10.0.9.0/24"}, false, kHour);
    ASSERT_FALSE(lapses.ok());
    EXPECT_THAT(lapses.error().message,
                AllOf(HasSubstr("once timeouts are over: management 'ops': would be cut"),
                      HasSubstr("the firewall's default would deny in=wan tcp 10.0.9.")));
    EXPECT_TRUE(change("bad", kAdd, {"10.0.8.0/23"}, false, kHour).ok());
    EXPECT_FALSE(change("bad", kRemove, {"10.0.9.0/24"}).ok()) << "the other holds it for an hour";
    EXPECT_TRUE(change("bad", kAdd, {"10.0.8.0/23"}).ok());
    EXPECT_TRUE(change("bad", kRemove, {"10.0.9.0/24"}).ok()) << "the other holds it for good";
    EXPECT_TRUE(change("bad", kAdd, {"10.0.8.0/23"}, true, kHour).ok()) << "by force";
    EXPECT_FALSE(change("bad", kRemove, {"10.0.8.0/23"}).ok()) << "it would go at once";
}

const std::string kTrusted =
    "        - {name: trusted, action: accept, from: '@bad', protocol: tcp, to-ports: 22}\n";

TEST_F(SetCheck, ARuleMayNotGoWhereOnlyATimeoutHoldsWhatItAccepts) {
    constexpr auto kAdd = model::SetChange::ADD;
    begin(kTrusted + kOpen);
    ASSERT_TRUE(change("bad", kAdd, {"10.0.9.0/24"}, false, 3'600'000).ok());
    const Status cut = change_rule(box_.store(), rule_removed("ssh"), paths_);
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message,
                AllOf(HasSubstr("once timeouts are over: management 'ops': would be cut"),
                      HasSubstr("the firewall's default would deny in=wan tcp 10.0.9.")));
    EXPECT_NE(box_.store().current()->rules.find("ssh"), nullptr);
    ASSERT_TRUE(change("bad", kAdd, {"10.0.9.0/24"}).ok());
    const Status fine = change_rule(box_.store(), rule_removed("ssh"), paths_);
    EXPECT_TRUE(fine.ok()) << "the set holds it for good: " << fine.error().message;
}

TEST_F(SetCheck, ALiveRuleThatDeniesBehindATimeoutIsRefused) {
    begin(kTrusted + kOpen);
    ASSERT_TRUE(change("bad", model::SetChange::ADD, {"10.0.9.0/24"}, false, 3'600'000).ok());
    auto stop = rule_added("{name: stop, action: drop, from: 10.0.9.0/24}", kSlot);
    stop.set_place(model::RuleChange::AFTER);
    stop.set_anchor("trusted");
    const Status cut = change_rule(box_.store(), stop, paths_);
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message, AllOf(HasSubstr("once timeouts are over"),
                                           HasSubstr("rule 'stop' would deny in=wan tcp 10.0.9.")));
    auto other = rule_added("{name: stop, action: drop, from: 10.0.8.0/24}", kSlot);
    other.set_place(model::RuleChange::FIRST);
    EXPECT_TRUE(change_rule(box_.store(), other, paths_).ok());
}

TEST_F(SetCheck, APolicyMayNotMakeAPathHangByATimeout) {
    constexpr auto kAdd = model::SetChange::ADD;
    begin(kTrusted + kOpen);
    ASSERT_TRUE(change("bad", kAdd, {"10.0.9.0/24"}, false, 3'600'000).ok());
    const Status cut = box_.try_apply(kSets + configuration(kTrusted), 0, paths_);
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message, HasSubstr("once timeouts are over: management 'ops'"));
    ASSERT_TRUE(box_.try_apply(kSets + configuration(kTrusted)).ok()) << "by force";
    const Status same = box_.try_apply(kSets + configuration(kTrusted), 0, paths_);
    EXPECT_TRUE(same.ok()) << "it hung by that before: " << same.error().message;
    ASSERT_TRUE(box_.try_apply(kSets + configuration(kTrusted + kOpen), 0, paths_).ok());
    ASSERT_TRUE(change("bad", kAdd, {"10.0.9.0/24"}).ok());
    const Status fine = box_.try_apply(kSets + configuration(kTrusted), 0, paths_);
    EXPECT_TRUE(fine.ok()) << "the set holds it for good: " << fine.error().message;
}

TEST_F(SetCheck, ADenialThatWouldEndMayNotBeMadeToLast) {
    begin("        - {name: blocked, action: drop, from: '@bad'}\n" + kOpen);
    ASSERT_TRUE(change("bad", model::SetChange::ADD, {"10.0.9.77"}, true, 1000).ok());
    const Status lasts = add("bad", "10.0.9.77");
    ASSERT_FALSE(lasts.ok());
    EXPECT_THAT(lasts.error().message, HasSubstr("rule 'blocked' would deny"));
    EXPECT_TRUE(change("bad", model::SetChange::ADD, {"10.0.9.77"}, false, 9000).ok());
}

TEST_F(SetCheck, SetsOfEveryTypeAreLookedInto) {
    begin(
        "        - {name: no-end, action: drop, to-endpoint: '@ends', protocol: tcp}\n"
        "        - {name: no-port, action: drop, to-ports: '@ports', protocol: tcp}\n"
        "        - {name: no-pair, action: reject, from-to: '@pairs'}\n" +
        kOpen);
    for (const auto& [set, cuts, fine] :
         {std::array{"ends", "10.0.1.7:22", "10.0.1.7:23"}, std::array{"ports", "20-22", "23"},
          std::array{"pairs", "10.0.9.5 10.0.1.7", "10.0.8.5 10.0.1.7"}}) {
        EXPECT_FALSE(add(set, cuts).ok()) << set;
        const Status passed = add(set, fine);
        EXPECT_TRUE(passed.ok()) << set << ": " << passed.error().message;
    }
}

TEST_F(SetCheck, ALiveRuleThatAsksForTheSetCounts) {
    begin(kOpen);
    config::Node sets = config::Node::map(), bad = config::Node::map();
    bad.set("type", config::Node::text("prefixes"));
    sets.set("bad", bad);
    auto rule = rule_added("{name: stop, action: drop, from: '@bad'}", kSlot, sets);
    rule.set_place(model::RuleChange::FIRST);
    ASSERT_TRUE(change_rule(box_.store(), rule, paths_).ok());
    const Status cut = add("bad", "10.0.9.77");
    ASSERT_FALSE(cut.ok());
    EXPECT_THAT(cut.error().message, HasSubstr("rule 'stop' would deny"));
}

TEST(SessionPath, SaysWhatItExpected) {
    for (const char* text : {"", "10.0.0.1", "10.0.0.1 1 10.0.0.2", "10.0.0.1 0 10.0.0.2 22",
                             "a 1 b 2", "10.0.0.1 1 10.0.0.2 22 5", "10.0.0.1 1 10.0.0.2 70000"}) {
        const auto path = control::session_path(text);
        ASSERT_FALSE(path.ok()) << text;
        EXPECT_THAT(path.error().message, HasSubstr("expected CLIENT PORT SERVER PORT"));
    }
    EXPECT_TRUE(control::session_path("2001:db8::1 50000 2001:db8::2 22").ok());
}

}  // namespace
}  // namespace ravelin::test
