// SPDX-License-Identifier: Apache-2.0
// Cycles that admission granted to functions one behind the other are there when they are due: a
// packet's functions run on one budget, due counted from when it came to the first. Executed by a
// worker in virtual time, as in kept_cycles_test.
#include <gtest/gtest.h>

#include <random>

#include "tests/support/kept_set.h"

namespace ravelin::test {
namespace {

using sched::Use;

constexpr unsigned kOthers = 10;
const Crowd kCrowd{.weight = kHeavy};

class KeptChainsTest : public ::testing::TestWithParam<unsigned> {};

TEST_P(KeptChainsTest, WhatWasGrantedIsKeptWhateverOthersDo) {
    test_eal();  // before it nobody knows how fast the counter counts
    std::mt19937_64 random(GetParam());
    const std::vector<Wish> wishes = fill(
        random, {.least_cycles = 1'500, .most_cycles = 30'000, .most = 15, .most_hops = 4}, kCrowd);
    ASSERT_GE(wishes.size(), 4u);
    TurnedBox box(isolated_yaml(wishes, kCrowd));
    Load load(box);
    add_wishes(load, wishes);
    add_others(load, 0, kOthers, 8'000);
    add_flood(load);
    load.run(kRun);
    for (size_t i = 0; i < wishes.size(); ++i) expect_kept(box, load, wishes, i);
    EXPECT_GT(box.charged("o1", Use::kDrops), 0u) << "there was more than could be done";
}
INSTANTIATE_TEST_SUITE_P(Seeds, KeptChainsTest, ::testing::Range(1u, 9u));

// The k-th of packets that come together is due k periods later than the first, through all of its
// functions.
TEST(KeptChains, PacketsThatComeTogetherAreDueOneAfterTheOther) {
    test_eal();
    const std::vector<Wish> wishes{
        {.cycles = 9'000, .rate = 2'000, .deadline_us = 1'500, .hops = 3}};
    constexpr unsigned kTogether = 6;
    TurnedBox box(isolated_yaml(wishes, kCrowd));
    Load load(box);
    load.add("10.1.0.1", kTogether * 500'000 + 1, kTogether);
    add_others(load, 0, kOthers, 5'000);
    load.run(kRun);
    EXPECT_EQ(box.invoked("v0", Use::kMisses), 0u);
    EXPECT_EQ(box.charged("v0", Use::kDrops), 0u);
    EXPECT_LE(load.seen(0).longest_ns, (kTogether - 1) * 500'000 + 1'500'000 + allowance());
    EXPECT_GE(load.seen(0).left, load.seen(0).sent - kTogether);
}

// Whose second function takes a fifth more than was stated pays with its own budget: what does not
// fit in a job takes another whole one.
TEST(KeptChains, WhoOverrunsInALaterFunctionHurtsNobody) {
    test_eal();
    std::vector<Wish> wishes{{.cycles = 6'000, .rate = 5'000, .deadline_us = 2'000, .hops = 2},
                             {.cycles = 6'000, .rate = 5'000, .deadline_us = 2'000, .hops = 2}};
    std::string text = isolated_yaml(wishes, kCrowd);
    let_burn(text, "f1-1", 3'600);
    TurnedBox box(text);
    Load load(box);
    load.add("10.1.0.1", 200'000);
    load.add("10.1.1.1", 20'000);  // ten times as many as it reserved
    add_others(load, 1, kOthers, 5'000);
    load.run(kRun);
    expect_kept(box, load, wishes, 0);
    const auto cycles = [&](const char* name) {
        return static_cast<double>(box.invoked(name, Use::kCycles));
    };
    const double reserved = 6'000.0 * 5'000 * kRun / 1e9;
    EXPECT_GE(cycles("v1"), reserved / 2);
    EXPECT_LE(cycles("v1"), reserved + 1.1 * cycles("o1"));
}

// Nearly all is granted, and what is around a run takes nearly what is counted for it: who waits,
// waits for long.
const Crowd kFull{.weight = kHeavy, .core = "{cpu: 5, burst: 50us}"};
constexpr uint64_t kFullTurn = 2'700;
uint64_t full_allowance() { return allowance() + TurnedTime::ns_of(4 * kFullTurn); }
/// A set at random beside v0, whose budget s and t share; each of the three sends a third of its
/// rate. s's only function is v0's second, and is wanted within a tenth of the deadline; t goes
/// through two of its own.
struct Shared {
    std::vector<Wish> wishes;
    std::string yaml;
};
constexpr uint64_t kRate = 6'000, kDeadlineUs = 3'000;
void put_behind(std::string& text, std::string_view what, std::string_view more) {
    const size_t at = text.find(what);
    ASSERT_NE(at, text.npos) << what;
    text.insert(at + what.size(), more);
}
Shared shared_set(unsigned seed, const Crowd& crowd = kFull, uint64_t bytes = 0) {
    std::mt19937_64 random(seed);
    Shared out;
    out.wishes = {{.cycles = 9'000,
                   .rate = kRate,
                   .deadline_us = kDeadlineUs,
                   .bytes = bytes,
                   .hops = 2,
                   .uneven = seed % 2 == 0}};
    EXPECT_TRUE(granted(out.wishes, crowd));
    out.wishes = fill(random,
                      {.least_cycles = 15'000,
                       .most_cycles = 40'000,
                       .least_rate = 2'500,
                       .most_rate = 5'000,
                       .least_us = 2'500,
                       .most_us = 3'500,
                       .most = 40,
                       .most_hops = 2},
                      crowd, out.wishes);
    out.yaml = isolated_yaml(out.wishes, crowd);
    const std::string out_of =
        bytes == 0 ? "" : fmt::format(", out: wan shared-with v0, bytes: {}B", bytes);
    put_behind(out.yaml, "name: f0-1",
               fmt::format(", deadline: {}us, drop-late: false", kDeadlineUs / 10));
    put_behind(out.yaml, "functions: [",
               "{name: t0, burn: {cycles: 4900}, work: 5000, max-run: 20us, next: t1}, "
               "{name: t1, burn: {cycles: 1900}, work: 2000, max-run: 20us}, ");
    put_behind(out.yaml, "principals: [",
               "{name: s, prefixes: 10.3.0.0/24, function: f0-1}, "
               "{name: t, prefixes: 10.3.1.0/24, function: t0}, ");
    for (const char* name : {"s", "t"})
        put_behind(out.yaml, "reservations:\n",
                   fmt::format("  - {{name: of-{0}, principal: {0}, cpu: shared-with v0, rate: "
                               "{1}pps, deadline: {2}us{3}}}\n",
                               name, kRate / 3, kDeadlineUs, out_of));
    return out;
}
/// v0 is the first host, s and t the next: a period after each other, so that together they keep to
/// the contract. Then the others of the set, and the crowd.
void add_hosts(Load& load, const Shared& set) {
    constexpr uint64_t kPeriod = 1'000'000'000 / kRate + 1;
    for (const char* host : {"10.1.0.1", "10.3.0.1", "10.3.1.1"}) {
        load.add(host, 3 * kPeriod);
        load.run(kPeriod);
    }
    add_wishes(load, set.wishes, 1);
    add_others(load, 0, kOthers, 40'000);
}
void expect_in_time(const Load& load, const Shared& set) {
    for (size_t i = 0; i < set.wishes.size() + 2; ++i) {
        const Load::Seen seen = load.seen(i);
        const Wish& wish = set.wishes[i < 3 ? 0 : i - 2];
        SCOPED_TRACE(fmt::format("host {}: {} us", i, wish.deadline_us));
        EXPECT_GE(seen.left + 2 + wish.rate * wish.deadline_us / 1'000'000, seen.sent);
        EXPECT_LE(seen.longest_ns, wish.deadline_us * 1'000 + full_allowance());
    }
}

class SharedChainsTest : public ::testing::TestWithParam<unsigned> {};

// Whoever of those that share sends: while together they keep to the contract each packet is done
// in time, in order, and nothing comes between two functions of a packet.
TEST_P(SharedChainsTest, ABudgetIsKeptForAllThatShareIt) {
    test_eal();
    const Shared set = shared_set(GetParam());
    TurnedBox box(set.yaml);
    Load load(box, kFullTurn);
    add_hosts(load, set);
    load.run(kRun);
    expect_in_time(load, set);
    for (size_t i = 0; i < set.wishes.size(); ++i)
        EXPECT_EQ(box.invoked(fmt::format("v{}", i), Use::kMisses), 0u);
    for (const char* name : {"v0", "s", "t"}) EXPECT_EQ(box.charged(name, Use::kDrops), 0u);
}

// The port is full besides: who has the cycles and the bytes of another comes to its queue there in
// the order of arrivals, however long all of them were held up before.
TEST_P(SharedChainsTest, CyclesAndBytesOfAnotherAreKeptTogether) {
    test_eal();
    Crowd crowd = kFull;
    crowd.wan = 100'000'000;
    const Shared set = shared_set(GetParam(), crowd, 100);
    TurnedBox box(set.yaml);
    Load load(box, kFullTurn);
    add_hosts(load, set);
    load.add("172.16.0.1", 10'000, 2);  // more than the port takes
    load.run(kRun);
    for (const size_t host : {0u, 1u, 2u}) {
        EXPECT_LE(load.seen(host).longest_ns, kDeadlineUs * 1'000 + full_allowance());
        EXPECT_GE(load.seen(host).left + kRate * kDeadlineUs / 1'000'000, load.seen(host).sent);
    }
    const Load::Seen flood = load.seen(set.wishes.size() + 2 + kOthers);
    EXPECT_LT(flood.left + 5'000, flood.sent) << "the port is full";
}

/// Whether some packet is between two functions of its own.
bool is_begun(const TurnedBox& box, const Shared& set) {
    const Functions& all = *box.policy().functions;
    const auto packets = [&](const std::string& name) {
        const auto spec = std::ranges::find(all.list, name, &FunctionSpec::name);
        return all.workers.front()->use_of(spec->ref).packets;
    };
    for (size_t i = 1; i < set.wishes.size(); ++i)
        if (set.wishes[i].hops == 2 &&
            packets(fmt::format("f{}", i)) != packets(fmt::format("f{}-1", i)))
            return true;
    return false;
}

// The policy changes again and again, often between two functions of some packet, and leaves these
// reservations alone.
TEST_P(SharedChainsTest, AChangeOfOthersLeavesBegunChainsAlone) {
    test_eal();
    const Shared set = shared_set(GetParam());
    TurnedBox box(set.yaml);
    Load load(box, kFullTurn);
    add_hosts(load, set);
    std::string other = set.yaml;
    put_behind(other, "principals: [", "{name: new, prefixes: 10.4.0.0/24, weight: 3}, ");
    unsigned begun = 0;
    for (unsigned i = 0; i < 150; ++i) {
        load.run(kRun / 200 + i * 1'000);
        begun += is_begun(box, set) ? 1 : 0;
        box.apply(i % 2 == 0 ? other : set.yaml);
    }
    expect_in_time(load, set);
    EXPECT_GE(begun, 20u);
}
INSTANTIATE_TEST_SUITE_P(Seeds, SharedChainsTest, ::testing::Range(1u, 5u));

// s has a long queue when it comes to share what v0 has: it waits on where it is.
TEST(KeptChains, WhatWaitsOfWhoComesToShareDelaysNobody) {
    test_eal();
    const Shared set = shared_set(5);
    std::string alone = set.yaml;
    const size_t from = alone.find("  - {name: of-s");
    ASSERT_NE(from, alone.npos);
    alone.erase(from, alone.find('\n', from) + 1 - from);
    TurnedBox box(alone);
    Load load(box, kFullTurn);
    add_hosts(load, set);
    load.add("10.3.0.9", 1'000'000'000, 100);
    load.run(1'000'000);
    box.apply(set.yaml);
    load.run(kRun);
    for (const size_t host : {0u, 2u})
        EXPECT_LE(load.seen(host).longest_ns, kDeadlineUs * 1'000 + full_allowance());
    for (size_t i = 0; i < set.wishes.size(); ++i)
        EXPECT_EQ(box.invoked(fmt::format("v{}", i), Use::kMisses), 0u);
}

// Who sends far beyond its rate what costs little of what it reserved runs many packets on a job,
// and pays for what is around each.
TEST(KeptChains, ManySmallPacketsBeyondTheRateHurtNobody) {
    test_eal();
    std::vector<Wish> wishes{{.cycles = 6'000, .rate = 5'000, .deadline_us = 700, .hops = 2},
                             {.cycles = 20'000, .rate = 10'000, .deadline_us = 2'000, .hops = 2}};
    std::string text = isolated_yaml(wishes, kCrowd);
    for (const char* hop : {"f1", "f1-1"}) let_burn(text, hop, 50);
    TurnedBox box(text);
    Load load(box);
    load.add("10.1.0.1", 200'000);
    load.add("10.1.1.1", 2'000);  // fifty times as many as it reserved
    add_others(load, 1, kOthers, 5'000);
    load.run(kRun);
    expect_kept(box, load, wishes, 0);
    EXPECT_GT(load.seen(1).left, 2 * kRun / 100'000) << "of which it runs more than it reserved";
}

}  // namespace
}  // namespace ravelin::test
