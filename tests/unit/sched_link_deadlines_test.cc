// SPDX-License-Identifier: Apache-2.0
// Deadlines on the link, and over CPU and link together: random admitted sets beside floods; and
// what the paper says happens to its own example (S73).
#include <gtest/gtest.h>

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <random>
#include <vector>

#include "controlplane/admission/book.h"
#include "tests/support/sched_paths.h"
#include "tests/support/sched_sets.h"
#include "tests/support/sched_sim.h"

namespace ravelin::sched {
namespace {

constexpr FunctionRef kWork{0, 1};

struct LinkRun {
    LinkScheduler::Config config{.rate = 125'000'000, .ring_bytes = 1542, .packets = 4096};
    VirtualClock clock;
    std::deque<SimPacket> packets;
    uint64_t served = 0, late = 0;

    void run(const std::vector<Contract>& set, size_t floods, uint64_t seed, uint64_t end) {
        std::mt19937_64 rng(seed);
        const PrincipalTable principals = table_of(set.size() + floods);
        Usage usage(principals.size());
        LinkScheduler scheduler(principals, usage, config, {}, {}, 0);
        VirtualLink link(clock, scheduler, 8, config, [&](SimPacket& p, uint64_t when) {
            if (p.due == UINT64_MAX) return;
            ++served;
            late += when > p.due ? 1 : 0;
        });
        std::vector<Source> sources;
        for (const Contract& c : set) {
            scheduler.reserve(id(sources.size()), c, 0);
            sources.push_back({c});
        }
        const auto send = [&](size_t i, uint32_t bytes, uint64_t due) {
            packets.push_back({.principal = id(i), .bytes = bytes, .due = due});
            link.send(packets.back());
        };
        std::function<void(size_t)> arrive = [&](size_t i) {
            Source& source = sources[i];
            const auto bytes = static_cast<uint32_t>(source.contract.work - config.overhead);
            const size_t together = rng() % 8 == 0 ? 1 + rng() % 6 : 1;  // more than it may
            for (size_t k = 0; k < together; ++k) {
                const uint64_t due = source.due(clock.now());
                send(i, rng() % 2 == 0 ? bytes : std::max(bytes / 2, 40u), due);
            }
            const uint64_t pause = rng() % 4 == 0 ? rng() % source.contract.period_ns : 0;
            clock.at(clock.now() + source.contract.period_ns + pause, [&, i] { arrive(i); });
        };
        std::function<void(size_t)> flood = [&](size_t i) {
            for (int k = 0; k < 16; ++k)
                send(i, 64 + static_cast<uint32_t>(rng() % 1455), UINT64_MAX);
            clock.at(clock.now() + 16 * 6'000, [&, i] { flood(i); });
        };
        for (size_t i = 0; i < set.size(); ++i) clock.at(0, [&, i] { arrive(i); });
        for (size_t i = 0; i < floods; ++i) flood(set.size() + i);
        clock.run_until(end);
    }
};

/// Whether admission would promise all of it, in bytes; `ring`: those chosen before a frame came.
bool admitted(const std::vector<Contract>& set, uint64_t rate, uint64_t ring) {
    admission::Book book({.name = "link", .capacity = rate, .blocking = ring});
    for (const Contract& c : set)
        book.add({.work = c.work,
                  .period = static_cast<admission::Nanoseconds>(c.period_ns),
                  .deadline = static_cast<admission::Nanoseconds>(c.deadline_ns)});
    admission::Effort effort;
    return book.bound().fits(book.supply(), effort) == admission::DemandBound::Answer::kFits;
}

TEST(SchedDeadlines, AdmittedSetsMissNothingOnTheLink) {
    std::mt19937_64 rng(11);
    std::uniform_real_distribution<double> load(0.3, 0.97);
    uint64_t served = 0, late = 0;
    for (unsigned sets = 0; sets < 1000;) {
        std::vector<Contract> set = random_set(rng, 2 + rng() % 20, load(rng), 4e4);
        for (Contract& c : set) c.work = std::clamp<uint64_t>(c.work / 8, 64, 1542);
        LinkRun run;
        if (!admitted(set, run.config.rate, run.config.ring_bytes)) continue;
        run.run(set, rng() % 4, rng(), 6'000'000);
        ++sets;
        served += run.served;
        late += run.late;
    }
    EXPECT_EQ(late, 0u);
    EXPECT_GT(served, 50'000u);
}

// ---- S73: 1,000 units/s on both, 1 unit of CPU and 10 of the link, every 100 ms ----

/// What becomes of 50 packets of each of `flows` such flows.
PathFate execute(size_t flows, uint64_t cpu_deadline, uint64_t link_deadline) {
    const PathFlow flow{
        .cpu_deadline = cpu_deadline, .link_deadline = link_deadline, .due = 100'000'000};
    return together(PathRun(std::vector<PathFlow>(flows, flow)).run(50));
}

constexpr uint64_t kBalancedCpu = 9'090'909, kBalancedLink = 90'909'090;

TEST(SchedFigure, NineFlowsOfThePaperMeetTheirDeadline) {
    const PathFate nine = execute(9, kBalancedCpu, kBalancedLink);
    EXPECT_EQ(nine.served, 450u);
    EXPECT_EQ(nine.late, 0u);
    EXPECT_EQ(nine.worst_ns, 91'000'000u);
}

TEST(SchedFigure, TenFlowsOfThePaperMissOnceAPeriod) {
    const PathFate ten = execute(10, kBalancedCpu, kBalancedLink);
    EXPECT_EQ(ten.served, 500u);
    EXPECT_EQ(ten.late, 50u);
    EXPECT_EQ(ten.worst_ns, 101'000'000u);
}

TEST(SchedFigure, FiveFlowsUnderTheFixedSplitTakeHalf) {
    const PathFate five = execute(5, 50'000'000, 50'000'000);
    EXPECT_EQ(five.late, 0u);
    EXPECT_EQ(five.worst_ns, 51'000'000u);
}

// ---- S52: one input, three outputs of different rates, transcoded once ----

/// An output of the transcoder beside a flood.
struct Output {
    uint64_t ns_per_byte, link_deadline;
    uint32_t bytes;  ///< of its version of a packet
    LinkScheduler::Config config;
    std::unique_ptr<LinkScheduler> scheduler;
    std::unique_ptr<VirtualLink> link;
    uint64_t served = 0, late = 0;
};

// CPU is reserved once, by principal 0; the outputs are principals 1 to 3 with a link reservation
// each, so that each copy still has one deadline over both resources. Principal 4 floods all.
TEST(SchedFigure, ATranscoderOfThreeOutputsKeepsEachDeadline) {
    constexpr uint64_t kMs = 1'000'000, kCpuDeadline = kMs, kPeriod = 4 * kMs, kWorked = 400'000;
    VirtualClock clock;
    const PrincipalTable principals = table_of(5);
    Usage usage(principals.size());
    FunctionTable functions;
    std::deque<SimPacket> packets;
    std::vector<Output> outputs(3);
    CpuScheduler scheduler(principals, functions, usage,
                           {.functions = 1, .invocations = 256, .max_run = 50'000}, {}, 0);
    VirtualCpu cpu(clock, scheduler, functions, {});
    SimFunction transcode([&](SimPacket& p, FunctionContext&) {
        for (size_t i = 0; i < 3 && p.principal == id(0); ++i) {
            packets.push_back({.principal = id(1 + i),
                               .bytes = outputs[i].bytes,
                               .due = p.arrival + kCpuDeadline + outputs[i].link_deadline});
            EXPECT_EQ(outputs[i].link->send(packets.back()), Refusal::kNone);
        }
    });
    functions.load(kWork, &transcode, {.max_run = kWorked});
    scheduler.reserve(id(0), {kWorked, kPeriod, kCpuDeadline}, 0);
    for (size_t i = 0; i < 3; ++i) {
        Output& out = outputs[i];
        out.ns_per_byte = std::array<uint64_t, 3>{8, 80, 800}[i];
        out.bytes = std::array<uint32_t, 3>{1400, 700, 300}[i];
        out.link_deadline = std::array<uint64_t, 3>{100'000, 300'000, 2'000'000}[i];
        out.config = {.rate = 1'000'000'000 / out.ns_per_byte, .ring_bytes = 1542};
        out.scheduler =
            std::make_unique<LinkScheduler>(principals, usage, out.config, Release{}, Marker{}, 0);
        out.scheduler->reserve(id(1 + i), {out.bytes + 24, kPeriod, out.link_deadline}, 0);
        out.link = std::make_unique<VirtualLink>(clock, *out.scheduler, out.ns_per_byte, out.config,
                                                 [&out](SimPacket& p, uint64_t when) {
                                                     if (p.due == UINT64_MAX) return;
                                                     ++out.served;
                                                     out.late += when > p.due ? 1 : 0;
                                                 });
    }
    const auto post = [&](size_t who, uint64_t cycles) {
        packets.push_back({.principal = id(who), .cycles = cycles, .arrival = clock.now()});
        void* frame = &packets.back();
        scheduler.post({.function = kWork, .principal = id(who)}, {&frame, 1}, clock.now());
        cpu.kick();
    };
    for (uint64_t t = 0; t < 1000 * kMs; t += kPeriod) clock.at(t, [&] { post(0, kWorked); });
    for (uint64_t t = 0; t < 1000 * kMs; t += 45'000)
        clock.at(t, [&] {
            post(4, 49'000);
            for (Output& out : outputs)
                while (out.scheduler->depth(id(4)) < 8) {
                    packets.push_back({.principal = id(4), .bytes = 1518});
                    out.link->send(packets.back());
                }
        });
    clock.run_until(1010 * kMs);
    for (size_t i = 0; i < 3; ++i) {
        EXPECT_EQ(outputs[i].served, 250u) << i;
        EXPECT_EQ(outputs[i].late, 0u) << i;
        EXPECT_EQ(usage.get(id(1 + i), Use::kBytes), 250u * outputs[i].bytes);
        EXPECT_EQ(usage.get(id(1 + i), Use::kMisses), 0u);
    }
    EXPECT_EQ(usage.get(id(0), Use::kCycles), 250u * kWorked);  // once a packet, not three times
    EXPECT_EQ(usage.get(id(0), Use::kMisses), 0u);
}

}  // namespace
}  // namespace ravelin::sched
