// SPDX-License-Identifier: Apache-2.0
// The arithmetic of the bench: medians, percentiles, the search for a throughput, frames of a tape.
#include <gtest/gtest.h>

#include <map>
#include <random>

#include "perf/bench/histogram.h"
#include "perf/bench/report.h"
#include "perf/bench/rounds.h"
#include "perf/bench/search.h"
#include "perf/bench/steps.h"
#include "perf/replay/verify.h"

namespace ravelin::perf {
namespace {

TEST(Report, TellsMedianExtremesAndTarget) {
    Report report;
    for (const double v : {7.0, 1.0, 4.0}) report.add("odd", "cycles", v, at_most(3));
    for (const double v : {1.0, 2.0, 10.0, 3.0}) report.add("even", "cycles", v);
    const auto metrics = report.json()["metrics"];
    EXPECT_EQ(metrics["odd"]["median"], 4.0);
    EXPECT_EQ(metrics["odd"]["min"], 1.0);
    EXPECT_EQ(metrics["odd"]["max"], 7.0);
    EXPECT_EQ(metrics["odd"]["met"], false);
    EXPECT_EQ(metrics["even"]["median"], 2.5);
    EXPECT_FALSE(metrics["even"].contains("met"));
    EXPECT_FALSE(report.met());
}

TEST(Report, WhatMustBeExactMustBeSoInEveryRun) {
    Report report;
    for (int i = 0; i < 3; ++i) report.add("misses", "packets", 0, exactly(0));
    EXPECT_TRUE(report.met());
    EXPECT_EQ(report.json()["metrics"]["misses"]["target"], "exactly 0");
    report.add("misses", "packets", 1, exactly(0));
    EXPECT_EQ(report.json()["metrics"]["misses"]["median"], 0.0);
    EXPECT_FALSE(report.met());
}

TEST(Report, IsNotMetWhereItIsVoid) {
    Report report;
    report.add("good", "cycles", 1, at_most(3));
    EXPECT_TRUE(report.met());
    report.make_void("io");
    EXPECT_FALSE(report.met());
    EXPECT_EQ(report.json()["void"][0], "io");
}

TEST(Report, CountsRoundsWhereThereWereAny) {
    Report report;
    EXPECT_FALSE(report.json().contains("discarded_rounds"));
    report.count_rounds(4, 0);
    EXPECT_EQ(report.json()["discarded_rounds"], 0u);
    report.count_rounds(16, 13);
    EXPECT_EQ(report.json()["rounds"], 20u);
    EXPECT_EQ(report.json()["discarded_rounds"], 13u);
}

TEST(Rounds, AreGoodWhereThePortsCostTheSameThroughoutAndWhatTheyCostTestpmd) {
    EXPECT_TRUE(is_good({.io_before = 25, .io_after = 25, .testpmd = 25}));
    EXPECT_TRUE(is_good({.io_before = 25, .io_after = 26, .testpmd = 24}));
    EXPECT_FALSE(is_good({.io_before = 25, .io_after = 26.5, .testpmd = 25}));
    EXPECT_FALSE(is_good({.io_before = 26.5, .io_after = 25, .testpmd = 25}));
    EXPECT_FALSE(is_good({.io_before = 25, .io_after = 25, .testpmd = 22}));
    EXPECT_FALSE(is_good({.io_before = 25, .io_after = 25, .testpmd = 28}));
    EXPECT_TRUE(is_good({.io_before = 25, .io_after = 25, .testpmd = 0})) << "not installed";
}

TEST(Rounds, AreNeverJudgedByWhatIsMeasured) {
    for (const double box : {0.0, 1.0, 1e9})
        EXPECT_TRUE(is_good(
            {.io_before = 25, .io_after = 25, .testpmd = 25, .box = box, .plain = 7 * box}));
}

/// Rounds one after the other, each with io as it is told; the box takes 100 more.
Rounds rounds_of(unsigned wanted, unsigned most, std::vector<std::pair<double, double>> io) {
    size_t next = 0;
    return take_rounds(wanted, most, [&] {
        const auto [before, after] = io.at(next++);
        return Round{.io_before = before, .io_after = after, .testpmd = 25, .box = before + 100};
    });
}

TEST(Rounds, AreRepeatedUntilEnoughAreGood) {
    const Rounds rounds = rounds_of(2, 9, {{25, 40}, {25, 25}, {40, 40}, {24, 24}});
    EXPECT_TRUE(rounds.good);
    EXPECT_EQ(rounds.kept.size(), 2u);
    EXPECT_EQ(rounds.discarded, 2u);
    EXPECT_EQ(rounds.taken(), 4u);
    EXPECT_EQ(rounds.median(&Round::box), 124.5);
    EXPECT_EQ(rounds.median(&Round::io), 24.5);
}

TEST(Rounds, AreBoundedAndAllToldWhereNoneIsGood) {
    const Rounds some = rounds_of(2, 3, {{25, 40}, {25, 25}, {40, 40}});
    EXPECT_TRUE(some.good);
    EXPECT_EQ(some.kept.size(), 1u);
    EXPECT_EQ(some.taken(), 3u);
    const Rounds none = rounds_of(2, 3, {{25, 40}, {40, 25}, {40, 40}});
    EXPECT_FALSE(none.good);
    EXPECT_EQ(none.kept.size(), 3u);
    EXPECT_EQ(none.discarded, 3u);
    EXPECT_EQ(none.taken(), 3u);
    EXPECT_EQ(none.median(&Round::box), 140);

    EXPECT_EQ(good_of({none, some, none}).size(), 1u);
    EXPECT_TRUE(good_of({none, some, none}).front().good);
    EXPECT_EQ(good_of({none, none}).size(), 2u);
}

TEST(Histogram, KeepsSmallValuesExactlyAndOthersWithinAThirtySecond) {
    std::mt19937_64 random(1);
    Histogram histogram;
    std::vector<uint64_t> values;
    for (int i = 0; i < 10'000; ++i) {
        values.push_back(random() >> (random() % 60));
        histogram.record(values.back());
    }
    std::ranges::sort(values);
    for (const double q : {0.0, 0.01, 0.5, 0.9, 0.99, 0.9999, 1.0}) {
        const size_t at = q == 0 ? 0 : static_cast<size_t>(q * 10'000 + 0.999999) - 1;
        const uint64_t exact = values[at];
        EXPECT_GE(histogram.quantile(q), exact) << q;
        EXPECT_LE(static_cast<double>(histogram.quantile(q)),
                  static_cast<double>(exact) * (1 + 1.0 / 32))
            << q;
    }
    EXPECT_EQ(histogram.quantile(1), values.back());
    Histogram small;
    for (uint64_t v = 0; v < 64; ++v) small.record(v);
    EXPECT_EQ(small.quantile(0.5), 31u);
    EXPECT_EQ(Histogram().quantile(0.5), 0u);
}

// Of work whose instructions are known.
template <typename Work>
Steps steps_of(Work work) {
    begin_steps();
    work();
    return end_steps();
}

TEST(Steps, CountEachInstructionOnce) {
    const auto nothing = steps_of([] {}).instructions;
    const auto rounds = [](unsigned n) {
        return steps_of([n] {
                   unsigned left = n;
                   asm volatile("0: decl %0\n jnz 0b" : "+r"(left)::"cc");
               })
            .instructions;
    };
    EXPECT_EQ(rounds(1000) - rounds(10), 2 * 990u);
    EXPECT_EQ(rounds(50), rounds(50));
    EXPECT_LT(nothing, rounds(1));
}

TEST(Steps, KnowWhatIsDear) {
    const Dear plain = steps_of([] {}).dear;
    EXPECT_EQ(plain.sum(), 0u);
    uint64_t memory = 7, other = 1;
    const Dear dear =
        steps_of([&] {
            asm volatile("lock incq %0" : "+m"(memory)::"cc");
            asm volatile("xchgq %0, %1" : "+m"(memory), "+r"(other));
            asm volatile("xorl %%edx, %%edx\n divq %0" ::"r"(uint64_t{3}) : "rax", "rdx", "cc");
            asm volatile("rdtsc" ::: "rax", "rdx");
            asm volatile("movl $39, %%eax\n syscall" ::  // getpid
                         : "rax", "rcx", "r11", "memory");
        }).dear;
    EXPECT_EQ(dear.locked, 2u);
    EXPECT_EQ(dear.divisions, 1u);
    EXPECT_EQ(dear.clocks, 1u);
    EXPECT_EQ(dear.calls, 1u);
}

// A system that loses whatever is beyond its capacity.
TEST(Search, FindsTheLoadAtWhichTheGoalIsLost) {
    for (const double goal : {0.0, 0.001, 0.1}) {
        const auto loss = [](double load, double) { return load <= 7e6 ? 0 : 1 - 7e6 / load; };
        const Throughput t = search(goal, {.least = 1e4, .most = 40e6}, loss);
        const double exact = 7e6 / (1 - goal);
        EXPECT_LE(t.lower, exact);
        EXPECT_GT(t.upper, exact);
        EXPECT_LE((t.upper - t.lower) / t.upper, 0.005);
    }
}

TEST(Search, TellsTheEndsOfItsRange) {
    const auto all = [](double, double) { return 1.0; };
    const auto none = [](double, double) { return 0.0; };
    EXPECT_EQ(search(0, {.least = 1, .most = 100}, all).lower, 0);
    EXPECT_EQ(search(0, {.least = 1, .most = 100}, none).lower, 100);
}

// Short trials hide what long ones show: the lower bound has to hold in the longest.
TEST(Search, GivesUpBoundsThatLongerTrialsDoNotBearOut) {
    const auto loss = [](double load, double seconds) {
        return load <= (seconds < 0.02 ? 9e6 : 5e6) ? 0.0 : 0.01;
    };
    const Throughput t = search(0.001, {.least = 1e4, .most = 40e6}, loss);
    EXPECT_LE(t.lower, 5e6);
    EXPECT_GT(t.lower, 4.9e6);
}

// And the other way: a first trial that was disturbed does not hold the result down.
TEST(Search, ClimbsAgainAfterADisturbedPhase) {
    const auto loss = [](double load, double seconds) {
        return load <= (seconds < 0.02 ? 2e6 : 8e6) ? 0.0 : 0.01;
    };
    const Throughput t = search(0.001, {.least = 1e4, .most = 40e6}, loss);
    EXPECT_LE(t.lower, 8e6);
    EXPECT_GT(t.lower, 7.9e6);
}

struct Frame {
    TapeHead head;
    Descriptor flow;
    Offsets k;
    explicit Frame(Layout layout = {}) : k(Offsets::of(layout)) {
        head.layout = layout;
        head.sizes[0] = static_cast<uint16_t>(k.least_frame());
        head.macs = {MacAddress{{2, 0, 0, 0, 0, 1}}, MacAddress{{2, 0, 0, 0, 0, 2}}};
        head.gateways = {MacAddress{{2, 0, 0, 0, 1, 1}}, MacAddress{{2, 0, 0, 0, 1, 2}}};
        flow.source = be32(0x0a010001);
        flow.destination = be32(0xc6120001);
        flow.source_port = be16(1000);
        flow.destination_port = be16(443);
        flow.checksum = checksum_of(flow, head.sizes[0], layout);
    }
    uint32_t write(uint8_t* to, const Moment& at) const {
        return write_frame(to, head, Template::make(head, at.side, flow.protocol), flow, at);
    }
};
constexpr Layout kLayouts[] = {{false, false}, {false, true}, {true, false}, {true, true}};

TEST(Tape, FramesHaveTheRightLengthAndHeaderChecksumAtEveryStep) {
    for (const Layout layout : kLayouts)
        for (uint32_t step = 0; step < kLife; ++step) {
            Frame f(layout);
            f.head.program = Program::kSteps;
            uint8_t bytes[kHeaderRoom];
            const uint32_t length = f.write(bytes, {5, step, side_of_step(step)});
            EXPECT_EQ(length, f.k.least_frame());
            const uint32_t payload = step == 3 || step == 4 ? length - f.k.mark(net::kTcp) : 0;
            be16 counted;
            std::memcpy(&counted, bytes + f.k.length, 2);
            EXPECT_EQ(counted.host(), (layout.v6 ? 20 : 40) + payload) << step;
            if (layout.v6) continue;
            EXPECT_EQ(net::checksum_fold(net::checksum_of_header(bytes + f.k.ip)), 0xffff);
        }
}

// Parsed as anybody would.
TEST(Tape, AFrameSaysItsFlowInEveryLayout) {
    for (const Layout layout : kLayouts)
        for (const uint8_t protocol : {uint8_t{net::kTcp}, uint8_t{net::kUdp}}) {
            Frame f(layout);
            f.flow.protocol = protocol;
            uint8_t bytes[kHeaderRoom];
            f.write(bytes, {5, 0, 1});
            const unsigned link = layout.tagged ? 18 : 14;
            be16 type, tci, from, to;
            std::memcpy(&type, bytes + link - 2, 2);
            EXPECT_EQ(type.host(), layout.v6 ? 0x86dd : 0x0800);
            std::memcpy(&tci, bytes + 14, 2);
            EXPECT_EQ(tci.host() == f.head.vlans[1], layout.tagged);
            const unsigned behind = link + (layout.v6 ? 40 : 20);
            EXPECT_EQ(bytes[link + (layout.v6 ? 6 : 9)], protocol);
            std::memcpy(&from, bytes + behind, 2);
            std::memcpy(&to, bytes + behind + 2, 2);
            EXPECT_EQ(from.host(), 443);
            EXPECT_EQ(to.host(), 1000);
            if (!layout.v6) continue;
            EXPECT_EQ(IpAddress::v6(bytes + link + 8).to_string(), "2a00:c612:1::1");
            EXPECT_EQ(IpAddress::v6(bytes + link + 24).to_string(), "fd01:a01:1::1");
        }
}

// Each side's next number follows from what it sent and what the other acknowledged.
TEST(Tape, StepsOfALifeFollowFromEachOther) {
    const uint32_t payload = 6;
    uint32_t next[2] = {initial_sequence(9, 0, 0), initial_sequence(9, 0, 1)};
    bool spoken[2] = {false, false};
    for (uint32_t step = 0; step < kLife; ++step) {
        const uint8_t side = side_of_step(step);
        const Segment s = segment_of_step({9, step, side}, payload);
        EXPECT_EQ(s.sequence, next[side]) << step;
        EXPECT_EQ(s.acknowledgement, spoken[side ^ 1] ? next[side ^ 1] : 0) << step;
        next[side] += s.payload + ((s.flags & (net::kSyn | net::kFin)) != 0 ? 1 : 0);
        spoken[side] = true;
    }
}

TEST(Tape, DataFollowsOnTheHandshake) {
    const uint32_t payload = 6;
    uint32_t next[2];
    for (const uint8_t side : {uint8_t{0}, uint8_t{1}})
        next[side] = initial_sequence(4, 0, side) + 1;
    for (uint32_t turn = 0; turn < 9; ++turn) {
        const auto side = static_cast<uint8_t>((4 + turn) & 1);
        const Segment s = segment_of_data({4, turn, side}, payload);
        EXPECT_EQ(s.sequence, next[side]);
        EXPECT_EQ(s.acknowledgement, next[side ^ 1]);
        next[side] += payload;
    }
}

// A router's work on a frame, byte by byte.
void forward(uint8_t* bytes, const Frame& f) {
    std::memcpy(bytes, &f.head.gateways[1], 6);
    std::memcpy(bytes + 6, &f.head.macs[1], 6);
    const be16 tag(f.head.vlans[1]);
    if (f.head.layout.tagged) std::memcpy(bytes + 14, &tag, 2);
    --bytes[f.k.hops];
    if (f.head.layout.v6) return;
    auto* ip = reinterpret_cast<net::Ipv4*>(bytes + f.k.ip);
    ip->checksum = {};
    ip->checksum = net::checksum_finish(net::checksum_of_header(ip));
}

TEST(Tape, ATranslatedFlowLeavesFromItsOuterEndAndIsAnsweredThere) {
    for (const Layout layout : {Layout{}, Layout{.tagged = true}}) {
        Frame f(layout);
        const Outer outer{be32(0xcb007109), be16(40'000)};
        uint8_t bytes[kHeaderRoom], expected[kHeaderRoom];
        const auto right = [&](const Moment& at, Check check) {
            f.head.check = check;
            const Template common = Template::make(f.head, at.side, f.flow.protocol);
            return is_as_expected(f.head, common, f.flow, outer, at, at.side ^ 1,
                                  {bytes, f.head.sizes[f.flow.size]}, expected);
        };
        const Moment out{7, 3, 0}, back{7, 2, 1};
        f.write(bytes, out);
        forward(bytes, f);
        EXPECT_FALSE(right(out, Check::kForwarded)) << "not translated";
        write_outer(bytes, layout, outer, 0);
        EXPECT_TRUE(right(out, Check::kForwarded));
        EXPECT_EQ(outer_of(bytes, layout).address, outer.address);
        EXPECT_EQ(outer_of(bytes, layout).port, outer.port);
        EXPECT_EQ(net::checksum_fold(
                      net::checksum_of_header(reinterpret_cast<const net::Ipv4*>(bytes + f.k.ip))),
                  0xffff);
        f.write(bytes, back);
        write_outer(bytes, layout, outer, 1);
        EXPECT_TRUE(right(back, Check::kSame)) << "by who only receives and transmits";
        EXPECT_FALSE(right(back, Check::kForwarded)) << "not translated back";
    }
}

TEST(Tape, AFrameThatLeavesMustBeForwardedAndNothingElse) {
    for (const Layout layout : kLayouts) {
        Frame f(layout);
        f.head.check = Check::kForwarded;
        const Moment at{7, 3, 0};
        const Template common = Template::make(f.head, 0, f.flow.protocol);
        uint8_t bytes[kHeaderRoom], expected[kHeaderRoom];
        const uint32_t length = f.write(bytes, at);
        const auto right = [&] {
            return is_as_expected(f.head, common, f.flow, {}, at, 1, {bytes, length}, expected);
        };
        EXPECT_FALSE(right()) << "not forwarded at all";
        forward(bytes, f);
        EXPECT_TRUE(right());
        for (const unsigned at_byte :
             {0u, 11u, f.k.ip - 1, f.k.ip + 1, f.k.hops, f.k.source + 3, f.k.destination + 3,
              f.k.ports(), f.k.sequence(), f.k.flags(), f.k.mark(net::kTcp) + 1}) {
            bytes[at_byte] ^= 1;
            EXPECT_FALSE(right()) << at_byte;
            bytes[at_byte] ^= 1;
        }
        bytes[f.k.transport + 16] ^= 1;
        EXPECT_TRUE(right()) << "TCP's checksum, which the box may complete";
    }
}

}  // namespace
}  // namespace ravelin::perf
