// SPDX-License-Identifier: Apache-2.0
// Reservations of a configuration: granted when all can be kept, else refused with what binds.
#include "controlplane/compile/promises.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/paced_ports.h"
#include "tests/unit/promises_support.h"

namespace ravelin::control {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// wan has 1 Gbit/s, lan none; wan.10, where it is named, stands on wan with two tags. Reservations
/// from line 2 on.
std::string config(const std::string& reservations, const std::string& wan = "rate: 1Gbit",
                   const std::string& poll = "busy") {
    // Its tags count for all that leave by wan.
    const bool has_tags = reservations.find("wan.10") != std::string::npos;
    return "reservations:\n" + reservations + "workers: {poll: " + poll +
           "}\n"
           "principals: [{name: org/web}, {name: org/voice}, {name: org/bulk}]\n"
           "ports:\n- {name: lan, device: 'null'}\n- {name: wan, device: 'null', addresses: "
           "10.0.0.1/24, " +
           wan + "}\n" + (has_tags ? "- {name: wan.10, parent: wan, vlan: '10.20'}\n" : "") +
           "- {name: vx, vxlan: {vni: 7, local: 10.0.0.1, remotes: [{address: 10.0.0.9}]}}\n"
           "pipeline: [parse, route, classify, vxlan]\n";
}
std::string line(const std::string& name, const std::string& rate,
                 const std::string& more = "deadline: 2ms", const std::string& out = "wan",
                 const std::string& bytes = "1500B") {
    return "- {name: " + name + ", principal: org/" + name + ", out: " + out + ", bytes: " + bytes +
           ", rate: " + rate + (more.empty() ? "" : ", ") + more + "}\n";
}
TEST(Promises, AreGrantedWhileALinkCanKeepThem) {
    const auto tree =
        tree_of(config(line("web", "10kpps") + line("voice", "1kpps", "", "wan.10", "200B")));
    const auto read = read_reservations(tree);
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(read->size(), 2u);
    EXPECT_EQ((*read)[0].links[0].contract, (sched::Contract{1546, 100'000, 2'000'000}))
        << "its principal's packets may leave by wan.10 too, with two tags";
    EXPECT_EQ((*read)[1].links[0].contract, (sched::Contract{246, 1'000'000, 1'000'000}))
        << "two tags";
    EXPECT_EQ((*read)[1].links[0].port, 1);
    ASSERT_EQ(link_use(tree).size(), 1u);
    EXPECT_EQ(link_use(tree)[0].port, "wan");
    EXPECT_EQ(link_use(tree)[0].capacity, 125'000'000u);
    EXPECT_EQ(link_use(tree)[0].reserved, 15'460'000u + 246'000u);
    EXPECT_EQ(link_use(tree)[0].box, 6'250'000u);
}

// Of the rate the box's own twentieth is never granted, and all the rest may be.
TEST(Promises, CountWithTheBoxesOwnFrames) {
    // 125 bytes/us less 6.25 are 1538 every 12.9516 us.
    EXPECT_EQ(answer_to(config(line("web", "77208pps", "deadline: 5ms"))), "granted");
    EXPECT_THAT(answer_to(config(line("web", "77210pps", "deadline: 5ms"))),
                AllOf(HasSubstr("port wan has not 1538 bytes on the wire every 12.951 us to spare"),
                      HasSubstr("; at a rate of 77208pps it would fit; with 1499 bytes it would "
                                "fit")));
}

TEST(Promises, CountShortFramesAsTheWireDoes) {
    const auto tree = tree_of(config(line("voice", "1kpps", "", "wan", "20B")));
    const auto read = read_reservations(tree);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ((*read)[0].links[0].contract.work, 84u);
    EXPECT_EQ((*read)[0].links[0].frame_bytes, 34u);
}

TEST(Promises, ARefusalNamesItsPlaceWhatBindsAndTheNearestContract) {
    EXPECT_THAT(answer_to(config(line("web", "10kpps") + line("bulk", "80kpps"))),
                AllOf(StartsWith("edge.yaml:3:3: reservations[1]: port wan has not 1538 bytes on "
                                 "the wire every 12.5 us to spare"),
                      HasSubstr("; at a rate of ")));
    EXPECT_THAT(answer_to(config(line("web", "100pps", "deadline: 50us"))),
                AllOf(StartsWith("edge.yaml:2:3: reservations[0]: "), HasSubstr("port wan"),
                      HasSubstr("; with a deadline of ")));
}

// The deadline that it would need is 133 us, and in that time more packets come than the queue
// holds.
TEST(Promises, NoContractIsNamedThatHasNoRoom) {
    EXPECT_THAT(
        answer_to(config(line("web", "70kpps", "deadline: 20us"), "rate: 1Gbit, queue: 7KB")),
        AllOf(HasSubstr("port wan binds"), ::testing::Not(HasSubstr("with a deadline of"))));
    EXPECT_THAT(answer_to(config(line("web", "70kpps", "deadline: 20us"))),
                HasSubstr("with a deadline of 133"));
}

// What was chosen before a packet came, and the sleep of its worker, come off its deadline.
TEST(Promises, CountWithWhatAPacketFindsAheadOfIt) {
    const auto least = [](const char* poll) {
        unsigned us = 50;
        while (us < 5000 &&
               answer_to(config(line("web", "100pps", "deadline: " + std::to_string(us) + "us"),
                                "rate: 1Gbit", poll)) != "granted")
            us += 10;
        return us;
    };
    // A frame and 100 us of the rate are ahead, and its own 1538 bytes and 256 of the box's follow,
    // at what the box's twentieth leaves: 133.4 us.
    EXPECT_EQ(least("busy"), 140u);
    EXPECT_EQ(least("adaptive"), 510u) << "350 us more of the whole rate";
    const LinkPlan plan = plan_of(tree_of(config("  []\n")), 1);
    EXPECT_EQ(config_of(plan).ring_bytes, 12'500u + 1'546);
    EXPECT_EQ(box_contract(plan), (sched::Contract{256, 40'960, 30 * 40'960}));
}

TEST(Promises, WhatNobodyWouldKeepIsRefused) {
    const auto refused = [](const std::string& reservation) {
        return answer_to(config(reservation));
    };
    EXPECT_THAT(refused(line("web", "1kpps", "", "lan")),
                HasSubstr("reservations[0].out: port lan has no rate"));
    EXPECT_THAT(refused(line("web", "1kpps", "", "vx")), HasSubstr("an end of tunnels"));
    EXPECT_THAT(refused(line("web", "1kpps", "", "dmz")), HasSubstr("found 'dmz'"));
    EXPECT_THAT(refused(line("web", "1kpps", "cpu: 600cyc/pkt")),
                HasSubstr("reservations[0].cpu: found for 'org/web', which has no function"));
    EXPECT_THAT(refused(line("mail", "1kpps")), HasSubstr("found 'org/mail'"));
    EXPECT_THAT(refused(line("web", "1kpps") + line("web", "1kpps")),
                AllOf(StartsWith("edge.yaml:3:"), HasSubstr("is another's too")));
    EXPECT_THAT(refused(line("web", "1kpps") + "- {name: again, principal: org/web, out: wan.10, "
                                               "bytes: 100B, rate: 1pps}\n"),
                HasSubstr("has 'web' at that port already"));
    EXPECT_THAT(refused(line("web", "1kpps", "", "[wan, wan.10]")),
                HasSubstr("reservations[0].out: found 'wan.10', which leaves by a port that is "
                          "named already"));
    EXPECT_THAT(answer_to(config(line("web", "10kpps"), "rate: 1Gbit, queue: 20KB")),
                HasSubstr("22 packets may wait at port wan, whose queue holds 20000 bytes"));
    EXPECT_THAT(refused(line("voice", "100kpps", "deadline: 20ms", "wan", "60B")),
                HasSubstr("2034 packets of reservations and of the box may wait at port wan, "
                          "expected at most 1024"));
}

config::Node live_node(const std::string& name, const std::string& principal, int rate,
                       int64_t deadline_ns = 5'000'000, const std::string& out = "wan") {
    config::Node node = config::Node::map();
    node.set("name", config::Node::text(name));
    node.set("principal", config::Node::text(principal));
    node.set("out", config::Node::text(out));
    node.set("bytes", config::Node::integer(1500));
    node.set("rate", config::Node::integer(rate));
    node.set("deadline", config::Node::integer(deadline_ns));
    return node;
}
std::string why(const Status& status) { return status ? "granted" : status.error().message; }

TEST(LivePromises, AreGrantedBesideThoseOfTheFileAndGivenBackToTheBit) {
    const auto tree = tree_of(config(line("web", "40kpps", "deadline: 5ms")));
    auto promises = Promises::of(tree);
    ASSERT_TRUE(promises.ok());
    // 77,208 a second in all, less those of the file, by their period.
    const int most = 37'208;
    EXPECT_EQ(why(promises->add(live_node("x", "org/bulk", most))), "granted");
    EXPECT_THAT(why(promises->fits(live_node("y", "org/voice", 100))),
                AllOf(StartsWith("live reservation y: port wan has not 1538 bytes"),
                      HasSubstr("; at a rate of 1pps it would fit"),
                      ::testing::Not(HasSubstr(" bytes it would fit"))))
        << "no frame is as short as what is left";
    EXPECT_EQ(promises->live().items().size(), 1u);
    for (int i = 0; i < 100; ++i) {
        ASSERT_TRUE(promises->remove("x"));
        ASSERT_EQ(why(promises->fits(live_node("x", "org/bulk", most))), "granted");
        ASSERT_EQ(why(promises->add(live_node("x", "org/bulk", most))), "granted");
    }
    EXPECT_FALSE(promises->remove("web")) << "it is the file's";
    EXPECT_FALSE(promises->remove("nobody"));
}

TEST(LivePromises, ARefusalLeavesNothingBehind) {
    auto promises = Promises::of(tree_of(config(line("web", "1kpps"))));
    ASSERT_TRUE(promises.ok());
    EXPECT_THAT(why(promises->add(live_node("web", "org/bulk", 10))),
                HasSubstr("live reservation web: name: 'web' is another's too"));
    EXPECT_THAT(why(promises->add(live_node("x", "org/web", 10))),
                HasSubstr("'org/web' has 'web' at that port already"));
    EXPECT_THAT(why(promises->add(live_node("x", "org/bulk", 10, 5'000'000, "lan"))),
                HasSubstr("port lan has no rate"));
    EXPECT_THAT(why(promises->add(live_node("x", "org/bulk", 10, 50'000))),
                HasSubstr("with a deadline of"));
    EXPECT_THAT(why(promises->add(live_node("x", "org/bulk", 70'000, 20'000'000))),
                HasSubstr("packets of reservations and of the box may wait"));
    EXPECT_TRUE(promises->live().items().empty());
    EXPECT_EQ(why(promises->add(live_node("x", "org/bulk", 10))), "granted")
        << "name, port and room";
}

config::Node list_of(const std::vector<config::Node>& nodes) {
    config::Node list = config::Node::list();
    for (const config::Node& node : nodes) list.items().push_back(node);
    return list;
}

// The link sends it whatever the books say: what it has is nobody else's.
TEST(LivePromises, WhatWasGrantedStaysInTheBooksThoughItCannotBeKept) {
    const auto tree = tree_of(config(line("web", "40kpps", "deadline: 5ms")));
    auto promises = Promises::in_force(
        tree, list_of({live_node("big", "org/bulk", 40'000), live_node("c", "org/voice", 100)}));
    ASSERT_EQ(promises.uncovered().size(), 1u);
    EXPECT_THAT(promises.uncovered().at("live reservation big"),
                StartsWith("live reservation big: port wan has not 1538 bytes"));
    EXPECT_TRUE(promises.holds("big"));
    EXPECT_EQ(promises.live().items().size(), 2u) << "the data plane is sent both";
    EXPECT_TRUE(promises.remove("c"));
    EXPECT_THAT(why(promises.add(live_node("c", "org/voice", 1))), HasSubstr("port wan has not"));
    EXPECT_TRUE(promises.remove("big"));
    EXPECT_EQ(why(promises.add(live_node("c", "org/voice", 37'208))), "granted") << "to the bit";
}

TEST(LivePromises, WhatNoLinkCouldTakeIsToldAndHoldsNothing) {
    auto promises = Promises::in_force(
        tree_of(config(line("web", "40kpps", "deadline: 5ms"))),
        list_of({live_node("a", "org/bulk", 10, 5'000'000, "lan"), live_node("b", "org/voice", 10),
                 live_node("gone", "org/nobody", 10)}));
    EXPECT_EQ(promises.uncovered().size(), 2u);
    EXPECT_THAT(promises.uncovered().at("live reservation a"), HasSubstr("port lan has no rate"));
    EXPECT_FALSE(promises.holds("a"));
    EXPECT_FALSE(promises.holds("gone"));
    EXPECT_TRUE(promises.holds("b"));
    EXPECT_EQ(promises.live().items().size(), 1u);
}

TEST(LivePromises, AConfigurationThatIsTooMuchForItsLinksDropsNobody) {
    auto tree = tree_of(config("  []\n"));
    tree.set("reservations", tree_of(config(line("web", "80kpps", "deadline: 5ms"),
                                            "rate: 2Gbit"))["reservations"]);
    EXPECT_FALSE(Promises::of(tree).ok());
    auto promises = Promises::in_force(tree, list_of({live_node("x", "org/bulk", 10)}));
    EXPECT_TRUE(promises.uncovered().contains("reservations[0]"));
    EXPECT_TRUE(promises.holds("x"));
    EXPECT_THAT(why(promises.fits(live_node("y", "org/voice", 1))), HasSubstr("port wan has not"));
}

// Whichever came first: names decide the order in which they are entered, not who is kept.
TEST(LivePromises, AllThatWereGrantedAreKeptInAnyOrderOfNames) {
    const auto tree = tree_of(config("  []\n"));
    for (const int rate : {20'000, 30'000, 37'000, 38'600}) {
        auto first = Promises::of(tree);
        ASSERT_TRUE(first.ok());
        const auto z = live_node("z", "org/bulk", rate, 300'000),
                   a = live_node("a", "org/voice", rate, 700'000);
        if (!first->add(z) || !first->add(a)) continue;
        EXPECT_TRUE(Promises::in_force(tree, list_of({a, z})).uncovered().empty()) << rate;
    }
}

TEST(LivePromises, AConfigurationMustLeaveThemWhatTheyHave) {
    config::Node list = config::Node::list();
    list.items().push_back(live_node("x", "org/bulk", 40'000));
    const auto told_beside = [&](const std::string& yaml) {
        Compiler compiler;
        compiler.set_reserved([&] { return list; });
        auto compiled = compiler.compile(yaml, "edge.yaml", SlotMap());
        return compiled ? "granted" : compiled.error().message;
    };
    EXPECT_EQ(told_beside(config(line("web", "37kpps", "deadline: 5ms"))), "granted");
    EXPECT_THAT(told_beside(config(line("web", "38kpps", "deadline: 5ms"))),
                HasSubstr("live reservation x: port wan has not 1538 bytes"));
    EXPECT_THAT(told_beside(config("  []\n", "mtu: 1500B")),
                HasSubstr("live reservation x: out: port wan has no rate"));
}

}  // namespace
}  // namespace ravelin::control
