// SPDX-License-Identifier: Apache-2.0
// One reading of the clock a turn against what every packet really took, by a clock of the test's
// own: a turn of flows that take the shortcut, packets that a stage drops and packets that come
// through all stages. perf/run accounts has the same of the real path and the real clock.
#include "dataplane/account.h"

#include <gtest/gtest.h>

#include "tests/support/sched_table.h"
#include "tests/unit/account_support.h"

namespace ravelin::test {
namespace {

class AccountTest : public ::testing::Test {
  protected:
    Turns turns;
    uint64_t opened = 0;
    static Principals declared(size_t n) {
        Principals out;
        out.table = sched::table_of(n);
        return out;
    }
    void SetUp() override {
        now = 1'000'000;
        turns.account.open();
        opened = turns.account.charged_until();
        turns.account.follow(principals_, 0);  // core's
    }
    /// As many turns without packets as it takes to tell everybody.
    void settle() {
        for (unsigned i = 0; i < 4; ++i) turns.idle(100);
    }
    [[nodiscard]] uint64_t used(uint32_t id, Use use) const {
        return turns.account.usage().get(PrincipalId{id}, use);
    }
    unsigned any(unsigned below) { return static_cast<unsigned>(random_() % below); }
    void expect_all_owned() {
        settle();
        EXPECT_EQ(turns.account.usage().sum(Use::kCycles), turns.account.charged_until() - opened);
    }

    static constexpr unsigned kIds = 1'100;

