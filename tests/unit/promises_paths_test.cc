// SPDX-License-Identifier: Apache-2.0
// Reservations over several resources: cycles and any number of ports, and cycles of another's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/compile/worker_cycles.h"
#include "tests/unit/promises_support.h"

namespace ravelin::control {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string told(const std::string& reservations) { return answer_to(three_ports(reservations)); }
std::vector<Reservation> read(const std::string& reservations) {
    return control::read(tree_of(three_ports(reservations)));
}

const std::string kAll = "out: [wan, lab, dmz], bytes: 200B, rate: 100pps, deadline: ";

TEST(PromisesOfSeveralPorts, EachKeepsTheWholeRate) {
    const auto all = read(of("a", kAll + "100ms"));
    ASSERT_EQ(all.front().links.size(), 3u);
    for (const ReservedLink& link : all.front().links)
        EXPECT_EQ(link.contract, (sched::Contract{238, 10'000'000, 100'000'000}));
    for (const char* port : {"wan", "lab", "dmz"})
        EXPECT_EQ(reserved(tree_of(three_ports(of("a", kAll + "100ms"))), port), 23'800u) << port;
}

// No packet passes two of them: the deadline is each one's, not to be divided among them.
TEST(PromisesOfSeveralPorts, TheSlowestDecides) {
    // Four frames of dmz and 238 bytes, at 19 twentieths of its rate, take 5.6 ms.
    EXPECT_EQ(told(of("a", kAll + "8ms")), "granted");
    EXPECT_EQ(told(of("a", "out: wan, bytes: 200B, rate: 100pps, deadline: 1ms")), "granted");
    const std::string refusal = told(of("a", kAll + "1ms"));
    EXPECT_THAT(refusal, AllOf(StartsWith("edge.yaml:2:"), HasSubstr("port dmz"),
                               HasSubstr("; with a deadline of ")));
}

// The split of the first that is asked does not do for the others, so the slowest one's is taken.
TEST(PromisesOfSeveralPorts, CyclesComeBeforeAnyOfThem) {
    for (const char* out : {"[wan, lab, dmz]", "[dmz, wan, lab]", "[lab, dmz, wan]"}) {
        const std::string one = of("a",
                                   "cpu: 600cyc/pkt, bytes: 200B, rate: 100pps, deadline: "
                                   "8ms, out: " +
                                       std::string(out));
        const auto all = read(one);
        ASSERT_EQ(all.size(), 1u) << out;
        for (const ReservedLink& link : all.front().links) {
            EXPECT_EQ(link.contract.deadline_ns + all.front().cycles.deadline_ns, 8'000'000u);
            EXPECT_GT(link.contract.deadline_ns, 5'000'000u) << out;
        }
        EXPECT_EQ(cycle_use(compiled(three_ports(one))->tree).reserved, 360'000u) << "once";
    }
    EXPECT_THAT(told(of("a",
                        "cpu: 600cyc/pkt, bytes: 200B, rate: 100pps, deadline: 5ms, out: "
                        "[wan, dmz]")),
                AllOf(HasSubstr("binds: each worker needs "), HasSubstr("port dmz needs ")));
}

// What is named is asked for again and granted.
TEST(PromisesOfSeveralPorts, TheNearestContractFits) {
    const std::string like = "cpu: 600cyc/pkt, bytes: 200B, out: [wan, dmz], rate: ";
    const std::string refusal = told(of("a", like + "100pps, deadline: 5ms"));
    const std::string word = "; with a deadline of ";
    ASSERT_THAT(refusal, HasSubstr(word));
    const size_t from = refusal.find(word) + word.size();
    const std::string ms = refusal.substr(from, refusal.find(" ms", from) - from);
    const auto ns = static_cast<uint64_t>(std::stod(ms) * 1e6 + 0.5);
    EXPECT_EQ(told(of("a", like + "100pps, deadline: " + std::to_string(ns) + "ns")), "granted")
        << refusal;
}

TEST(PromisesOfSeveralPorts, WhatNobodyWouldKeepIsRefused) {
    EXPECT_THAT(told(of("a", "out: [wan, wan], bytes: 200B, rate: 1pps")),
                HasSubstr("found 'wan', which leaves by a port that is named already"));
    EXPECT_THAT(told(of("a", "out: [wan, lan], bytes: 200B, rate: 1pps")),
                HasSubstr("reservations[0].out: port lan has no rate"));
    EXPECT_THAT(told(of("a", kAll + "1s") + "- {name: again, principal: a, out: lab, bytes: 60B, "
                                            "rate: 1pps}\n"),
                HasSubstr("has 'of-a' at that port already"));
}

const std::vector<std::string> kPorts{"wan", "dmz"};

TEST(PromisesOfSeveralPorts, LiveOnesOutliveARestartAndGiveAllBack) {
    const auto done = compiled(three_ports("  []\n"));
    ASSERT_TRUE(done.ok()) << done.error().message;
    auto promises = Promises::of(done->tree);
    ASSERT_TRUE(promises->add(node({"a", {"600cyc/pkt"}, kPorts})).ok());
    ASSERT_TRUE(promises->add(node({"b", {"shared-with a"}, kPorts})).ok());
    const config::Node live = promises->live();
    for (int i = 0; i < 3; ++i) {
        auto again = Promises::in_force(done->tree, live);
        EXPECT_TRUE(again.uncovered().empty()) << again.uncovered().begin()->second;
        EXPECT_EQ(again.live(), live);
        EXPECT_FALSE(again.remove("of-a")) << "of-b has its cycles";
        EXPECT_THAT(again.sharers("of-a"), ElementsAre("of-b"));
        EXPECT_TRUE(again.remove("of-b"));
        EXPECT_TRUE(again.remove("of-a"));
        EXPECT_TRUE(again.add(node({"a", {"600cyc/pkt"}, kPorts})).ok()) << "all is free again";
    }
    for (const LinkUse& use : link_use(done->tree)) EXPECT_EQ(use.reserved, 0u);
}

const std::string kOwn = "cpu: 600cyc/pkt, out: wan, bytes: 1400B, rate: 1kpps, deadline: 20ms";

// S46, S47, S50: counted once; its own rate at the link; the rest of its deadline is for that.
TEST(SharedCycles, AreCountedOnce) {
    const std::string both =
        of("b", "cpu: shared-with a, out: lab, bytes: 64B, rate: 100pps, deadline: 50ms") +
        of("a", kOwn);
    const auto done = compiled(three_ports(both));
    ASSERT_TRUE(done.ok()) << done.error().message;
    EXPECT_EQ(cycle_use(done->tree).reserved, 3'600u * 1'000);
    const auto all = read(both);
    const Reservation &b = all[0], &a = all[1];
    EXPECT_EQ(b.payer, "a");
    EXPECT_EQ(b.referent, "of-a");
    EXPECT_EQ(b.cycles.work, 0u);
    EXPECT_EQ(b.cycles.deadline_ns, a.cycles.deadline_ns) << "d_C is the referent's";
    EXPECT_EQ(b.links[0].contract.deadline_ns, 50'000'000 - a.cycles.deadline_ns);
}

TEST(SharedCycles, ChainsEndAtWhoReserved) {
    const auto all =
        read(of("c", "cpu: shared-with b, rate: 1kpps, deadline: 20ms") +
             of("b", "cpu: shared-with a, rate: 1kpps, deadline: 20ms") + of("a", kOwn));
    EXPECT_EQ(all[0].payer, "a");
    EXPECT_EQ(all[0].referent, "of-b");
    EXPECT_EQ(all[0].cycles.deadline_ns, 20'000'000u) << "alone it has no split";
}

TEST(SharedCycles, WhatLeadsNowhereIsRefused) {
    const auto shared = [](const std::string& name, const std::string& with) {
        return of(name, "cpu: shared-with " + with + ", rate: 1kpps, deadline: 20ms");
    };
    EXPECT_THAT(told(shared("a", "b") + shared("b", "c") + shared("c", "a")),
                AllOf(StartsWith("edge.yaml:2:"),
                      HasSubstr("reservations[0].cpu: shared in a circle, expected an end: a -> b "
                                "-> c -> a")));
    EXPECT_THAT(told(shared("a", "b") + shared("b", "c") + shared("c", "b")),
                HasSubstr("a -> b -> c -> b"));
    EXPECT_THAT(told(shared("a", "b")),
                HasSubstr("reservations[0].cpu: shared with 'b', expected a principal that has "
                          "reserved cycles"));
    EXPECT_THAT(told(of("a", kOwn) + shared("d", "a")),
                HasSubstr("reservations[1].cpu: found for 'd', which has no function"));
    EXPECT_THAT(told(of("a", kOwn) + of("b",
                                        "cpu: shared-with a, out: lab, bytes: 64B, rate: "
                                        "1kpps, deadline: 400us")),
                AllOf(HasSubstr("reservations[1]: shared reservations take "),
                      HasSubstr(" of the deadline of 400 us")));
}

TEST(SharedCycles, GoWithTheirReferentOrNotAtAll) {
    const auto done = compiled(three_ports("  []\n"));
    auto promises = Promises::of(done->tree);
    EXPECT_FALSE(promises->add(node({"b", {"shared-with a"}, kPorts})).ok())
        << "nobody has reserved";
    ASSERT_TRUE(promises->add(node({"a", {"600cyc/pkt"}})).ok());
    ASSERT_TRUE(promises->add(node({"b", {"shared-with a"}})).ok());
    ASSERT_TRUE(promises->add(node({"c", {"shared-with b"}})).ok());
    EXPECT_THAT(promises->sharers("of-a"), ElementsAre("of-c", "of-b"));
    EXPECT_FALSE(promises->remove("of-a"));
    // One that a damaged record lost: who refers to it is told, and nothing is kept for it.
    config::Node lost = config::Node::list();
    const config::Node live = promises->live();
    for (const config::Node& one : live.items())
        if (one["name"].as_text() != "of-b") lost.add(one);
    const auto again = Promises::in_force(done->tree, lost);
    EXPECT_TRUE(again.holds("of-a"));
    EXPECT_FALSE(again.holds("of-c"));
    EXPECT_THAT(again.uncovered().at("live reservation of-c"),
                HasSubstr("cpu: shared with 'b', expected a principal that has reserved cycles"));
}

config::Node live_sharer(const config::Node& tree) {
    auto promises = Promises::of(tree);
    EXPECT_TRUE(promises.ok());
    const Status added = promises->add(node({"b", {"shared-with a"}, kPorts}));
    EXPECT_TRUE(added.ok()) << added.error().message;
    return promises->live();
}

// Its own deadline was split by what its referent had; more than that is not covered by it.
TEST(SharedCycles, AReferentMayNotTakeMoreOfTheDeadlineThanBefore) {
    const auto tree = [](const std::string& deadline) {
        return tree_of(three_ports(of("a", "cpu: 600cyc/pkt, rate: 1kpps, deadline: " + deadline)));
    };
    const config::Node live = live_sharer(tree("1ms"));
    EXPECT_TRUE(Promises::in_force(tree("1ms"), live).uncovered().empty());
    EXPECT_TRUE(Promises::in_force(tree("800us"), live).uncovered().empty());
    const auto longer = Promises::in_force(tree("5ms"), live);
    ASSERT_EQ(longer.uncovered().size(), 1u);
    EXPECT_THAT(longer.uncovered().begin()->second,
                HasSubstr("live reservation of-b: the cycles of 'a' take 5 ms of its deadline now, "
                          "and 1 ms when it was granted"));
    Compiler compiler;
    compiler.set_reserved([&] { return live; });
    EXPECT_FALSE(compiler
                     .compile(three_ports(of("a", "cpu: 600cyc/pkt, rate: 1kpps, deadline: 5ms")),
                              "edge.yaml", SlotMap())
                     .ok());
}

// What is sent to a data plane can be read there, whoever had to be left out.
TEST(SharedCycles, WhoSharesIsLeftOutWithItsReferent) {
    const auto done = compiled(three_ports("  []\n"));
    auto promises = Promises::of(done->tree);
    ASSERT_TRUE(promises->add(node({"a", {"600cyc/pkt"}, kPorts})).ok());
    ASSERT_TRUE(promises->add(node({"b", {"shared-with a"}})).ok());
    ASSERT_TRUE(promises->add(node({"c", {"shared-with b"}})).ok());
    const config::Node live = promises->live();
    std::string small = three_ports("  []\n");  // dmz has no room for what may wait of a any more
    small.replace(small.find("rate: 10Mbit"), 12, "rate: 10Mbit, queue: 6200B");
    auto less = compiled(small);
    ASSERT_TRUE(less.ok()) << less.error().message;
    config::Node many = live;
    for (config::Node& one : many.items())
        if (one["name"].as_text() == "of-a") one.set("rate", config::Node::integer(10'000));
    const auto left = Promises::in_force(less->tree, many);
    EXPECT_EQ(left.uncovered().size(), 3u);
    EXPECT_EQ(left.live().items().size(), 0u);
    EXPECT_TRUE(read_reservations(less->tree, left.live()).ok());
}

// After a restart the time that is inherited is the referent's, not the whole deadline.
TEST(SharedCycles, AChainIsGrantedAfterARestartAsBefore) {
    const auto done = compiled(three_ports("  []\n"));
    auto promises = Promises::of(done->tree);
    ASSERT_TRUE(promises->add(node({"a", {"600cyc/pkt"}, kPorts})).ok());
    ASSERT_TRUE(promises->add(node({"b", {"shared-with a"}})).ok());
    EXPECT_TRUE(promises->fits(node({"c", {"shared-with b"}, kPorts})).ok());
    auto again = Promises::in_force(done->tree, promises->live());
    const Status fits = again.fits(node({"c", {"shared-with b"}, kPorts}));
    EXPECT_TRUE(fits.ok()) << fits.error().message;
}

}  // namespace
}  // namespace ravelin::control
