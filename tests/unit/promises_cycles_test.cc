// SPDX-License-Identifier: Apache-2.0
// Reservations of cycles, alone and before a port: what is granted, how the deadline is split, what
// is refused and why.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/compile/worker_cycles.h"
#include "tests/unit/promises_support.h"

namespace ravelin::control {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// 1,000 cycles a microsecond, of which the core keeps half, and 100 us at once; wan has 1 Gbit/s.
std::string config(const std::string& reservations,
                   const std::string& functions =
                       "{name: f, thin: {}, work: 600}, {name: g, thin: {}, work: 1, next: f}") {
    return "reservations:\n" + reservations + "functions: [" + functions + R"(]
workers: {poll: busy, cycles: 1000000000, core: {cpu: 50, burst: 100us}}
principals: [{name: a, function: f}, {name: b, function: f}, {name: c}, {name: d, function: g}]
ports: [{name: lan, device: 'null'}, {name: wan, device: 'null', rate: 1Gbit}]
pipeline: [parse, steer, route, classify, invoke]
)";
}
std::string cpu(const std::string& name, const std::string& cycles, const std::string& more) {
    return "- {name: of-" + name + ", principal: " + name + ", cpu: " + cycles + ", " + more +
           "}\n";
}
const std::string kBoth = ", out: wan, bytes: 1500B";

// Each packet costs its cycles and 3,000 beside, of the half that is not the core's.
TEST(PromisesOfCycles, AreGrantedWhileAWorkerCanKeepThem) {
    EXPECT_EQ(answer_to(config(cpu("a", "2000cyc/pkt", "rate: 99kpps, deadline: 5ms"))), "granted");
    EXPECT_THAT(answer_to(config(cpu("a", "2000cyc/pkt", "rate: 101kpps, deadline: 5ms"))),
                AllOf(HasSubstr("reservations[0]: each worker has not 5000 cycles every 9.9"),
                      HasSubstr("; with 19"), HasSubstr(" cycles it would fit")));
    EXPECT_THAT(answer_to(config(cpu("a", "2000cyc/pkt", "rate: 60kpps, deadline: 5ms") +
                                 cpu("b", "2000cyc/pkt", "rate: 60kpps, deadline: 5ms"))),
                HasSubstr("reservations[1]: each worker has not"));
}

// Whose packets may be dropped, in whichever unit that is told, can be promised nothing.
TEST(PromisesOfCycles, AreRefusedToWhoHasACapOnThem) {
    const std::string plain = config(cpu("a", "600cyc/pkt", "rate: 1kpps, deadline: 5ms"));
    for (const auto& [what, cap] : {std::pair("cpu", "30"), {"cycles", "30Mcyc/s"}}) {
        std::string text = plain;
        const std::string name = "{name: a, ";
        text.insert(text.find(name) + name.size(),
                    std::string("caps: {") + what + ": " + cap + "}, ");
        EXPECT_THAT(answer_to(text),
                    HasSubstr("cpu: found for 'a', whose packets the cap of 'a' on " +
                              std::string(what) + " may drop"));
    }
}

// 100 us of the core, 40 us and 3,000 cycles of a run in progress, and its own.
TEST(PromisesOfCycles, CountWithCoreAndRuns) {
    unsigned us = 100;
    while (us < 2000 && answer_to(config(cpu(
                            "a", "2000cyc/pkt",
                            "rate: 100pps, deadline: " + std::to_string(us) + "us"))) != "granted")
        us += 10;
    EXPECT_EQ(us, 300u) << "(100 + 43 + 5) us at half the cycles";
}