  private:
    const Principals principals_ = declared(kIds);
    std::mt19937_64 random_{3};
};

TEST_F(AccountTest, TurnsOfAllKindsAreWithinFivePercent) {
    for (unsigned i = 0; i < 60'000; ++i) turns.run(any(33), any(16), any(16), any(2) == 0);
    expect_all_owned();
    EXPECT_LT(turns.worst(), 0.05);
}

TEST_F(AccountTest, TurnsOfOneKindTeachWhatMixedOnesDivideBy) {
    for (unsigned i = 0; i < 10'000; ++i) {
        turns.run(32, 0, 0);
        turns.run(0, 16, 0);
    }
    settle();
    const double alone = turns.worst();
    for (unsigned i = 0; i < 60'000; ++i) turns.run(32, 16, 0);
    expect_all_owned();
    EXPECT_LT(alone, 0.05);
    EXPECT_LT(turns.worst(), 0.05);
}

// What was taken away is somebody's as well, though nobody's doing.
TEST_F(AccountTest, AStallTeachesNothing) {
    turns.run(32, 0, 0);
    turns.stalls = true;
    for (unsigned i = 0; i < 20'000; ++i) turns.run(any(33), any(16), any(16));
    turns.stalls = false;
    settle();
    const Turns::Charges before = turns.charges();
    turns.truth.clear();
    for (unsigned i = 0; i < 20'000; ++i) turns.run(any(33), any(16), any(16));
    expect_all_owned();
    EXPECT_LT(turns.worst(before), 0.05);
}

TEST_F(AccountTest, WhatIsShedIsCores) {
    constexpr double kShedding = 90;
    for (unsigned i = 0; i < 20'000; ++i) turns.run(0, 0, 1, false, 60, kShedding);
    expect_all_owned();
    EXPECT_LT(turns.worst(), 0.05);
    EXPECT_GT(turns.charged(sched::kCorePrincipal), 20'000 * 60 * kShedding);
    EXPECT_EQ(turns.account.usage().get(sched::kCorePrincipal, Use::kDrops), 20'000u * 60);
}

TEST_F(AccountTest, TurnsThatAreAllTimedAreCloser) {
    turns.account.time_every_turn(true);
    for (unsigned i = 0; i < 60'000; ++i) turns.run(any(33), any(16), any(16));
    expect_all_owned();
    EXPECT_LT(turns.worst(), 0.02);
}

TEST_F(AccountTest, CountsPacketsBytesAndDropsOnce) {
    for (unsigned i = 0; i < 1000; ++i) turns.run(31, 5, 7, true);
    settle();
    const sched::Usage& usage = turns.account.usage();
    EXPECT_EQ(usage.get(kTalker, Use::kPackets), 16'000u);
    EXPECT_EQ(usage.get(kOther, Use::kPackets), 15'000u);
    EXPECT_EQ(usage.get(kOther, Use::kBytes), 15'000u * kL3);
    EXPECT_EQ(usage.get(kDenied, Use::kPackets), 5'000u);
    EXPECT_EQ(usage.get(kDenied, Use::kDrops), 5'000u);
    EXPECT_EQ(usage.get(kFresh, Use::kBytes), 7'000u * kL3);
    EXPECT_EQ(usage.get(kFresh, Use::kDrops), 0u);
    expect_all_owned();
}

// Of one principal, of few in any order, of as many as there are packets: the same.
TEST_F(AccountTest, HoweverPrincipalsMixEachHasItsOwn) {
    std::map<uint32_t, std::pair<uint64_t, uint64_t>> sent;  // packets, bytes
    rte_mbuf frame{};
    for (unsigned turn = 0; turn < 4'000; ++turn) {
        const bool even = any(2) == 0;
        for (unsigned calls = 1 + any(3); calls != 0; --calls) {
            const unsigned principals = std::array{1, 2, 3, 4, 6, 8, 30, 1'000}[any(8)];
            const uint32_t first = 2 + any(20);
            Leaving leaving;
            for (unsigned n = 1 + any(limits::kArrivals); n != 0; --n) {
                const uint32_t id = first + any(principals), bytes = even ? kL3 : 20 + any(1'480);
                leaving.add(&frame, id, bytes);
                sent[id].first += 1;
                sent[id].second += bytes;
            }
            const auto kind = any(4) == 0 ? Account::kByExpress : Account::kByShortcut;
            turns.leave(kind, leaving);
        }
        now += 10'000;
        turns.account.close(true);
    }
    settle();
    for (const auto& [id, count] : sent) {
        EXPECT_EQ(used(id, Use::kPackets), count.first) << id;
        EXPECT_EQ(used(id, Use::kBytes), count.second) << id;
    }
    expect_all_owned();
}

// Those of one turn pay the same for a packet each, whoever else is in it.
TEST_F(AccountTest, PacketsOfATurnPayAlikeWhoeverTheyAre) {
    rte_mbuf frame{};
    Leaving leaving;
    for (unsigned i = 0; i < 48; ++i) leaving.add(&frame, i % 3 == 0 ? 100 + i : 50, kL3);
    turns.leave(Account::kByShortcut, leaving);
    now += 48'000;
    turns.account.close(true);
    settle();
    const double each = turns.charged(PrincipalId{103});
    EXPECT_NEAR(each, 1'000, 10);
    EXPECT_NEAR(turns.charged(PrincipalId{50}) / (32 * each), 1, 0.001 + 48 / (32 * each));
    expect_all_owned();
}

// Turns of one principal are its own, whatever those of others take; of others it is the mean.
TEST_F(AccountTest, WhatATurnOfOneTakesIsItsOwn) {
    rte_mbuf frame{};
    const auto turn = [&](std::initializer_list<uint32_t> ids, uint64_t cycles) {
        for (const uint32_t id : ids) {
            Leaving leaving;
            for (unsigned i = 0; i < 32; ++i) leaving.add(&frame, id, kL3);
            turns.leave(Account::kByShortcut, leaving);
        }
        now += cycles;
        turns.account.close(true);
    };
    for (unsigned i = 0; i < 1'000; ++i) {
        turn({700}, 32 * 50);
        turn({701, 701}, 64 * 400);
        turn({702, 703}, 64 * 100);
        turns.account.drop(PrincipalId{704}, kL3);
        now += 900;
        turns.account.close(true);
    }
    settle();
    const std::map<uint32_t, double> took{
        {700, 50}, {701, 400}, {702, 100}, {703, 100}, {704, 900}};
    for (const auto& [id, each] : took) {
        const auto packets = static_cast<double>(used(id, Use::kPackets));
        EXPECT_NEAR(turns.charged(PrincipalId{id}) / (each * packets), 1, 0.03) << id;
    }
    EXPECT_EQ(used(701, Use::kPackets), 64'000u);
    EXPECT_EQ(used(704, Use::kDrops), 1'000u);
    expect_all_owned();
}

// While turns have packets of one kind and principal alone those of before are told of theirs all
// the same, and before an id may be somebody else's all is told of who had it.
TEST_F(AccountTest, WhatManyHadIsToldWhateverComesNext) {
    rte_mbuf frame{};
    const auto leave = [&](Account::Kind kind, uint32_t first, uint32_t step) {
        Leaving leaving;
        for (unsigned i = 0; i < limits::kArrivals; ++i) leaving.add(&frame, first + i * step, kL3);
        turns.leave(kind, leaving);
    };
    const auto turn = [&](Account::Kind kind, uint32_t first, uint32_t step) {
        leave(kind, first, step);
        now += 10'000;
        turns.account.close(true);
    };
    turn(Account::kByExpress, 900, 1);
    EXPECT_EQ(used(963, Use::kPackets), 0u);
    const unsigned rows = (kIds + sched::Tallies::kRow - 1) / sched::Tallies::kRow;
    for (unsigned i = 0; i < rows * 512 / limits::kArrivals; ++i) turn(Account::kByShortcut, 2, 0);
    EXPECT_EQ(used(963, Use::kPackets), 1u);
    turn(Account::kByShortcut, 900, 1);
    EXPECT_EQ(used(963, Use::kPackets), 1u);
    leave(Account::kByShortcut, 900, 1);  // in the middle of a turn
    turns.account.follow(declared(2), 0);
    EXPECT_EQ(used(963, Use::kPackets), 3u);
    turn(Account::kByShortcut, 900, 1);  // flows of who is gone
    expect_all_owned();
    EXPECT_EQ(used(963, Use::kPackets), 4u);
    turn(Account::kByShortcut, 900, 1);
    turns.account.forget();
    EXPECT_EQ(used(963, Use::kPackets), 5u);
}

// As while somebody watches, who sees each packet at each stage.
TEST_F(AccountTest, WhatManyHadIsToldWhilePacketsTakeThePipeline) {
    rte_mbuf frame{};
    Leaving leaving;
    for (unsigned i = 0; i < limits::kArrivals; ++i) leaving.add(&frame, 900 + i, kL3);
    turns.leave(Account::kByShortcut, leaving);
    now += 10'000;
    turns.account.close(true);
    EXPECT_EQ(used(963, Use::kPackets), 0u);
    for (unsigned i = 0; i < 2'000; ++i) turns.run(0, 0, 16);
    EXPECT_EQ(used(963, Use::kPackets), 1u);
    expect_all_owned();
}

TEST_F(AccountTest, WhatIsNobodysIsCoresOrIdles) {
    const double core = turns.charged(sched::kCorePrincipal);
    turns.idle(500);
    EXPECT_EQ(turns.charged(sched::kIdlePrincipal) + core, static_cast<double>(now - opened));
    now += 300;
    turns.account.served();  // the control thread's command
    EXPECT_EQ(turns.charged(sched::kCorePrincipal) - core, 320);
    now += 7'000;
    turns.account.slept();
    turns.account.shed(9);
    turns.idle(100);
    EXPECT_EQ(turns.account.usage().get(sched::kCorePrincipal, Use::kDrops), 9u);
    expect_all_owned();
}

TEST_F(AccountTest, ATurnMayHaveAnyNumberOfPackets) {
    for (unsigned call = 0; call < 40; ++call) {
        rte_mbuf frame{};
        frame.pkt_len = kFrame;
        Leaving leaving;
        for (unsigned i = 0; i < limits::kArrivals; ++i) leaving.add(&frame, 2 + i % 2, kL3);
        now += 10'000;
        turns.leave(Account::kByShortcut, leaving);
    }
    turns.account.close(true);
    settle();
    EXPECT_EQ(turns.account.usage().get(kOther, Use::kPackets), 20 * limits::kArrivals);
    EXPECT_NEAR(turns.charged(kOther) / turns.charged(kTalker), 1.0, 0.02);
    expect_all_owned();
}

// Packets of the pipeline that are each another's fill what a turn has room for; those of every
// other kind come on top.
TEST_F(AccountTest, APartOfEachKindFitsOnTopOfAFullTurn) {
    Burst burst;
    for (unsigned turn = 0; turn < 64; ++turn) {
        turns.account.enter(Account::kReceive);
        for (unsigned i = 0; i < 240 + turn; ++i) {
            burst.count = 0;
            PacketMeta meta;
            meta.principal = PrincipalId{10 + i % 2};
            burst.add(nullptr, meta);
            turns.account.send(burst, Account::place_of(kSteps) + 1);
        }
        rte_mbuf frame{};
        frame.pkt_len = kFrame;
        Leaving leaving;
        leaving.add(&frame, index(kTalker), kL3);
        turns.leave(Account::kByShortcut, leaving);
        turns.leave(Account::kByExpress, leaving);
        turns.account.drop(kOther, kL3);
        now += 10'000;
        turns.account.close(true);
    }
    settle();
    EXPECT_EQ(turns.account.usage().get(kTalker, Use::kPackets), 128u);
    EXPECT_EQ(turns.account.usage().get(kOther, Use::kDrops), 64u);
    expect_all_owned();
}

}  // namespace
}  // namespace ravelin::test
