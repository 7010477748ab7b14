// SPDX-License-Identifier: Apache-2.0
// What one job's budget is spent on: the functions of a packet, what is around their runs, and what
// goes on in another scheduler's place.
#include <gtest/gtest.h>

#include <vector>

#include "tests/support/sched_box.h"

namespace ravelin::sched {
namespace {

using Box = SchedBox;

constexpr Contract kContract{1'500, 100 * kUs, kMs};
const SchedBoxSetup kPassesOn{.first = {.work = 1'000, .max_run = 10 * kUs, .passes_on = true}};

struct Ran {
    unsigned function;
    uint32_t flow;
    uint64_t due_us;
    bool operator==(const Ran&) const = default;
};
/// Every run by reservation.
void watch(Box& box, std::vector<Ran>& seen) {
    box.cpu.watch = [&](const Slice& slice, uint64_t) {
        const Invocation& ran = slice.work->invocation;
        if (slice.by == Slice::By::kReservation)
            seen.push_back({ran.function.slot, ran.flow, slice.deadline_ns / kUs});
    };
}
void hand_on(Box& box, uint64_t cycles) {
    box.then = [&box, cycles](SimPacket& p, FunctionContext& c) {
        void* frame = &p;
        p.cycles = cycles;
        EXPECT_EQ(c.post(Box::kSecond, {&frame, 1}), Refusal::kNone);
        (void)box;
    };
}

// One that shares the budget and is wanted sooner waits until what was begun is done.
TEST(SchedBudget, WhatIsBegunGoesFirstWhateverIsWantedSooner) {
    Box box({{.name = "a", .weight = 0}}, kPassesOn);
    std::vector<Ran> seen;
    watch(box, seen);
    hand_on(box, 500);
    box.scheduler.reserve(box.id("a"), kContract, 0);
    box.post(box.id("a"), 1, 1'000, kNoDeadline, Box::kFirst, 1);
    box.clock.at(500, [&] { box.post(box.id("a"), 1, 1'000, 5 * kMs, Box::kFirst, 2); });
    box.clock.run_until(5 * kMs);
    EXPECT_EQ(seen, (std::vector<Ran>{{0, 1, 1000}, {1, 1, 1000}, {0, 2, 1100}, {1, 2, 1100}}));
}

// Of those that share a budget the k-th that came has the k-th job, so that each is due when the
// contract says: who wants it sooner takes nobody's job, and those that come together stay in
// order.
TEST(SchedBudget, IsSpentInTheOrderOfArrivalsWhateverIsWantedSooner) {
    Box box({{.name = "a", .weight = 0}});
    std::vector<Ran> seen;
    watch(box, seen);
    box.scheduler.reserve(box.id("a"), kContract, 0);
    box.post(kCorePrincipal, 1, 350 * kUs, kNoDeadline, Box::kCore);
    box.clock.at(150 * kUs, [&] { box.post(box.id("a"), 1, 1'500, kNoDeadline, Box::kSecond, 1); });
    box.clock.at(300 * kUs, [&] {
        box.post(box.id("a"), 1, 1'500, 4 * kMs, Box::kSecond, 2);
        box.post(box.id("a"), 1, 1'500, 3 * kMs, Box::kFirst, 3);
    });
    box.clock.run_until(5 * kMs);
    EXPECT_EQ(seen, (std::vector<Ran>{{1, 1, 1150}, {1, 2, 1300}, {0, 3, 1400}}));
}

// Somebody who shares the budget has as his first function what is the second of others: what waits
// there of his does not come between their two, and does not take the room of what goes on.
TEST(SchedBudget, WhatIsBegunGoesBeforeWhatWaitsInTheSameQueue) {
    SchedBoxSetup setup = kPassesOn;
    Box box({{.name = "a", .weight = 0}}, setup);
    const FunctionRef later{1, 2};
    box.functions.unload(Box::kSecond);
    box.functions.load(later, &box.second, {.work = 500, .max_run = 10 * kUs, .queue = 2});
    std::vector<Ran> seen;
    watch(box, seen);
    box.then = [&](SimPacket& p, FunctionContext& c) {
        void* frame = &p;
        p.cycles = 500;
        EXPECT_EQ(c.post(later, {&frame, 1}), Refusal::kNone);
    };
    box.scheduler.reserve(box.id("a"), kContract, 0);
    box.post(kCorePrincipal, 1, 50 * kUs, kNoDeadline, Box::kCore);
    box.post(box.id("a"), 1, 1'000, kNoDeadline, Box::kFirst, 1);
    for (const uint32_t flow : {2u, 3u}) box.post(box.id("a"), 1, 1'500, kNoDeadline, later, flow);
    box.clock.run_until(5 * kMs);
    EXPECT_EQ(seen, (std::vector<Ran>{{0, 1, 1000}, {1, 1, 1000}, {1, 2, 1100}, {1, 3, 1200}}));
    EXPECT_EQ(box.usage.get(box.id("a"), Use::kMisses), 0u);
}

// A run is stopped no later than its function's max_run, however much is reserved, nor than the
// budget ends, of which what is around it is a part: that is what others count with.
TEST(SchedBudget, NoRunIsLongerThanItsFunctionMayNorThanItsBudget) {
    const auto limit_of = [](uint64_t work, uint64_t reserved) {
        SchedBoxSetup setup{.first = {.work = work, .max_run = 10 * kUs}};
        setup.config.around = 3 * kUs;
        Box box({{.name = "a", .weight = 0}}, setup);
        box.scheduler.reserve(box.id("a"), {reserved, 100 * kUs, kMs}, 0);
        SimPacket packet;
        void* frame = &packet;
        EXPECT_EQ(
            box.scheduler.post({.function = Box::kFirst, .principal = box.id("a")}, {&frame, 1}, 0),
            Refusal::kNone);
        return box.scheduler.next(0).limit;
    };
    EXPECT_EQ(limit_of(1'000, 40 * kUs), 10 * kUs);
    EXPECT_EQ(limit_of(1'000, 5 * kUs), 2 * kUs);
}

// Else who sends beyond its rate what costs little would run again and again on one job, each time
// with what nobody pays for.
TEST(SchedBudget, WhatIsAroundARunIsSpentOfIt) {
    SchedBoxSetup setup{.first = {.work = 100, .max_run = 10 * kUs}};
    setup.config.around = 3 * kUs;
    Box box({{.name = "a", .weight = 0}}, setup);
    std::vector<Ran> seen;
    watch(box, seen);
    box.scheduler.reserve(box.id("a"), {23'000, 100 * kUs, kMs}, 0);
    for (unsigned i = 0; i < 50; ++i) box.post(box.id("a"), 1, 100);
    box.clock.run_until(100 * kUs - 1);
    EXPECT_EQ(seen.size(), 7u) << "of 3,100 each, and what is left is too little for one";
}

/// One packet that has gone through the first function in `before`, and what is left there.
void begin(Box& box, CpuScheduler& before, SimPacket& packet) {
    void* frame = &packet;
    const PrincipalId id = box.id("a");
    before.reserve(id, kContract, 0);
    ASSERT_EQ(before.post({.function = Box::kFirst, .principal = id}, {&frame, 1}, 0),
              Refusal::kNone);
    const Slice slice = before.next(0);
    ASSERT_TRUE(slice);
    Invocation on = slice.work->invocation;
    on.function = Box::kSecond;
    ++on.hops;
    ASSERT_EQ(before.post(on, {&frame, 1}, 1'000), Refusal::kNone);
    before.done(slice, 1'000, 1, 1'000, 1);
}

// A change of other functions or promises costs nobody a job: what was begun ends on it.
TEST(SchedBudget, AJobThatIsBegunGoesOnInAnothersPlace) {
    Box box({{.name = "a", .weight = 0}}, kPassesOn);
    const PrincipalId id = box.id("a");
    CpuScheduler before(box.principals, box.functions, box.usage, {}, {}, 0),
        after(box.principals, box.functions, box.usage, {}, {}, 0);
    SimPacket packet, other;
    begin(box, before, packet);
    after.reserve(id, kContract, 2'000);
    after.go_on(id, before, 2'000);
    before.withdraw(id, [&](Waiting& w) {
        EXPECT_EQ(after.post(w.invocation, {w.frames, 1}, 2'000), Refusal::kNone);
    });
    void* frame = &other;
    EXPECT_EQ(after.post({.function = Box::kFirst, .principal = id}, {&frame, 1}, 2'000),
              Refusal::kNone);
    Slice slice = after.next(2'000);
    ASSERT_EQ(slice.by, Slice::By::kReservation);
    EXPECT_EQ(slice.work->invocation.function, Box::kSecond);
    EXPECT_EQ(slice.deadline_ns, kMs) << "of the job that was begun";
    after.done(slice, 500, 1, 3'000);
    EXPECT_FALSE(after.next(4'000)) << "and no second budget";
    slice = after.next(100 * kUs);
    ASSERT_TRUE(slice);
    EXPECT_EQ(slice.deadline_ns, kMs + 100 * kUs);
}

// What was left of a job is for what was begun on it: where that is lost on the way nobody else has
// it, now or later.
TEST(SchedBudget, WhatIsLeftOfAJobIsNobodyElsesInAnothersPlace) {
    Box box({{.name = "a", .weight = 0}}, kPassesOn);
    const PrincipalId id = box.id("a");
    CpuScheduler before(box.principals, box.functions, box.usage, {}, {}, 0),
        after(box.principals, box.functions, box.usage, {}, {}, 0);
    SimPacket packet, other;
    begin(box, before, packet);
    after.reserve(id, kContract, 2'000);
    after.go_on(id, before, 2'000);
    void* frame = &other;  // of 500 cycles, as many as are left
    EXPECT_EQ(after.post({.function = Box::kSecond, .principal = id}, {&frame, 1}, 50 * kUs),
              Refusal::kNone);
    EXPECT_FALSE(after.next(50 * kUs));
    const Slice slice = after.next(100 * kUs);
    ASSERT_TRUE(slice);
    EXPECT_EQ(slice.deadline_ns, kMs + 100 * kUs);
}

// Late is counted where a packet ends, also in a function that could have passed it on.
TEST(SchedBudget, LatePacketsAreCountedWhereTheyEnd) {
    for (const unsigned handed_on : {0u, 1u}) {
        Box box({{.name = "a", .weight = 0}}, kPassesOn);
        SimPacket packet;
        void* frame = &packet;
        box.scheduler.reserve(box.id("a"), kContract, 0);
        ASSERT_EQ(
            box.scheduler.post({.function = Box::kFirst, .principal = box.id("a")}, {&frame, 1}, 0),
            Refusal::kNone);
        const Slice slice = box.scheduler.next(0);
        ASSERT_TRUE(slice);
        box.scheduler.done(slice, 1'000, 1, 2 * kMs, handed_on);
        EXPECT_EQ(box.usage.get(box.id("a"), Use::kMisses), 1 - handed_on);
    }
}

}  // namespace
}  // namespace ravelin::sched
