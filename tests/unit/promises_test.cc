// SPDX-License-Identifier: Apache-2.0
// Reservations of a configuration: granted when all can be kept, else refused with what binds.
#include "controlplane/compile/promises.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/compile/compiler.h"
#include "dataplane/paced_ports.h"
#include "dataplane/reservations.h"

namespace ravelin::control {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

/// wan has 1 Gbit/s, lan none; wan.10 stands on wan with two tags. Reservations from line 2 on.
std::string config(const std::string& reservations, const std::string& wan = "rate: 1Gbit",
                   const std::string& poll = "busy") {
    return "reservations:\n" + reservations + "workers: {poll: " + poll +
           "}\n"
           "principals: [{name: org/web}, {name: org/voice}, {name: org/bulk}]\n"
           "ports:\n- {name: lan, device: 'null'}\n- {name: wan, device: 'null', addresses: "
           "10.0.0.1/24, " +
           wan +
           "}\n- {name: wan.10, parent: wan, vlan: '10.20'}\n"
           "- {name: vx, vxlan: {vni: 7, local: 10.0.0.1, remotes: [{address: 10.0.0.9}]}}\n"
           "pipeline: [parse, route, classify, vxlan]\n";
}
std::string line(const std::string& name, const std::string& rate,
                 const std::string& more = "deadline: 2ms", const std::string& out = "wan",
                 const std::string& bytes = "1500B") {
    return "- {name: " + name + ", principal: org/" + name + ", out: " + out + ", bytes: " + bytes +
           ", rate: " + rate + (more.empty() ? "" : ", ") + more + "}\n";
}
std::string told(const std::string& yaml) {
    Compiler compiler;
    auto compiled = compiler.compile(yaml, "edge.yaml", SlotMap());
    return compiled ? "granted" : compiled.error().message;
}
config::Node tree_of(const std::string& yaml) {
    Compiler compiler;
    auto compiled = compiler.compile(yaml, "edge.yaml", SlotMap());
    EXPECT_TRUE(compiled.ok()) << compiled.error().message;
    return compiled ? std::move(compiled->tree) : config::Node::map();
}

TEST(Promises, AreGrantedWhileALinkCanKeepThem) {
    const auto tree =
        tree_of(config(line("web", "10kpps") + line("voice", "1kpps", "", "wan.10", "200B")));
    const auto read = read_reservations(tree);
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(read->size(), 2u);
    EXPECT_EQ((*read)[0].contract, (sched::Contract{1538, 100'000, 2'000'000}));
    EXPECT_EQ((*read)[1].contract, (sched::Contract{246, 1'000'000, 1'000'000})) << "two tags";
    EXPECT_EQ((*read)[1].port, 1);
    ASSERT_EQ(link_use(tree).size(), 1u);
    EXPECT_EQ(link_use(tree)[0].port, "wan");
    EXPECT_EQ(link_use(tree)[0].capacity, 125'000'000u);
    EXPECT_EQ(link_use(tree)[0].reserved, 15'380'000u + 246'000u);
    EXPECT_EQ(link_use(tree)[0].box, 6'250'000u);
}

// Of the rate the box's own twentieth is never granted, and all the rest may be.
TEST(Promises, CountWithTheBoxesOwnFrames) {
    // 125 bytes/us less 6.25 are 1538 every 12.9516 us.
    EXPECT_EQ(told(config(line("web", "77208pps", "deadline: 5ms"))), "granted");
    EXPECT_THAT(told(config(line("web", "77210pps", "deadline: 5ms"))),
                AllOf(HasSubstr("port wan has not 1538 bytes on the wire every 12.951 us to spare"),
                      HasSubstr("; with one packet in 12.952 us instead of 12.951 us")));
}

TEST(Promises, CountShortFramesAsTheWireDoes) {
    const auto tree = tree_of(config(line("voice", "1kpps", "", "wan", "20B")));
    const auto read = read_reservations(tree);
    ASSERT_TRUE(read.ok());
    EXPECT_EQ((*read)[0].contract.work, 84u);
    EXPECT_EQ((*read)[0].frame_bytes, 34u);
}

TEST(Promises, ARefusalNamesItsPlaceWhatBindsAndTheNearestContract) {
    EXPECT_THAT(told(config(line("web", "10kpps") + line("bulk", "80kpps"))),
                AllOf(StartsWith("edge.yaml:3:3: reservations[1]: port wan has not 1538 bytes on "
                                 "the wire every 12.5 us to spare"),
                      HasSubstr("; with one packet in")));
    EXPECT_THAT(told(config(line("web", "100pps", "deadline: 50us"))),
                AllOf(StartsWith("edge.yaml:2:3: reservations[0]: "), HasSubstr("port wan"),
                      HasSubstr("; with a deadline of ")));
}

// What was chosen before a packet came, and the sleep of its worker, come off its deadline.
TEST(Promises, CountWithWhatAPacketFindsAheadOfIt) {
    const auto least = [](const char* poll) {
        unsigned us = 50;
        while (us < 5000 &&
               told(config(line("web", "100pps", "deadline: " + std::to_string(us) + "us"),
                           "rate: 1Gbit", poll)) != "granted")
            us += 10;
        return us;
    };
    // 100 us of the rate are ahead, and its own 1538 bytes and 256 of the box's follow, at what the
    // box's twentieth leaves: 120.4 us.
    EXPECT_EQ(least("busy"), 130u);
    EXPECT_EQ(least("adaptive"), 490u) << "350 us more of the whole rate";
    const LinkPlan plan = plan_of(tree_of(config("  []\n")), 1);
    EXPECT_EQ(config_of(plan).ring_bytes, 12'500u);
    EXPECT_EQ(box_contract(plan), (sched::Contract{256, 40'960, 30 * 40'960}));
}

TEST(Promises, WhatNobodyWouldKeepIsRefused) {
    const auto refused = [](const std::string& reservation) { return told(config(reservation)); };
    EXPECT_THAT(refused(line("web", "1kpps", "", "lan")),
                HasSubstr("reservations[0].out: port lan has no rate"));
    EXPECT_THAT(refused(line("web", "1kpps", "", "vx")), HasSubstr("an end of tunnels"));
    EXPECT_THAT(refused(line("web", "1kpps", "", "dmz")), HasSubstr("found 'dmz'"));
    EXPECT_THAT(refused(line("web", "1kpps", "cpu: 600cyc/pkt")),
                HasSubstr("reservations[0].cpu: found '600cyc/pkt', expected none: workers run no "
                          "functions yet"));
    EXPECT_THAT(refused(line("mail", "1kpps")), HasSubstr("found 'org/mail'"));
    EXPECT_THAT(refused(line("web", "1kpps") + line("web", "1kpps")),
                AllOf(StartsWith("edge.yaml:3:"), HasSubstr("is another's too")));
    EXPECT_THAT(refused(line("web", "1kpps") + "- {name: again, principal: org/web, out: wan.10, "
                                               "bytes: 100B, rate: 1pps}\n"),
                HasSubstr("has 'web' at that port already"));
    EXPECT_THAT(told(config(line("web", "10kpps"), "rate: 1Gbit, queue: 20KB")),
                HasSubstr("22 packets may wait at port wan, whose queue holds 20000 bytes"));
    EXPECT_THAT(refused(line("voice", "100kpps", "deadline: 20ms", "wan", "60B")),
                HasSubstr("2034 packets of reservations and of the box may wait at port wan, "
                          "expected at most 1024"));
}

}  // namespace
}  // namespace ravelin::control
