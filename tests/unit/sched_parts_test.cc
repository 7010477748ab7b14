// SPDX-License-Identifier: Apache-2.0
// What the schedulers are made of: principals, names, pace, timing wheel, reserved jobs; each
// against a plain model of itself where there is one.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "dataplane/sched/deadline_servers.h"
#include "dataplane/sched/invocation.h"
#include "dataplane/sched/name_service.h"
#include "dataplane/sched/pace.h"
#include "dataplane/sched/tallies.h"
#include "dataplane/sched/timing_wheel.h"
#include "tests/support/sched_table.h"

namespace ravelin::sched {
namespace {

std::string fault_of(const std::vector<PrincipalSpec>& specs) {
    const auto built = PrincipalTable::build(specs);
    return built.ok() ? "" : built.error().message;
}

TEST(SchedPrincipals, ANameMakesItsParents) {
    const PrincipalTable table = table_of({{.name = "org/web/static", .weight = 3}});
    const PrincipalId leaf = table.find("org/web/static");
    ASSERT_NE(leaf, kNoPrincipal);
    EXPECT_EQ(table[leaf].weight, 3u);
    EXPECT_EQ(table[leaf].parent, table.find("org/web"));
    EXPECT_EQ(table[table.find("org/web")].parent, table.find("org"));
    EXPECT_TRUE(table[table.find("org")].has_children);
    EXPECT_EQ(table.find("core"), kCorePrincipal);
    EXPECT_EQ(table.find("idle"), kIdlePrincipal);
    EXPECT_EQ(table.size(), kFirstPrincipal + 3);
}

TEST(SchedPrincipals, RefusesWhatCannotBe) {
    EXPECT_EQ(fault_of({{.name = "a"}, {.name = "a"}}),
              "principals[1]: name: 'a' is declared twice");
    EXPECT_NE(fault_of({{.name = ""}}).find("empty"), std::string::npos);
    EXPECT_NE(fault_of({{.name = "a//b"}}).find("a level of the name is empty"), std::string::npos);
    EXPECT_NE(fault_of({{.name = "a/b/c/d/e"}}).find("more than 4 levels"), std::string::npos);
    for (const char* own : {"core/x", "idle", "box", "others", "others/x"})
        EXPECT_NE(fault_of({{.name = own}}).find("the engine's own"), std::string::npos) << own;
    EXPECT_EQ(fault_of({{.name = "a/others"}, {.name = "boxes"}}), "");
    EXPECT_NE(fault_of({{.name = "a", .weight = 1001}}).find("at most 1000"), std::string::npos);
    EXPECT_EQ(fault_of({{.name = "a/b/c/d"}, {.name = "a", .weight = 0}}), "");
}

TEST(SchedPrincipals, IdsStayAndAreNotGivenAwayAtOnce) {
    const std::vector<PrincipalSpec> first{{.name = "a"}, {.name = "b"}, {.name = "c"}};
    const PrincipalTable one = table_of(first);
    const std::vector<PrincipalSpec> second{{.name = "d"}, {.name = "c"}, {.name = "a"}};
    const PrincipalTable two = std::move(*PrincipalTable::build(second, &one));
    EXPECT_EQ(two.find("a"), one.find("a"));
    EXPECT_EQ(two.find("c"), one.find("c"));
    EXPECT_EQ(two.find("b"), kNoPrincipal);
    EXPECT_NE(two.find("d"), one.find("b"));  // b's packets may still wait
    const std::vector<PrincipalSpec> third{{.name = "a"}, {.name = "e"}, {.name = "d"}};
    const PrincipalTable three = std::move(*PrincipalTable::build(third, &two));
    EXPECT_EQ(three.find("e"), one.find("b"));
    EXPECT_EQ(three.find("d"), two.find("d"));
    // Something is still counted under b.
    const auto held = [&](PrincipalId id) { return id == one.find("b"); };
    const PrincipalTable other = std::move(*PrincipalTable::build(third, &two, held));
    EXPECT_EQ(other.find("e"), PrincipalId{two.size()});
    // As is what a policy that was rolled back gave away behind the last.
    const auto lost = [&](PrincipalId id) { return id == PrincipalId{one.size()}; };
    const PrincipalTable behind = std::move(*PrincipalTable::build(second, &one, lost));
    EXPECT_EQ(behind.find("d"), PrincipalId{one.size() + 1});
}

class SchedTallies : public ::testing::Test {
  protected:
    static constexpr uint32_t kPrincipals = 1'000;
    SchedTallies() { tallies.reach(kPrincipals); }
    void add(uint32_t id, uint32_t bytes, unsigned packets = 1) {
        for (unsigned i = 0; i < packets; ++i) tallies.add(id, 1, bytes);
        true_packets[id] += packets;
        true_bytes[id] += uint64_t{bytes} * packets;
    }
    [[nodiscard]] uint64_t of(uint32_t id, Use use) const {
        return usage.get(PrincipalId{id}, use);
    }
    void expect_told() const {
        EXPECT_TRUE(tallies.empty());
        for (uint32_t id = 0; id < kPrincipals; ++id) {
            EXPECT_EQ(of(id, Use::kPackets), true_packets[id]) << id;
            EXPECT_EQ(of(id, Use::kBytes), true_bytes[id]) << id;
        }
    }
    Usage usage{kPrincipals};
    Tallies tallies{kPrincipals};
    std::vector<uint64_t> true_packets = std::vector<uint64_t>(kPrincipals),
                          true_bytes = std::vector<uint64_t>(kPrincipals);
};

TEST_F(SchedTallies, EachIsToldOfItsOwnHoweverManyAndWheneverTheyCome) {
    std::mt19937_64 random{11};
    uint64_t cycles = 0;
    for (unsigned turn = 0; turn < 5'000; ++turn) {
        const auto below = static_cast<uint32_t>(1 + random() % kPrincipals);
        std::vector<uint32_t> whom(random() % 65), bytes(whom.size());
        for (size_t i = 0; i < whom.size(); ++i) {
            whom[i] = static_cast<uint32_t>(random() % below);
            bytes[i] = static_cast<uint32_t>(random() % 65'536);
            ++true_packets[whom[i]];
            true_bytes[whom[i]] += bytes[i];
        }
        const auto n = static_cast<uint32_t>(whom.size());
        tallies.add_each(whom.data(), bytes.data(), n);
        add(below - 1, 1'500, 3);
        const uint64_t took = random() % 1'000'000;
        tallies.took(took, n + 3);
        cycles += took;
        tallies.tell(static_cast<uint32_t>(random() % 4), usage);
        if (random() % 100 == 0) tallies.tell_all(usage);
    }
    tallies.tell_all(usage);
    expect_told();
    EXPECT_EQ(usage.sum(Use::kCycles), cycles);
    EXPECT_EQ(usage.sum(Use::kDrops), 0u);
}

TEST_F(SchedTallies, ARoundTellsEverybody) {
    for (uint32_t id = 0; id < kPrincipals; ++id) add(id, 100);
    tallies.took(1'000 * kPrincipals, kPrincipals);
    constexpr unsigned kRows = kPrincipals / Tallies::kRow;
    tallies.tell(2, usage);
    EXPECT_EQ(usage.sum(Use::kPackets), 2 * Tallies::kRow);
    for (unsigned i = 2; i < kRows; ++i) tallies.tell(1, usage);
    expect_told();
    for (uint32_t id = 0; id < kPrincipals; ++id) EXPECT_EQ(of(id, Use::kCycles), 1'000u) << id;
}

// By the mean of what nobody was told of yet: who is told late pays no more for it.
TEST_F(SchedTallies, CyclesFollowPackets) {
    std::mt19937_64 random{5};
    uint64_t cycles = 0;
    for (unsigned turn = 0; turn < 50'000; ++turn) {
        add(7, 60, 10);
        add(900, 60, 30);
        const uint64_t took = random() % 5 == 0 ? 8'000 : 4'000;
        tallies.took(took, 40);
        cycles += took;
        tallies.tell(1, usage);
    }
    tallies.tell_all(usage);
    expect_told();
    EXPECT_NEAR(double(of(900, Use::kCycles)) / double(of(7, Use::kCycles)), 3, 0.06);
    EXPECT_EQ(usage.sum(Use::kCycles), cycles);
}

TEST_F(SchedTallies, OfDroppedPacketsDropsAreTold) {
    Tallies dropped{kPrincipals, true};
    dropped.reach(kPrincipals);
    for (const uint32_t id : {3u, 999u, 3u}) dropped.add(id, 1, 60);
    dropped.took(300, 3);
    dropped.tell_all(usage);
    EXPECT_EQ(of(3, Use::kDrops), 2u);
    EXPECT_EQ(of(3, Use::kPackets), 2u);
    EXPECT_EQ(of(999, Use::kDrops), 1u);
    EXPECT_EQ(of(999, Use::kCycles), 100u);
}

// As many as one principal may have in a round, of the largest packets.
TEST_F(SchedTallies, AWordHoldsARoundHoweverManyThereCanBe) {
    Usage all(kMaxPrincipals);
    Tallies largest(kMaxPrincipals);
    for (const uint32_t principals : {2u, 1'000u, 5'000u, kMaxPrincipals}) {
        largest.reach(principals);
        const uint32_t n = largest.packets_a_row(), last = principals - 1;
        uint64_t packets = 0;
        while (all.get(PrincipalId{last}, Use::kPackets) == 0) {
            largest.add(last, n, uint64_t{n} * 65'536);
            largest.took(1, n);
            largest.tell(1, all);
            packets += n;
        }
        EXPECT_LE(packets, 2 * Tallies::kRound);
        EXPECT_EQ(all.get(PrincipalId{last}, Use::kPackets), packets);
        EXPECT_EQ(all.get(PrincipalId{last}, Use::kBytes), packets * 65'536);
        largest.tell_all(all);
    }
}

TEST(SchedNames, AReferenceOfAnUnloadedFunctionIsStaleForGood) {
    NameService names(std::vector<Permission>{{.principal = "org", .function = "shared"}});
    FunctionTable table;
    struct Nothing final : Function {
        unsigned run(const Invocation&, std::span<void* const>,
                     FunctionContext&) noexcept override {
            return 0;
        }
    } nothing;
    const FunctionRef old = *names.load("shared/f");
    EXPECT_TRUE(table.load(old, &nothing, {}));
    EXPECT_FALSE(table.load(old, &nothing, {}));
    EXPECT_TRUE(table.knows(old));
    EXPECT_TRUE(names.unload(old).ok());
    table.unload(old);
    EXPECT_FALSE(table.knows(old));
    EXPECT_FALSE(names.resolve("shared/f", "org/web").ok());
    const FunctionRef young = *names.load("shared/f");
    EXPECT_EQ(young.slot, old.slot);  // the same place
    EXPECT_TRUE(table.load(young, &nothing, {}));
    EXPECT_TRUE(table.knows(young));
    EXPECT_FALSE(table.knows(old));
    EXPECT_FALSE(names.unload(old).ok());
    EXPECT_FALSE(names.rebind("g", old).ok());
    EXPECT_EQ(*names.resolve("shared/f", "org/web"), young);
}

TEST(SchedNames, ResolvingIsSubjectToPermission) {
    NameService names(
        std::vector<Permission>{{.principal = "org/guest", .function = "", .allow = false},
                                {.principal = "org", .function = "shared"}});
    const FunctionRef shared = *names.load("shared/f"), own = *names.load("org/f");
    EXPECT_EQ(*names.resolve("shared/f", "org/web"), shared);
    EXPECT_EQ(*names.resolve("org/f", "org"), own);
    EXPECT_FALSE(names.resolve("org/f", "org/web").ok());  // not under its own name
    EXPECT_FALSE(names.resolve("shared/f", "organic").ok());
    EXPECT_FALSE(names.resolve("shared/f", "org/guest").ok());
    // Whether it exists is not said either.
    EXPECT_EQ(names.resolve("other", "org/guest").error().message,
              "function 'other': not permitted to 'org/guest'");
    EXPECT_FALSE(names.load("org/f").ok());
    EXPECT_TRUE(names.rebind("org/f", shared).ok());
    EXPECT_EQ(*names.resolve("org/f", "org"), shared);
}

TEST(SchedPace, IsExactInTheLongRun) {
    Pace pace(3'333'333, 0);  // 300.00003 ns a unit
    uint64_t now = 0;
    for (int i = 0; i < 1'000'000; ++i) {
        pace.take(now, 7);
        now = pace.busy_until();
    }
    const double ideal = 7e6 * 1e9 / 3'333'333;
    EXPECT_NEAR(static_cast<double>(now), ideal, 2.0 + ideal * 1e-9);
    EXPECT_GE(static_cast<double>(now) + 1, ideal);  // never above the rate
}

TEST(SchedPace, LetsABurstThroughAfterAPauseAndNoMore) {
    Pace pace(1'000'000, 4);  // a unit a us
    EXPECT_TRUE(pace.limited());
    EXPECT_FALSE(Pace().limited());
    unsigned went = 0;
    for (uint64_t now = 1'000'000; pace.ready_at() <= now && went < 100; ++went) pace.take(now, 1);
    EXPECT_EQ(went, 5u);  // four, and the one that is being paid for
    EXPECT_EQ(pace.ready_at(), 1'001'000u);
}

TEST(SchedWheel, ExpiresLikeASortedListAtAnyDistance) {
    constexpr uint32_t kEntries = 500;
    constexpr uint64_t kTick = 1 << TimingWheel::kTickLog2;
    std::mt19937_64 rng(1);
    uint64_t now = 123'456'789'012;
    TimingWheel wheel(kEntries, now);
    std::map<uint32_t, uint64_t> model;
    for (int step = 0; step < 200'000; ++step) {
        const auto entry = static_cast<uint32_t>(rng() % kEntries);
        if (rng() % 4 == 0) {
            wheel.cancel(entry);
            model.erase(entry);
        } else if (!wheel.waits(entry)) {
            const uint64_t distance = rng() % (uint64_t{1} << (rng() % 36));  // up to a minute
            wheel.add(entry, now + distance);
            model[entry] = now + distance;
        }
        ASSERT_EQ(wheel.waiting(), model.size());
        uint64_t first = UINT64_MAX;
        for (const auto& [_, when] : model) first = std::min(first, when);
        if (first != UINT64_MAX) {
            ASSERT_LE(wheel.next_ns(), std::max(first + kTick, now + 2 * kTick));
        }
        if (rng() % 8 != 0) continue;
        now += rng() % (uint64_t{1} << (rng() % 34));
        const auto most = static_cast<unsigned>(rng() % 2 == 0 ? 3 : UINT32_MAX);
        const unsigned n = wheel.advance(now, most, [&](uint32_t e) {
            ASSERT_TRUE(model.contains(e));
            EXPECT_LE(model[e], now) << "early";
            model.erase(e);
        });
        if (n < most) {
            for (const auto& [e, when] : model) {
                ASSERT_GT(when + kTick, now - now % kTick) << "late: " << e;
            }
        }
    }
}

// ---- reserved jobs: 100 units, every 1,000 ns, due 400 ns after ----

class SchedServers : public testing::Test {
  protected:
    SchedServers() { servers.set(p, {.work = 100, .period_ns = 1000, .deadline_ns = 400}, 0); }
    /// A packet comes at 0 and has its turn.
    void begin() {
        servers.arm(p, 0, 1, 0);
        ASSERT_EQ(servers.earliest(0).principal, p);
    }
    DeadlineServers servers{4};
    const PrincipalId p{2};
};

TEST_F(SchedServers, ReleaseJobsOnePeriodApart) {
    servers.arm(p, 50, 1, 50);
    auto turn = servers.earliest(50);
    EXPECT_EQ(turn.principal, p);
    EXPECT_EQ(turn.release_ns, 50u);
    EXPECT_EQ(turn.deadline_ns, 450u);
    EXPECT_EQ(turn.budget, 100u);
    EXPECT_EQ(servers.spend(p, 100), 0u);
    servers.arm(p, 60, 1, 70);  // too early
    EXPECT_EQ(servers.earliest(1049).principal, kNoPrincipal);
    EXPECT_EQ(servers.next_ns(), 1050u);
    EXPECT_EQ(servers.earliest(1050).deadline_ns, 1450u);
}

TEST_F(SchedServers, ChargeAnOverrunAsManyJobs) {
    begin();
    EXPECT_EQ(servers.spend(p, 1'950), 50u);  // twenty jobs, half of the last unused
    servers.keep(p);                          // that one is released at 19,000
    EXPECT_EQ(servers.jobs_in_a_row(servers.earliest(1'950), 32, 1'950), 1u);
    servers.arm(p, 0, 1, 1'950);
    EXPECT_EQ(servers.next_ns(), 20'000u);
    // Known before: one job that is twenty, due with the last.
    servers.arm(p, 0, 20, 20'000);
    const auto turn = servers.earliest(20'000);
    EXPECT_EQ(turn.deadline_ns, 20'000u + 19 * 1000 + 400);
    EXPECT_EQ(turn.budget, 2000u);
}

TEST_F(SchedServers, LetWhatWaitsUseWhatIsLeft) {
    begin();
    EXPECT_EQ(servers.spend(p, 60), 40u);
    servers.keep(p);
    EXPECT_EQ(servers.earliest(60).budget, 40u);
    EXPECT_EQ(servers.earliest(60).deadline_ns, 400u);
    EXPECT_EQ(servers.spend(p, 40), 0u);
    servers.arm(p, 0, 1, 100);
    EXPECT_EQ(servers.next_ns(), 1000u);
}

TEST_F(SchedServers, ARenewedContractIsNoSecondBudget) {
    begin();
    servers.spend(p, 100);
    servers.set(p, {.work = 100, .period_ns = 500, .deadline_ns = 400}, 100);
    servers.arm(p, 100, 1, 100);
    EXPECT_EQ(servers.next_ns(), 1000u);
    servers.set(p, {}, 200);
    EXPECT_FALSE(servers.admitted(p));
    EXPECT_EQ(servers.earliest(5000).principal, kNoPrincipal);
}

// Three packets come at 3,000 that were to come at 0, 1,000 and 2,000, then others as reserved.
TEST_F(SchedServers, MakeGoodWhatWasHeldUpWhereNothingIsPending) {
    for (const uint64_t due : {0u, 1'000u, 2'000u}) {
        servers.arm(p, 3'000, 1, 3'010 + due / 100, due);
        const auto turn = servers.earliest(3'010 + due / 100);
        ASSERT_EQ(turn.principal, p) << due;
        EXPECT_EQ(turn.release_ns, due == 0 ? 3'000 : 3'010 + due / 100);
        EXPECT_EQ(turn.deadline_ns, turn.release_ns + 400) << "in which others count with it";
        servers.spend(p, 100);
    }
    servers.arm(p, 3'100, 1, 3'100);
    EXPECT_EQ(servers.earliest(3'100).release_ns, 3'100u);
    servers.spend(p, 100);
    servers.arm(p, 3'200, 1, 3'200);  // too early
    EXPECT_EQ(servers.earliest(4'099).principal, kNoPrincipal) << "more than is reserved";
    EXPECT_EQ(servers.next_ns(), 4'100u);
}

// Nor is what was charged made good: a job goes on in three turns, of which one overruns.
TEST_F(SchedServers, MakeNoChargeGood) {
    begin();
    EXPECT_EQ(servers.spend(p, 60), 40u);
    servers.keep(p);
    EXPECT_EQ(servers.spend(p, 100), 40u);  // of a second job
    servers.keep(p);
    EXPECT_EQ(servers.spend(p, 40), 0u);
    servers.arm(p, 0, 1, 200);
    EXPECT_EQ(servers.earliest(1'999).principal, kNoPrincipal);
    EXPECT_EQ(servers.next_ns(), 2'000u);
}

TEST_F(SchedServers, MakeNothingGoodWhileAnythingIsPending) {
    const PrincipalId q{3};
    servers.set(q, {.work = 100, .period_ns = 50'000, .deadline_ns = 50'000}, 0);
    servers.arm(p, 3'000, 1, 3'000, 0);
    ASSERT_EQ(servers.earliest(3'000).principal, p);
    servers.spend(p, 100);
    servers.arm(p, 3'000, 1, 3'010, 1'000);
    servers.arm(q, 3'010, 1, 3'010);
    EXPECT_EQ(servers.next_ns(), 4'000u);
    EXPECT_EQ(servers.earliest(3'999).principal, q) << "of which this would not be the demand";
    servers.spend(q, 100);
    EXPECT_EQ(servers.next_ns(), 1'000u);
    EXPECT_EQ(servers.earliest(3'999).release_ns, 3'999u);
    servers.disarm(p);
    EXPECT_EQ(servers.earliest(9'000).principal, kNoPrincipal);
}

TEST(SchedHeap, IsASortedListThatForgetsOnDemand) {
    constexpr uint32_t kIds = 300;
    DeadlineHeap heap(kIds);
    std::set<std::pair<uint64_t, uint32_t>> model;
    std::vector<uint64_t> keys(kIds);
    std::mt19937_64 rng(2);
    for (int step = 0; step < 100'000; ++step) {
        const auto id = static_cast<uint32_t>(rng() % kIds);
        if (heap.holds(id)) {
            heap.remove(id);
            model.erase({keys[id], id});
        } else {
            keys[id] = rng() % 1000;
            heap.push(id, keys[id]);
            model.insert({keys[id], id});
        }
        ASSERT_EQ(heap.empty(), model.empty());
        if (model.empty()) continue;
        ASSERT_EQ(heap.top_key(), model.begin()->first);
        ASSERT_EQ(heap.second_key(),
                  model.size() == 1 ? UINT64_MAX : std::next(model.begin())->first);
    }
}

}  // namespace
}  // namespace ravelin::sched
