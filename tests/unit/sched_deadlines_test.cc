// SPDX-License-Identifier: Apache-2.0
// Admitted principals keep their deadlines on the CPU, in virtual time: random sets that an exact
// test of their own calls feasible, beside overrunners, floods and a core.
#include <gtest/gtest.h>

#include <deque>
#include <random>

#include "tests/support/sched_sets.h"
#include "tests/support/sched_sim.h"

namespace ravelin::sched {
namespace {

constexpr uint64_t kMaxRun = 3'000;
constexpr FunctionRef kWork{0, 1}, kCoreWork{1, 1};

/// One worker with admitted principals, of which some overrun, floods in the shares and a core.
class CpuRun {
  public:
    struct Setup {
        std::vector<Contract> admitted;
        size_t overrunners = 0;  ///< the last so many of them take 20 times their work
        size_t floods = 0;
        CoreLoad core = {};
        bool budget_timer = true;
    };
    CpuRun(const Setup& setup, uint64_t seed)
        : setup_(setup),
          rng_(seed),
          principals_(table_of(setup.admitted.size() + setup.floods)),
          usage_(principals_.size()),
          then_([this](SimPacket& p, FunctionContext&) { finished(p); }),
          scheduler_(principals_, functions_, usage_, config(), {}, 0),
          cpu_(clock_, scheduler_, functions_,
               {.ns_per_cycle = 1, .budget_timer = setup.budget_timer}) {
        functions_.load(kWork, &then_, {.max_run = kMaxRun, .queue = 512});
        functions_.load(kCoreWork, &then_, {.queue = 512});
        for (const Contract& contract : setup.admitted) {
            scheduler_.reserve(id(sources_.size()), contract, 0);
            sources_.push_back({contract});
        }
    }
    void run(uint64_t end) {
        for (size_t i = 0; i < sources_.size(); ++i) clock_.at(0, [this, i] { arrive(i); });
        for (size_t i = 0; i < setup_.floods; ++i) flood(id(sources_.size() + i));
        if (setup_.core.work != 0) core();
        clock_.run_until(end);
    }
    uint64_t served = 0, late = 0;
    Usage& usage() { return usage_; }

  private:
    static CpuScheduler::Config config() {
        return {.functions = 2,
                .invocations = 2048,
                .timers = 1,
                .max_run = kMaxRun,
                .discipline = {.strikes_to_suspend = 0}};
    }
    void post(PrincipalId principal, FunctionRef function, std::span<SimPacket* const> packets) {
        void* frames[limits::kBurst];
        std::copy(packets.begin(), packets.end(), frames);
        scheduler_.post({.function = function, .principal = principal}, {frames, packets.size()},
                        clock_.now());
        cpu_.kick();
    }
    SimPacket* packet(PrincipalId principal, uint64_t cycles, uint64_t due) {
        packets_.push_back(
            {.principal = principal, .cycles = cycles, .arrival = clock_.now(), .due = due});
        return &packets_.back();
    }
    bool overruns(size_t i) const { return i + setup_.overrunners >= sources_.size(); }
    void arrive(size_t i) {
        Source& source = sources_[i];
        const uint64_t times = overruns(i) ? 20 : 1;
        std::vector<SimPacket*> burst;
        const size_t together = rng_() % 8 == 0 ? 1 + rng_() % 4 : 1;  // more than it may
        for (size_t k = 0; k < together; ++k)
            burst.push_back(packet(id(i), source.contract.work * times, source.due(clock_.now())));
        post(id(i), kWork, burst);
        const uint64_t pause = rng_() % 4 == 0 ? rng_() % source.contract.period_ns : 0;
        clock_.at(clock_.now() + source.contract.period_ns + pause, [this, i] { arrive(i); });
    }
    void flood(PrincipalId principal) {
        std::vector<SimPacket*> burst;
        while (burst.size() < limits::kBurst)
            burst.push_back(packet(principal, 1'000 + rng_() % 2'000, UINT64_MAX));
        post(principal, kWork, burst);
        clock_.at(clock_.now() + 40'000 + rng_() % 20'000, [this, principal] { flood(principal); });
    }
    void core() {
        std::vector<SimPacket*> burst{packet(kCorePrincipal, setup_.core.work, UINT64_MAX)};
        post(kCorePrincipal, kCoreWork, burst);
        clock_.at(clock_.now() + setup_.core.period, [this] { core(); });
    }
    void finished(SimPacket& p) {
        const size_t i = index(p.principal) - kFirstPrincipal;
        if (index(p.principal) < kFirstPrincipal || i >= sources_.size() || overruns(i)) return;
        ++served;
        late += clock_.now() > p.due ? 1 : 0;
    }

