// SPDX-License-Identifier: Apache-2.0
// The live journal on a disk that fails and fills; what live changes come to; the script that says
// the same with fewer of them.
#include "controlplane/live/live_journal.h"

#include <gtest/gtest.h>

#include <random>

#include "controlplane/live/rule_list.h"
#include "controlplane/live/rule_script.h"
#include "pipelines/model/tree_codec.h"
#include "pipelines/stages/firewall_wire.h"
#include "tests/unit/fake_disk.h"

namespace ravelin::control {
namespace {

using commit::FakeDisk;

model::LiveChange adding(uint64_t serial, const std::string& text) {
    model::LiveChange change;
    change.set_serial(serial);
    change.set_generation(1);
    model::SetChange& set = *change.add_sets();
    set.set_set("bad");
    SetElement::parse(SetType::kPrefixes, text)->append_to(*set.mutable_elements());
    return change;
}

struct Opened {
    LiveState state;
    std::optional<LiveJournal> journal;
    explicit Opened(FakeDisk& disk) {
        auto opened = LiveJournal::open("/state", disk, state);
        if (opened) journal.emplace(std::move(*opened));
    }
    [[nodiscard]] size_t elements() const {
        const auto* found = state.find("bad");
        return found == nullptr ? 0 : found->size();
    }
};

// Until there could be several, `out` and `cpu` were texts.
TEST(LiveState, ReservationsWrittenBySomeEarlierBuildAreRead) {
    config::Node old = config::Node::map();
    old.set("name", config::Node::text("calls"));
    old.set("out", config::Node::text("wan"));
    old.set("cpu", config::Node::text("600cyc/pkt"));
    model::LiveChange change;
    model::encode(old, *change.add_reservations()->mutable_grant());
    LiveState state;
    state.take(change);
    const config::Node& read = state.reservations().at("calls");
    EXPECT_EQ(read["out"].as_names(), std::vector<std::string>{"wan"});
    EXPECT_EQ(read["cpu"].as_names(), std::vector<std::string>{"600cyc/pkt"});
}

// The k-th call of an append fails `count` times: the change is refused, and nothing of it is left.
void fail_an_append(int k, int number, int count, bool short_write) {
    SCOPED_TRACE(testing::Message() << k << " errno " << number << " x" << count);
    FakeDisk disk;
    {
        Opened live(disk);
        ASSERT_TRUE(live.journal);
        ASSERT_TRUE(live.journal->append(adding(1, "192.0.2.1")));
        disk.short_write = short_write;
        disk.fail_errno = number;
        disk.fail_count = count;
        disk.fail_at = disk.calls + k;
        if (live.journal->append(adding(2, "192.0.2.2"))) return;  // fewer calls than that
        disk.fail_at = -1;
        ASSERT_TRUE(live.journal->append(adding(2, "192.0.2.3"))) << "it works again";
    }
    disk.reboot(FakeDisk::Loss::everything);
    const Opened again(disk);
    ASSERT_TRUE(again.journal);
    EXPECT_EQ(again.elements(), 2u);
    EXPECT_EQ(again.state.serial(), 2u);
    EXPECT_FALSE(again.state.find("bad")->contains(adding(2, "192.0.2.2").sets(0).elements()));
}

TEST(LiveJournal, AChangeThatAFullDiskDoesNotTakeLeavesNothing) {
    for (int k = 0; k < 4; ++k)
        for (const int number : {ENOSPC, EIO})
            for (const int count : {1, 3, 100})
                for (const bool half : {false, true}) fail_an_append(k, number, count, half);
}

model::LiveChange reserving(uint64_t serial, const std::string& name, bool grant) {
    model::LiveChange change;
    change.set_serial(serial);
    change.set_generation(1);
    model::ReservationChange& one = *change.add_reservations();
    if (!grant) {
        one.set_release(name);
        return change;
    }
    config::Node node = config::Node::map();
    node.set("name", config::Node::text(name));
    model::encode(node, *one.mutable_grant());
    return change;
}

TEST(LiveJournal, ReservationsAreThereAfterARestartAndARewrite) {
    FakeDisk disk;
    {
        Opened live(disk);
        ASSERT_TRUE(live.journal);
        ASSERT_TRUE(live.journal->append(reserving(1, "a", true)));
        ASSERT_TRUE(live.journal->append(reserving(2, "b", true)));
        ASSERT_TRUE(live.journal->append(reserving(3, "a", false)));
    }
    disk.reboot(FakeDisk::Loss::everything);
    {
        Opened again(disk);
        ASSERT_TRUE(again.journal);
        EXPECT_EQ(again.state.reservations().size(), 1u);
        EXPECT_TRUE(again.state.reservations().contains("b"));
        EXPECT_EQ(again.state.reservations_serial(), 3u);
        EXPECT_EQ(again.state.whole(7, 0).reservations_size(), 1) << "they are of no generation";
        ASSERT_TRUE(again.journal->rewrite(again.state.whole(1, 0)));
    }
    const Opened rewritten(disk);
    EXPECT_TRUE(rewritten.state.reservations().contains("b"));
}

TEST(LiveJournal, WhatIsTakenBackIsGoneForGood) {
    FakeDisk disk;
    {
        Opened live(disk);
        ASSERT_TRUE(live.journal->append(adding(1, "192.0.2.1")));
        const uint64_t size = live.journal->bytes();
        ASSERT_TRUE(live.journal->append(adding(2, "192.0.2.2")));
        ASSERT_TRUE(live.journal->cut(size));
    }
    disk.reboot(FakeDisk::Loss::everything);
    EXPECT_EQ(Opened(disk).elements(), 1u);
}

TEST(LiveJournal, ARewriteThatFailsKeepsWhatWasThere) {
    for (int k = 0; k < 8; ++k) {
        FakeDisk disk;
        {
            Opened live(disk);
            for (uint64_t i = 1; i <= 3; ++i) {
                const auto change = adding(i, "192.0.2." + std::to_string(i));
                ASSERT_TRUE(live.journal->append(change));
                live.state.take(change);
            }
            disk.fail_at = disk.calls + k;
            (void)live.journal->rewrite(live.state.whole(1, 0));
            disk.fail_at = -1;
        }
        disk.reboot(FakeDisk::Loss::everything);
        EXPECT_EQ(Opened(disk).elements(), 3u) << k;
    }
}

config::Node rule(const std::string& name, uint32_t slot) {
    config::Node node = config::Node::map();
    node.set("name", config::Node::text(name));
    node.set("action", config::Node::text("accept"));
    node.set("slot", config::Node::integer(slot));
    return node;
}

config::Node configuration(const std::vector<config::Node>& rules) {
    config::Node list = config::Node::list(), firewall = config::Node::map(),
                 stage = config::Node::map(), pipeline = config::Node::list(),
                 tree = config::Node::map();
    for (const config::Node& r : rules) list.add(r);
    firewall.set("rules", list);
    stage.set("firewall", firewall);
    pipeline.add(stage);
    tree.set("pipeline", pipeline);
    return tree;
}

std::vector<config::Node> random_list(std::mt19937& rng) {
    std::vector<config::Node> rules;
    for (uint32_t i = 0; i < 12; ++i)
        if (rng() % 2 == 0)
            rules.push_back(
                rule("r" + std::to_string(i), static_cast<uint32_t>(i + rng() % 2 * 100)));
    std::ranges::shuffle(rules, rng);
    return rules;
}

TEST(RuleScript, MakesAnyListOfAnyOther) {
    std::mt19937 rng(7);
    for (int i = 0; i < 2000; ++i) {
        const auto given = configuration(random_list(rng)), now = configuration(random_list(rng));
        const auto script = rule_script(given, now);
        RuleList list;
        list.reset(given);
        const Status made = list.change({script.begin(), script.end()});
        ASSERT_TRUE(made.ok()) << made.error().message;
        ASSERT_EQ(rule_nodes(firewall::with_rules(given, list.rules())), rule_nodes(now));
        ASSERT_LE(script.size(), rule_nodes(given).size() + rule_nodes(now).size());
    }
    const auto same = configuration(random_list(rng));
    EXPECT_TRUE(rule_script(same, same).empty());
}

}  // namespace
}  // namespace ravelin::control