TEST(PromisesOfCycles, ADeadlineOfBothIsSplit) {
    const auto done =
        compiled(config(cpu("a", "600cyc/pkt", "rate: 1kpps, deadline: 2ms" + kBoth)));
    ASSERT_TRUE(done.ok()) << done.error().message;
    const auto read = read_reservations(done->tree);
    ASSERT_TRUE(read.ok());
    const Reservation& one = read->front();
    EXPECT_EQ(one.cycles.work, 600u);
    EXPECT_EQ(one.links[0].contract.work, 1538u);
    EXPECT_EQ(one.cycles.deadline_ns + one.links[0].contract.deadline_ns, 2'000'000u);
    EXPECT_GE(one.cycles.deadline_ns, 280'000u);
    EXPECT_GE(one.links[0].contract.deadline_ns, 120'000u);
    // Neither alone would say no, both do.
    EXPECT_EQ(answer_to(config(cpu("a", "600cyc/pkt", "rate: 1kpps, deadline: 330us"))), "granted");
    EXPECT_THAT(answer_to(config(cpu("a", "600cyc/pkt", "rate: 1kpps, deadline: 330us" + kBoth))),
                AllOf(HasSubstr("binds: each worker needs "), HasSubstr("port wan needs ")));
}

// S39, S40, S72b. The three differ where cycles and port are not alike in what they need.
TEST(PromisesOfCycles, TheDeadlineIsSplitByTheCriterionThatIsNamed) {
    const auto cycles_of_2_ms = [](const std::string& relaxation) {
        const std::string named = relaxation.empty() ? "" : ", relaxation: " + relaxation;
        const auto done =
            compiled(config(cpu("a", "600cyc/pkt", "rate: 100pps, deadline: 2ms" + kBoth + named)));
        EXPECT_TRUE(done.ok()) << done.error().message;
        const auto read = read_reservations(done->tree);
        return read.ok() && !read->empty() ? read->front().cycles.deadline_ns : 0;
    };
    const uint64_t fixed = cycles_of_2_ms("fixed"), proportional = cycles_of_2_ms("proportional"),
                   usual = cycles_of_2_ms("");
    EXPECT_EQ(fixed, 1'000'000u);
    EXPECT_EQ(usual, cycles_of_2_ms("equal-utilisation"));
    EXPECT_NE(usual, fixed);
    EXPECT_NE(proportional, fixed);
    EXPECT_NE(proportional, usual);
    EXPECT_THAT(answer_to(config(cpu("a", "600cyc/pkt", "rate: 1kpps, relaxation: half"))),
                HasSubstr("relaxation: found 'half', expected one of"));
}

TEST(PromisesOfCycles, WhatIsReleasedIsFreeAndWhatWasGrantedKeepsItsSplit) {
    const auto done = compiled(config("  []\n"));
    ASSERT_TRUE(done.ok()) << done.error().message;
    auto promises = Promises::of(done->tree);
    ASSERT_TRUE(promises.ok());
    const auto wish = [](const char* name, int64_t rate) {
        return node({name, {"2000cyc/pkt"}, {"wan"}, 5'000'000, rate, 1'500});
    };
    const config::Node first = wish("a", 40'000), second = wish("b", 20'000),
                       third = wish("b", 70'000);
    const auto granted = promises->granted(first);
    ASSERT_TRUE(granted.ok()) << granted.error().message;
    EXPECT_TRUE(granted->has("cpu-deadline"));
    ASSERT_TRUE(promises->add(first).ok());
    EXPECT_FALSE(promises->fits(third).ok());
    ASSERT_TRUE(promises->add(second).ok());
    const config::Node live = promises->live();
    EXPECT_EQ(cycle_use(done->tree, live).reserved, 5'000u * 60'000);
    auto again = Promises::in_force(done->tree, live);
    EXPECT_TRUE(again.uncovered().empty()) << again.uncovered().begin()->second;
    EXPECT_EQ(again.live(), live);
    EXPECT_TRUE(promises->remove("of-a"));
    EXPECT_TRUE(promises->remove("of-b"));
    EXPECT_TRUE(promises->fits(third).ok());
    EXPECT_EQ(cycle_use(done->tree, promises->live()).reserved, 0u);
}

// d's packets go through g, then f: one budget, each run costs its surroundings.
TEST(PromisesOfCycles, OfFunctionsBehindEachOtherAreOfEachOrOfAll) {
    const std::string rest = "rate: 1kpps, deadline: 5ms";
    const auto done = compiled(config(cpu("d", "[100cyc/pkt, 700cyc/pkt]", rest)));
    ASSERT_TRUE(done.ok()) << done.error().message;
    const auto read = read_reservations(done->tree);
    ASSERT_TRUE(read.ok());
    ASSERT_EQ(read->front().runs.size(), 2u);
    EXPECT_EQ(read->front().runs[0].function, "g");
    EXPECT_EQ(read->front().runs[0].cycles, 100u);
    EXPECT_EQ(read->front().runs[1].function, "f");
    EXPECT_EQ(read->front().runs[1].cycles, 700u);
    EXPECT_EQ(read->front().cycles.work, 800u);
    EXPECT_EQ(read->front().parts.front().around(), 2 * kAroundRun);
    EXPECT_EQ(cycle_use(done->tree).reserved, 6'800u * 1'000);
    EXPECT_EQ(answer_to(config(cpu("d", "601cyc/pkt", rest))), "granted");
    EXPECT_EQ(answer_to(config(cpu("d", "2000cyc/pkt", "rate: 62kpps, deadline: 5ms"))), "granted");
    EXPECT_THAT(answer_to(config(cpu("d", "2000cyc/pkt", "rate: 63kpps, deadline: 5ms"))),
                AllOf(HasSubstr("each worker has not 8000 cycles every 15.87"),
                      HasSubstr("cycles of all functions together it would fit")));
    EXPECT_THAT(answer_to(config(cpu("d", "600cyc/pkt", rest))),
                HasSubstr("found 600 cycles, expected at least the 601 that its functions together "
                          "say a packet takes"));
    EXPECT_THAT(answer_to(config(cpu("d", "[600cyc/pkt, 1cyc/pkt]", rest))),
                HasSubstr("found 1 cycles, expected at least the 600 that function 'f' says"));
    EXPECT_THAT(answer_to(config(cpu("d", "[1cyc/pkt, 600cyc/pkt, 5cyc/pkt]", rest))),
                HasSubstr("found cycles of 3 functions, expected those of 2: g, f"));
    EXPECT_THAT(answer_to(config(cpu("a", "[600cyc/pkt, shared-with d]", rest))),
                HasSubstr("found 'shared-with d', expected cycles a packet"));
}

TEST(PromisesOfCycles, WhoSharesHasNoMoreFunctionsThanWhoReserved) {
    const std::string rest = "rate: 1kpps, deadline: 5ms";
    EXPECT_EQ(answer_to(config(cpu("d", "800cyc/pkt", rest) + cpu("a", "shared-with d", rest))),
              "granted");
    EXPECT_THAT(
        answer_to(config(cpu("a", "800cyc/pkt", rest) + cpu("d", "shared-with a", rest))),
        HasSubstr("reservations[1].cpu: found for 'd', whose packets go through 2 functions "
                  "(g, f), expected at most 1"));
}

TEST(PromisesOfCycles, WhatNobodyWouldKeepIsRefused) {
    const std::string rest = "rate: 1kpps, deadline: 5ms";
    EXPECT_THAT(answer_to(config(cpu("a", "600", rest))),
                HasSubstr("reservations[0].cpu: found '600', expected cycles a packet like "
                          "600cyc/pkt"));
    EXPECT_THAT(answer_to(config(cpu("a", "0cyc/pkt", rest))), HasSubstr("found '0cyc/pkt'"));
    EXPECT_THAT(answer_to(config(cpu("a", "500cyc/pkt", rest))),
                HasSubstr("found 500 cycles, expected at least the 600 that its function says"));
    EXPECT_THAT(answer_to(config(cpu("c", "600cyc/pkt", rest))),
                HasSubstr("found for 'c', which has no function"));
    EXPECT_THAT(answer_to(config(cpu("a", "600cyc/pkt", rest), "{name: f, thin: {}}")),
                HasSubstr("function 'f' does not say its work"));
    EXPECT_THAT(answer_to(config(cpu("a", "600cyc/pkt", rest) + cpu("a", "600cyc/pkt", rest))),
                HasSubstr("is another's too"));
    EXPECT_THAT(answer_to(config(cpu("a", "600cyc/pkt", rest) +
                                 "- {name: again, principal: a, cpu: 600cyc/pkt, " + rest + "}\n")),
                HasSubstr("has 'of-a' of cycles already"));
    EXPECT_THAT(answer_to(config("- {name: x, principal: a, " + rest + "}\n")),
                HasSubstr("out: is missing, expected a port, cycles of cpu, or both"));
    EXPECT_THAT(answer_to(config("- {name: x, principal: a, out: wan, " + rest + "}\n")),
                HasSubstr("bytes: is missing"));
    EXPECT_THAT(answer_to(config(cpu("a", "600cyc/pkt", rest + ", bytes: 100B"))),
                HasSubstr("bytes: found without out"));
}

}  // namespace
}  // namespace ravelin::control
