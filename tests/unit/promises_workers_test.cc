// SPDX-License-Identifier: Apache-2.0
// Reservations of cycles of several workers: a claim and a part of the deadline for each that
// packets come to, of its own capacity, beside those that any worker must keep.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "controlplane/compile/worker_cycles.h"
#include "tests/unit/promises_support.h"

namespace ravelin::control {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::string kFunctions =
    "{name: one, thin: {}, work: 600, worker: 1}, {name: two, thin: {}, work: 600, worker: 2}, "
    "{name: near, thin: {}, work: 1, next: one}, {name: any, thin: {}, work: 600}, "
    "{name: path, thin: {}, work: 600, worker: 1, next: mid}, "
    "{name: mid, thin: {}, work: 100, next: end}, {name: end, thin: {}, work: 600, worker: 2}, "
    "{name: back, thin: {}, work: 1, worker: 2, next: path}";

/// Three workers of 1,000 cycles a microsecond each, of which the core keeps half, and 100 us at
/// once; wan has 1 Gbit/s. Each principal has the function of its name; a few more go the path.
std::string config(const std::string& reservations, const std::string& functions = kFunctions,
                   const std::string& poll = "busy") {
    std::string principals;
    for (const char* name : {"one", "two", "near", "any", "path", "back"})
        principals += fmt::format("{{name: {0}, function: {0}}}, ", name);
    return fmt::format(R"(reservations:
{}functions: [{}]
workers: {{count: 3, buffers: 65536, poll: {}, cycles: 1000000000, core: {{cpu: 50, burst: 100us}}}}
principals: [{}{{name: also, function: path}}, {{name: more, function: one}}]
ports: [{{name: lan, device: 'null'}}, {{name: wan, device: 'null', rate: 1Gbit}}]
pipeline: [parse, steer, route, classify, invoke]
)",
                       reservations, functions, poll, principals);
}
std::string of(const std::string& name, const std::string& cpu, const std::string& more) {
    return fmt::format("- {{name: of-{0}, principal: {0}, cpu: {1}, {2}}}\n", name, cpu, more);
}
const std::string kPath = "[600cyc/pkt, 100cyc/pkt, 800cyc/pkt]";
const std::string kBoth = ", out: wan, bytes: 1500B";

std::string told(const std::string& reservations) { return answer_to(config(reservations)); }
std::vector<uint64_t> reserved(const config::Node& tree, const config::Node& live = {}) {
    std::vector<uint64_t> out;
    for (const CycleUse& use : cycle_uses(tree, live)) out.push_back(use.reserved);
    return out;
}