    Setup setup_;
    std::mt19937_64 rng_;
    VirtualClock clock_;
    PrincipalTable principals_;
    Usage usage_;
    FunctionTable functions_;
    SimFunction then_;
    CpuScheduler scheduler_;
    VirtualCpu cpu_;
    std::vector<Source> sources_;
    std::deque<SimPacket> packets_;
};

/// What a run that has begun can take: a share's, or several of one principal's jobs, or one job.
uint64_t blocking_of(const std::vector<Contract>& set) {
    uint64_t longest = kMaxRun;
    for (const Contract& c : set) longest = std::max(longest, c.work);
    return longest;
}

struct Tally {
    uint64_t sets = 0, served = 0, late = 0;
};

// Draws sets until `wanted` of them are feasible, runs each for some of its longest periods.
Tally run_sets(uint64_t wanted, size_t overrunners, bool timer) {
    std::mt19937_64 rng(7 + overrunners);
    std::uniform_real_distribution<double> load(0.3, 0.99);
    Tally tally;
    while (tally.sets < wanted) {
        CpuRun::Setup setup{
            .admitted = random_set(rng, 1 + overrunners + rng() % 7, load(rng), 3e5),
            .overrunners = overrunners,
            .floods = rng() % 4,
            .budget_timer = timer};
        if (rng() % 2 == 0) setup.core = {.work = 1 + rng() % 20'000, .period = 200'000};
        uint64_t blocking = blocking_of(setup.admitted);
        uint64_t longest = 0;
        for (size_t i = 0; i < setup.admitted.size(); ++i) {
            const Contract& c = setup.admitted[i];
            longest = std::max(longest, c.period_ns);
            // Nobody interrupts it: its first run is a surprise, and each later one blocks.
            if (!timer && i + overrunners >= setup.admitted.size()) blocking += 39 * c.work;
        }
        if (!feasible(setup.admitted, setup.core, blocking)) continue;
        CpuRun run(setup, rng());
        run.run(12 * longest);
        ++tally.sets;
        tally.served += run.served;
        tally.late += run.late;
    }
    return tally;
}

TEST(SchedDeadlines, FeasibleSetsMissNothingOnTheCpu) {
    const Tally tally = run_sets(600, 0, true);
    EXPECT_EQ(tally.late, 0u);
    EXPECT_GT(tally.served, 15'000u);
}

TEST(SchedDeadlines, AnOverrunnerHeldByTheBudgetTimerMakesNobodyLate) {
    const Tally tally = run_sets(300, 2, true);
    EXPECT_EQ(tally.late, 0u);
    EXPECT_GT(tally.served, 15'000u);
}

TEST(SchedDeadlines, AnOverrunnerThatNothingInterruptsCostsOthersItsLongestRunAtMost) {
    const Tally tally = run_sets(150, 1, false);
    EXPECT_EQ(tally.late, 0u);
    EXPECT_GT(tally.served, 5'000u);
}

// The same machinery sees misses where there are some: twice the load.
TEST(SchedDeadlines, AnInfeasibleSetIsSeenToMiss) {
    std::mt19937_64 rng(3);
    uint64_t late = 0;
    for (int i = 0; i < 20; ++i) {
        CpuRun run({.admitted = random_set(rng, 6, 1.5, 3e5)}, rng());
        run.run(50'000'000);
        late += run.late;
        EXPECT_GT(run.usage().sum(Use::kMisses), 0u);
    }
    EXPECT_GT(late, 100u);
}

}  // namespace
}  // namespace ravelin::sched
