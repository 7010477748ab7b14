// SPDX-License-Identifier: Apache-2.0
// Reservations on the bytes that another has of a port, and S52: transcoding once for three links.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/compile/worker_cycles.h"
#include "tests/unit/promises_support.h"

namespace ravelin::control {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string told(const std::string& reservations) { return answer_to(three_ports(reservations)); }
std::vector<Reservation> read(const std::string& reservations) {
    return control::read(tree_of(three_ports(reservations)));
}

const std::string kRate = "bytes: 200B, rate: 1kpps, deadline: ";
constexpr uint64_t kFrame = 200 + 14 + 24;

TEST(SharedLinks, AreCountedOnceAndLeaveTheRestOfTheDeadline) {
    const std::string both =
        of("b", "cpu: shared-with a, out: [wan shared-with a, lab], " + kRate + "20ms") +
        of("a", "cpu: 600cyc/pkt, out: wan, " + kRate + "5ms");
    const auto done = compiled(three_ports(both));
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(reserved(done->tree, "wan"), kFrame * 1'000);
    EXPECT_EQ(cycle_use(done->tree).reserved, 3'600u * 1'000);
    const auto all = read(both);
    const Reservation &b = all[0], &a = all[1];
    EXPECT_EQ(b.links[0].payer, "a");
    EXPECT_EQ(b.links[0].referent, "of-a");
    EXPECT_EQ(b.links[0].contract.work, 0u);
    EXPECT_EQ(a.cycles.deadline_ns + a.links[0].contract.deadline_ns, 5'000'000u);
    EXPECT_EQ(b.cycles.deadline_ns, a.cycles.deadline_ns);
    EXPECT_EQ(b.cycles.deadline_ns + b.links[1].contract.deadline_ns, 20'000'000u);
}

// Of each port by itself, of cycles too; chains end at who reserved.
TEST(SharedLinks, AreOfEachPortByItself) {
    const auto all =
        read(of("c", "cpu: shared-with a, out: [dmz, wan shared-with b], " + kRate + "60ms") +
             of("b", "cpu: shared-with a, out: [wan shared-with a, lab], " + kRate + "40ms") +
             of("a", "cpu: 600cyc/pkt, out: wan, " + kRate + "20ms"));
    const Reservation &c = all[0], &b = all[1];
    EXPECT_EQ(c.payer, "a");
    EXPECT_EQ(c.links[0].payer, "");
    EXPECT_EQ(c.links[1].payer, "a");
    EXPECT_EQ(c.links[1].referent, "of-b");
    EXPECT_THAT(c.referents(), ElementsAre("of-a", "of-b"));
    EXPECT_EQ(b.links[0].payer, "a");
    EXPECT_EQ(b.links[1].contract.work, kFrame);
}

TEST(SharedLinks, WhatLeadsNowhereIsRefused) {
    const std::string a = of("a", "cpu: 600cyc/pkt, out: wan, " + kRate + "20ms");
    const auto shared = [&](const char* name, const std::string& out, const char* ms = "20ms") {
        return of(name, "out: " + out + ", " + kRate + ms);
    };
    EXPECT_THAT(told(a + shared("b", "lab shared-with a")),
                HasSubstr("reservations[1].out: shared with 'a', expected a principal that has "
                          "reserved of port lab"));
    EXPECT_THAT(told(a + shared("b", "shared-with a")),
                HasSubstr("out: found 'shared-with a', expected a port before it"));
    EXPECT_THAT(
        told(a + shared("b", "'wan shared-with '")),
        HasSubstr("out: found 'wan shared-with ', expected a principal behind shared-with"));
    EXPECT_THAT(
        told(shared("a", "wan shared-with b") + shared("b", "wan shared-with c") +
             shared("c", "wan shared-with a")),
        HasSubstr("reservations[0].out: shared in a circle, expected an end: a -> b -> c -> "
                  "a"));
    // By way of another resource: neither could be split first.
    EXPECT_THAT(
        told(of("a", "cpu: 600cyc/pkt, out: wan shared-with b, " + kRate + "20ms") +
             of("b", "cpu: shared-with a, out: wan, " + kRate + "20ms")),
        HasSubstr("reservations: they refer to each other in a circle: of-a -> of-b -> of-a"));
    EXPECT_THAT(told(a + of("b", "out: wan shared-with a, bytes: 201B, rate: 1pps")),
                HasSubstr("bytes: found 201, expected at most the 200 of 'a'"));
    EXPECT_THAT(told(a + of("b", "cpu: shared-with a, out: wan shared-with a, " + kRate + "100us")),
                AllOf(HasSubstr("reservations[1]: shared reservations take "),
                      HasSubstr(" of the deadline of 100 us")));
    EXPECT_THAT(
        told(a + shared("d", "wan shared-with a")),
        HasSubstr("out: found for 'd', whose packets the cap of 'd' on bandwidth may drop"));
    EXPECT_THAT(told(a + shared("b", "[wan, wan shared-with a]")),
                HasSubstr("which leaves by a port that is named already"));
}

// S51: a referent goes with all who refer to it or not at all; what is there outlives a restart.
TEST(SharedLinks, GoWithTheirReferentAndOutliveARestart) {
    const auto done = compiled(three_ports("  []\n"));
    ASSERT_TRUE(done.ok()) << done.error().message;
    auto promises = Promises::of(done->tree);
    EXPECT_FALSE(promises->add(node({"b", {"shared-with a"}, {"wan shared-with a"}})).ok());
    ASSERT_TRUE(promises->add(node({"a", {"600cyc/pkt"}, {"lab", "wan"}})).ok());
    ASSERT_TRUE(
        promises->add(node({"b", {"shared-with a"}, {"wan shared-with a"}, 30'000'000})).ok());
    ASSERT_TRUE(
        promises->add(node({"c", {"shared-with b"}, {"wan shared-with b"}, 90'000'000})).ok());
    const config::Node live = promises->live();
    for (int i = 0; i < 3; ++i) {
        auto again = Promises::in_force(done->tree, live);
        EXPECT_TRUE(again.uncovered().empty()) << again.uncovered().begin()->second;
        EXPECT_EQ(again.live(), live);
        EXPECT_THAT(again.sharers("of-a"), ElementsAre("of-c", "of-b"));
        EXPECT_FALSE(again.remove("of-a"));
        EXPECT_FALSE(again.remove("of-b"));
        EXPECT_TRUE(again.remove("of-c"));
        EXPECT_TRUE(again.remove("of-b"));
        EXPECT_TRUE(again.remove("of-a"));
        EXPECT_TRUE(again.add(node({"a", {}, {"wan"}})).ok()) << "all is free again";
    }
}

/// What is told of b, which has 9 ms and was granted while a had 4 ms, once a has `deadline`.
std::string told_of_b(const std::string& cpu, const std::vector<std::string>& out,
                      const std::vector<std::string>& b_cpu, const std::string& deadline) {
    const auto tree = [&](const std::string& ms) {
        return tree_of(three_ports(of("a", cpu + "out: wan, " + kRate + ms)));
    };
    auto promises = Promises::of(tree("4ms"));
    EXPECT_TRUE(promises->add(node({"b", b_cpu, out})).ok());
    const auto now = Promises::in_force(tree(deadline), promises->live());
    EXPECT_LE(now.uncovered().size(), 1u);
    return now.uncovered().empty() ? "kept" : now.uncovered().begin()->second;
}

// Its own deadline was granted by what its referent had of the port, and of cycles.
TEST(SharedLinks, AReferentMayNotTakeMoreOfTheDeadlineThanBefore) {
    const std::vector<std::string> wan{"wan shared-with a"}, lab{"lab"}, none, own{"shared-with a"};
    EXPECT_EQ(told_of_b("", wan, none, "800us"), "kept");
    EXPECT_EQ(told_of_b("", wan, none, "9ms"), "kept");
    EXPECT_THAT(told_of_b("", wan, none, "20ms"),
                HasSubstr("live reservation of-b: shared reservations take 20 ms of the deadline "
                          "of 9 ms"));
    const std::string cpu = "cpu: 600cyc/pkt, ";
    EXPECT_EQ(told_of_b(cpu, wan, own, "9ms"), "kept");
    EXPECT_THAT(told_of_b(cpu, wan, own, "20ms"),
                HasSubstr("live reservation of-b: shared reservations take 20 ms"));
    EXPECT_EQ(told_of_b(cpu, none, own, "9ms"), "kept");
    EXPECT_THAT(told_of_b(cpu, none, own, "40ms"), HasSubstr("shared reservations take "));
    EXPECT_THAT(
        told_of_b(cpu, lab, own, "17ms"),
        AllOf(HasSubstr("live reservation of-b: the cycles of 'a' take 8."),
              HasSubstr(" ms of its deadline now, and "), HasSubstr(" when it was granted")));
}

// A port's queue counts from when packets come there: those that cycles may hold up for a part of
// the deadline, to come close together then, would be in the way of those that nothing does.
TEST(SharedLinks, AreOfPacketsThatHaveHadTheSameCycles) {
    const std::string wan = "out: wan, " + kRate + "20ms",
                      shared = "out: wan shared-with a, " + kRate + "30ms";
    EXPECT_EQ(told(of("a", wan) + of("b", shared)), "granted");
    EXPECT_THAT(told(of("a", wan) + of("b", "cpu: 600cyc/pkt, " + shared)),
                HasSubstr("reservations[1].out: found cycles of 'b' before the port, expected no "
                          "cycles as 'a' has, whose bytes it shares"));
    EXPECT_THAT(told(of("a", "cpu: 600cyc/pkt, " + wan) + of("b", shared)),
                HasSubstr("out: found no cycles before the port, expected cycles of 'a' as 'a'"));
    EXPECT_THAT(told(of("a", "cpu: 600cyc/pkt, " + wan) + of("b", "cpu: 600cyc/pkt, " + shared)),
                HasSubstr("out: found cycles of 'b' before the port, expected cycles of 'a' as"));
    EXPECT_EQ(
        told(of("b", "cpu: shared-with c, " + shared) + of("a", "cpu: shared-with c, " + wan) +
             of("c", "cpu: 600cyc/pkt, rate: 1kpps, deadline: 5ms")),
        "granted")
        << "both of c";
}

// S52: one input, three outputs with rates of their own, transcoded once.
TEST(TranscodingOnce, CyclesOfOneAndALinkForEach) {
    const auto three = [](const std::string& of_a) {
        return of("a", of_a + "out: wan, bytes: 1400B, rate: 1kpps, deadline: 20ms") +
               of("b", "cpu: shared-with a, out: lab, bytes: 700B, rate: 500pps, deadline: 20ms") +
               of("c", "cpu: shared-with a, out: dmz, bytes: 64B, rate: 100pps, deadline: 50ms");
    };
    const auto done = compiled(three_ports(three("cpu: 600cyc/pkt, ")));
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(cycle_use(done->tree).reserved, 3'600u * 1'000) << "once, at the rate of a";
    EXPECT_EQ(reserved(done->tree, "wan"), 1'438u * 1'000);
    EXPECT_EQ(reserved(done->tree, "lab"), 738u * 500);
    EXPECT_EQ(reserved(done->tree, "dmz"), 102u * 100);
    const auto all = read(three("cpu: 600cyc/pkt, "));
    for (const Reservation& one : all) {
        EXPECT_EQ(one.cycles.deadline_ns, all[0].cycles.deadline_ns) << "as a has it";
        EXPECT_EQ(one.cycles.deadline_ns + one.links[0].contract.deadline_ns, one.deadline_ns);
    }
    // S53: nobody else would have the cycles and the deadline they are due by.
    EXPECT_THAT(told(three("")),
                HasSubstr("shared with 'a', expected a principal that has reserved cycles"));
}

}  // namespace
}  // namespace ravelin::control