// Two functions on worker 1 are one claim, the third is worker 2's; nothing of it is another's.
TEST(PromisesOfWorkers, EachThatAPathComesToHasItsPart) {
    for (const std::string& port : {std::string(), kBoth}) {
        const auto done = compiled(config(of("path", kPath, "rate: 1kpps, deadline: 2ms" + port)));
        ASSERT_TRUE(done.ok()) << done.error().message;
        const Reservation one = read(done->tree).front();
        ASSERT_EQ(one.parts.size(), 2u);
        EXPECT_EQ(one.parts[0].worker, 1);
        EXPECT_EQ(one.parts[0].runs, 2u);
        EXPECT_EQ(one.parts[0].contract.work, 700u);
        EXPECT_EQ(one.parts[1].worker, 2);
        EXPECT_EQ(one.parts[1].runs, 1u);
        EXPECT_EQ(one.parts[1].contract.work, 800u);
        uint64_t sum = 0;
        for (const ReservedPart& part : one.parts) {
            EXPECT_EQ(part.contract.period_ns, 1'000'000u);
            EXPECT_GE(part.contract.deadline_ns, 2 * (100'000u + 43'000 + 3'700));
            sum += part.contract.deadline_ns;
        }
        if (port.empty())
            EXPECT_LE(sum, 2'000'000u);
        else
            EXPECT_EQ(sum + one.links[0].contract.deadline_ns, 2'000'000u);
        EXPECT_THAT(reserved(done->tree), ElementsAre(6'700'000u, 3'800'000u, 0u));
    }
    // Each alone would be granted in 600 us.
    EXPECT_EQ(told(of("path", kPath, "rate: 1kpps, deadline: 610us")), "granted");
    EXPECT_THAT(told(of("path", kPath, "rate: 1kpps, deadline: 590us")),
                AllOf(HasSubstr("binds: worker 1 needs "), HasSubstr("worker 2 needs "),
                      HasSubstr("; with a deadline of ")));
}

// A worker's capacity is its own, and what names none is kept by each of them.
TEST(PromisesOfWorkers, ARefusalNamesTheWorkerThatBinds) {
    const std::string much = "2000cyc/pkt", rest = "rate: 90kpps, deadline: 5ms";
    EXPECT_EQ(told(of("one", much, rest) + of("two", much, rest)), "granted");
    EXPECT_THAT(told(of("one", much, rest) + of("more", much, "rate: 20kpps, deadline: 5ms")),
                AllOf(HasSubstr("reservations[1]: worker 1 has not 5000 cycles every 50 us"),
                      HasSubstr("; at a rate of 9")));
    EXPECT_THAT(told(of("two", much, rest) + of("path", kPath, "rate: 20kpps, deadline: 5ms")),
                HasSubstr("reservations[1]: worker 2 has not 3800 cycles every 50 us"));
    // Asked before and after, on whichever worker there is least.
    const std::string any = of("any", much, "rate: 20kpps, deadline: 5ms");
    for (const char* full : {"one", "two"}) {
        const std::string worker = full == std::string("one") ? "worker 1" : "worker 2";
        EXPECT_THAT(told(of(full, much, rest) + any),
                    AllOf(HasSubstr("reservations[1]: " + worker + " has not"),
                          HasSubstr("; at a rate of 9")));
        EXPECT_THAT(told(any + of(full, much, rest)),
                    HasSubstr("reservations[1]: " + worker + " has not"));
    }
    EXPECT_THAT(told(of("any", much, "rate: 101kpps, deadline: 5ms")), HasSubstr(" has not 5000"));
    EXPECT_EQ(told(of("any", much, "rate: 99kpps, deadline: 5ms")), "granted");
}

// Where another worker has promised more, what all keep takes as long as it takes there.
TEST(PromisesOfWorkers, WhatEachKeepsHasTheTimeOfTheSlowest) {
    const std::string any = of("any", "2000cyc/pkt", "rate: 10kpps, deadline: 5ms" + kBoth);
    for (const char* full : {"one", "two"}) {
        const std::string before = of(full, "5000cyc/pkt", "rate: 1kpps, deadline: 310us");
        const auto done = compiled(config(before + any));
        ASSERT_TRUE(done.ok()) << done.error().message;
        const Reservation one = read(done->tree).back();
        EXPECT_EQ(one.parts.size(), 1u);
        EXPECT_EQ(one.parts[0].worker, kAnyWorker);
        EXPECT_EQ(one.parts[0].contract.deadline_ns + one.links[0].contract.deadline_ns,
                  5'000'000u);
        EXPECT_GT(one.parts[0].contract.deadline_ns, 310'000u);
        const std::string alone = of("any", "5000cyc/pkt", "rate: 1kpps, deadline: 310us");
        EXPECT_EQ(told(alone), "granted");
        EXPECT_THAT(
            told(before + alone),
            AllOf(HasSubstr(full == std::string("one") ? "worker 1 binds" : "worker 2 binds"),
                  HasSubstr("; with a deadline of ")));
    }
}

// Packets of another worker's come to one that may be asleep.
TEST(PromisesOfWorkers, AWorkerThatIsNamedMayBeAsleep) {
    const std::string one = of("one", "600cyc/pkt", "rate: 1kpps, deadline: 400us"),
                      any = of("any", "600cyc/pkt", "rate: 1kpps, deadline: 400us");
    EXPECT_TRUE(compiled(config(one, kFunctions, "busy")).ok());
    const auto slept = compiled(config(one, kFunctions, "adaptive"));
    ASSERT_FALSE(slept.ok());
    EXPECT_THAT(slept.error().message, HasSubstr("worker 1 binds"));
    std::string unnamed = kFunctions;
    for (size_t at = 0; (at = unnamed.find(", worker: ")) != unnamed.npos;) unnamed.erase(at, 11);
    EXPECT_TRUE(compiled(config(any, unnamed, "adaptive")).ok());
}

TEST(PromisesOfWorkers, LiveOnesOutliveARestartAndGiveAllBack) {
    const auto done = compiled(config("  []\n"));
    ASSERT_TRUE(done.ok()) << done.error().message;
    auto promises = Promises::of(done->tree);
    const auto path = node({.name = "path",
                            .cpu = {"600cyc/pkt", "100cyc/pkt", "4000cyc/pkt"},
                            .out = {"wan"},
                            .rate = 40'000}),
               any = node({.name = "any", .cpu = {"2000cyc/pkt"}, .out = {"wan"}, .rate = 20'000}),
               one = node({.name = "one", .cpu = {"2000cyc/pkt"}, .rate = 95'000}),
               all = node({.name = "any", .cpu = {"2000cyc/pkt"}, .rate = 95'000});
    ASSERT_TRUE(promises->add(path).ok());
    ASSERT_TRUE(promises->add(any).ok());
    ASSERT_TRUE(
        promises
            ->add(node({.name = "also", .cpu = {"shared-with path"}, .out = {"wan"}, .rate = 10}))
            .ok());
    EXPECT_FALSE(promises->fits(one).ok());
    const config::Node live = promises->live();
    EXPECT_THAT(reserved(done->tree, live),
                ElementsAre(6'700u * 40'000 + 5'000u * 20'000, 7'000u * 40'000 + 5'000u * 20'000,
                            5'000u * 20'000));
    for (int i = 0; i < 3; ++i) {
        auto again = Promises::in_force(done->tree, live);
        EXPECT_TRUE(again.uncovered().empty()) << again.uncovered().begin()->second;
        EXPECT_EQ(again.live(), live);
        EXPECT_FALSE(again.remove("of-path")) << "of-also has its cycles";
        for (const char* name : {"of-also", "of-path", "of-any"}) EXPECT_TRUE(again.remove(name));
        EXPECT_TRUE(again.add(one).ok()) << "all is free again, on one";
        EXPECT_TRUE(again.remove("of-one"));
        EXPECT_TRUE(again.add(all).ok()) << "and on each";
    }
}

// What both sides read of one that was granted before its functions moved is the same, and told.
TEST(PromisesOfWorkers, FunctionsMoveUnderALiveReservation) {
    const auto with = [](const std::string& mid) {
        return compiled(config("  []\n",
                               "{name: one, thin: {}, work: 600, worker: 1}, {name: two, "
                               "thin: {}, work: 6}, {name: near, thin: {}, work: 6}, "
                               "{name: any, thin: {}, work: 6}, {name: back, thin: {}, "
                               "work: 6}, {name: path, thin: {}, work: 600, worker: 1, "
                               "next: mid}, {name: mid, thin: {}, work: 100" +
                                   mid + "}"))
            ->tree;
    };
    const config::Node before = with(""), after = with(", worker: 2");
    auto promises = Promises::of(before);
    ASSERT_TRUE(promises
                    ->add(node({.name = "path",
                                .cpu = {"600cyc/pkt", "100cyc/pkt"},
                                .out = {"wan"},
                                .rate = 1'000}))
                    .ok());
    const config::Node live = promises->live();
    const uint64_t had = read(before, live).front().cycles.deadline_ns;
    auto moved = Promises::in_force(after, live);
    EXPECT_TRUE(moved.holds("of-path"));
    EXPECT_EQ(moved.live(), live);
    const Reservation one = read(after, live).front();
    ASSERT_EQ(one.parts.size(), 2u);
    for (const ReservedPart& part : one.parts) EXPECT_EQ(part.contract.deadline_ns, had / 2);
    EXPECT_THAT(reserved(after, live), ElementsAre(3'600'000u, 3'100'000u, 0u));
    EXPECT_TRUE(moved.uncovered().empty()) << moved.uncovered().begin()->second;
    EXPECT_TRUE(moved.remove("of-path"));
    // Only an uneven split could be kept, which the data plane knows nothing of.
    const config::Node uneven = node({.name = "path",
                                      .cpu = {"100000cyc/pkt", "100cyc/pkt"},

                                      .deadline = 900'000,
                                      .rate = 1'000});
    auto whole = Promises::of(before);
    ASSERT_TRUE(whole->add(uneven).ok());
    const auto told_of = Promises::in_force(after, whole->live()).uncovered();
    EXPECT_THAT(told_of.at("live reservation of-path"),
                HasSubstr("its part of the deadline cannot be kept"));
    // Back again, with the split of two that is none any more.
    ASSERT_TRUE(moved
                    .add(node({.name = "path",
                               .cpu = {"600cyc/pkt", "100cyc/pkt"},
                               .out = {"wan"},
                               .rate = 1'000}))
                    .ok());
    const config::Node two = moved.live();
    EXPECT_TRUE(two.items().front().has("cpu-parts"));
    EXPECT_EQ(read(before, two).front().parts.size(), 1u);
    EXPECT_TRUE(Promises::in_force(before, two).uncovered().empty());
}

TEST(PromisesOfWorkers, WhoSharesComesToTheSame) {
    const std::string rest = "rate: 1kpps, deadline: 5ms";
    const std::string both = of("path", kPath, rest + kBoth) +
                             of("also", "shared-with path", "rate: 1kpps, deadline: 6ms" + kBoth);
    EXPECT_THAT(told(both), HasSubstr("granted"));
    const auto all = read(compiled(config(both))->tree);
    EXPECT_EQ(all[1].cycles.deadline_ns, all[0].cycles.deadline_ns);
    EXPECT_THAT(reserved(compiled(config(both))->tree), ElementsAre(6'700'000u, 3'800'000u, 0u))
        << "once";
    EXPECT_EQ(told(of("any", "600cyc/pkt", rest) + of("one", "shared-with any", rest)), "granted")
        << "each worker keeps it";
    EXPECT_THAT(told(of("one", "600cyc/pkt", rest) + of("any", "shared-with one", rest)),
                HasSubstr("reservations[1].cpu: found for 'any', whose functions run on any "
                          "worker, expected worker 1, as those whose cycles it shares"));
    EXPECT_THAT(told(of("one", "600cyc/pkt", rest) + of("path", "shared-with one", rest)),
                HasSubstr("whose functions run on worker 1, then 2, expected worker 1, as"));
}

// Whatever an operator has written there.
TEST(PromisesOfWorkers, TheSplitIsTheControlPlanes) {
    const std::string rest = "rate: 1kpps, deadline: 5ms, cpu-parts: ";
    const auto one = compiled(config(of("one", "600cyc/pkt", rest + "'1'")));
    ASSERT_TRUE(one.ok()) << one.error().message;
    EXPECT_EQ(read(one->tree).front().parts.front().contract.deadline_ns, 5'000'000u);
    const auto path = compiled(config(of("path", kPath, rest + "['1', word]")));
    ASSERT_TRUE(path.ok()) << path.error().message;
    const Reservation two = read(path->tree).front();
    for (const ReservedPart& part : two.parts) EXPECT_GT(part.contract.deadline_ns, 200'000u);
}

// What one worker held up comes to the next together: as many may wait there as in the whole
// deadline, and what the data plane will say is known before its part is.
TEST(PromisesOfWorkers, TheWholeDeadlineMayWaitAtEach) {
    std::string text = config(of("path", kPath, "rate: 20kpps, deadline: 4ms"));
    EXPECT_TRUE(compiled(text).ok());
    text.replace(text.find("buffers: 65536"), 14, "buffers: 1200");
    const auto done = compiled(text);
    ASSERT_FALSE(done.ok());
    EXPECT_THAT(done.error().message,
                HasSubstr("82 packets may wait for functions on worker 1, expected at most 50"));
}

// It is told where it stands, not where it shows.
TEST(PromisesOfWorkers, AFunctionThatIsNotThereIsToldAtWhoNamesIt) {
    const std::string rest = "rate: 1kpps, deadline: 5ms";
    std::string typo = config(of("any", "600cyc/pkt", rest) + of("one", "shared-with any", rest));
    const std::string named = "{name: one, function: one}";
    typo.replace(typo.find(named), named.size(), "{name: one, function: typo}");
    EXPECT_THAT(compiled(typo).error().message, HasSubstr("function: found 'typo'"));
    std::string circle = kFunctions;
    const std::string end = "{name: end, thin: {}, work: 600, worker: 2}";
    circle.replace(circle.find(end), end.size(),
                   "{name: end, thin: {}, work: 600, worker: 2, next: path}");
    EXPECT_THAT(compiled(config(of("path", kPath, rest), circle)).error().message,
                HasSubstr("from where packets come back"));
}

TEST(PromisesOfWorkers, WhatNobodyWouldKeepIsRefused) {
    const std::string rest = "rate: 1kpps, deadline: 5ms";
    EXPECT_THAT(told(of("near", "[100cyc/pkt, 600cyc/pkt]", rest)),
                HasSubstr("reservations[0].cpu: function 'one' runs on worker 1, and 'near' before "
                          "it on any, expected one that is named"));
    EXPECT_THAT(told(of("back", "[1cyc/pkt, 600cyc/pkt, 100cyc/pkt, 600cyc/pkt]", rest)),
                HasSubstr("function 'end' runs on worker 2, which packets have left before, "
                          "expected one that they meet once"));
    EXPECT_THAT(told(of("path", "2000cyc/pkt", rest)),
                HasSubstr("found cycles of 1 functions, expected those of 3: path, mid, end"));
    EXPECT_THAT(told(of("path", "[600cyc/pkt, 100cyc/pkt, 500cyc/pkt]", rest)),
                HasSubstr("found 500 cycles, expected at least the 600 that function 'end' says"));
}

}  // namespace
}  // namespace ravelin::control
