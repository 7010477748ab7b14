// SPDX-License-Identifier: Apache-2.0
// One stamp a burst against timing every packet: stages of known cost, principals whose packets
// leave after different ones.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>

#include "dataplane/sched/cycle_split.h"

namespace ravelin::sched {
namespace {

constexpr unsigned kStages = 7;
constexpr PrincipalId kFirst{kFirstPrincipal};

/// A pipeline in which stage s costs fixed[s] a burst and each[s] a packet, with noise.
struct Pipeline {
    std::array<double, kStages> fixed{60, 40, 80, 30, 20, 50, 90};
    std::array<double, kStages> each{22, 9, 48, 260, 15, 31, 44};
    std::mt19937_64 rng{1};
    double noise = 0.3;
    double cost(unsigned stage, unsigned packets) {
        std::normal_distribution<double> factor(1.0, noise);
        return (fixed[stage] + each[stage] * packets) * std::max(factor(rng), 0.2);
    }
};

/// Traffic of one principal: its part of the packets, and how many stages they pass.
struct Traffic {
    double part;
    unsigned least, most;
};

/// Charges by split and, beside it, by timing everything; returns the largest error of one.
double worst_error(const std::array<Traffic, 4>& traffic, unsigned bursts, unsigned& sampled) {
    Pipeline pipeline;
    CycleSplit split;
    Usage usage(kFirstPrincipal + 4);
    std::array<double, 4> exact{};
    uint64_t all = 0;
    for (unsigned b = 0; b < bursts; ++b) {
        const auto packets = static_cast<unsigned>(1 + pipeline.rng() % 32);
        std::array<unsigned, 32> who{}, stages{};
        std::discrete_distribution<unsigned> draw{traffic[0].part, traffic[1].part, traffic[2].part,
                                                  traffic[3].part};
        for (unsigned i = 0; i < packets; ++i) {
            who[i] = draw(pipeline.rng);
            const Traffic& t = traffic[who[i]];
            stages[i] = t.least + static_cast<unsigned>(pipeline.rng() % (t.most - t.least + 1));
        }
        const bool sample = split.sample();
        sampled += sample ? 1 : 0;
        double burst = 0;
        for (unsigned s = 0; s < kStages; ++s) {
            unsigned alive = 0;
            for (unsigned i = 0; i < packets; ++i) alive += stages[i] > s ? 1 : 0;
            if (alive == 0) break;
            const double cost = pipeline.cost(s, alive);
            burst += cost;
            for (unsigned i = 0; i < packets; ++i)
                if (stages[i] > s) exact[who[i]] += cost / alive;
            if (sample) split.timed(s, static_cast<uint64_t>(cost), alive);
        }
        for (unsigned i = 0; i < packets; ++i)
            split.add(PrincipalId{kFirstPrincipal + who[i]}, 1, stages[i]);
        split.charge(static_cast<uint64_t>(burst), usage, kIdlePrincipal);
        all += static_cast<uint64_t>(burst);
    }
    EXPECT_EQ(usage.sum(Use::kCycles), all);  // every cycle, once
    double worst = 0;
    for (unsigned p = 0; p < 4; ++p) {
        const auto charged =
            static_cast<double>(usage.get(PrincipalId{kFirstPrincipal + p}, Use::kCycles));
        worst = std::max(worst, std::abs(charged - exact[p]) / exact[p]);
    }
    return worst;
}

TEST(SchedSplit, IsWithinFivePercentOfTimingEverything) {
    unsigned sampled = 0;
    constexpr unsigned kBursts = 100'000;
    // All alike; one mostly dropped early; one that is a tenth; each at its own place.
    EXPECT_LE(worst_error({{{1, 7, 7}, {1, 7, 7}, {1, 7, 7}, {1, 7, 7}}}, kBursts, sampled), 0.05);
    EXPECT_LE(worst_error({{{5, 2, 3}, {1, 7, 7}, {1, 7, 7}, {1, 3, 7}}}, kBursts, sampled), 0.05);
    EXPECT_LE(worst_error({{{9, 7, 7}, {1, 3, 3}, {1, 4, 4}, {0.2, 1, 7}}}, kBursts, sampled),
              0.05);
    EXPECT_LE(worst_error({{{1, 1, 1}, {1, 2, 4}, {1, 4, 7}, {1, 7, 7}}}, kBursts, sampled), 0.05);
    EXPECT_NEAR(sampled, 4.0 * kBursts / CycleSplit::kSampleEvery, 400);
}

TEST(SchedSplit, IsExactForOneAndChargesEveryCycle) {
    CycleSplit split;
    Usage usage(kFirstPrincipal + 2);
    split.add(kFirst, 32, 7);
    split.charge(12'345, usage, kIdlePrincipal);
    EXPECT_EQ(usage.get(kFirst, Use::kCycles), 12'345u);
    split.charge(100, usage, kIdlePrincipal);  // nothing came
    EXPECT_EQ(usage.get(kIdlePrincipal, Use::kCycles), 100u);
    split.add(kFirst, 1, 0);
    split.add(PrincipalId{3}, 1, 0);  // neither got anywhere
    split.charge(99, usage, kIdlePrincipal);
    EXPECT_EQ(usage.sum(Use::kCycles), 12'345u + 100 + 99);
}

// What a burst takes by itself is never more than half of one that brought packets.
TEST(SchedSplit, OfOnesBurstAnotherHasWhatItIsReckonedToTake) {
    CycleSplit split;
    Usage usage(kFirstPrincipal + 2);
    split.add(kFirst, 32, 7);
    split.add(kFirst, 1, 3);
    split.charge(10'000, usage, kCorePrincipal, 300);
    EXPECT_EQ(usage.get(kFirst, Use::kCycles), 9'700u);
    EXPECT_EQ(usage.get(kCorePrincipal, Use::kCycles), 300u);
    split.add(kFirst, 1, 7);
    split.charge(401, usage, kCorePrincipal, 300);
    EXPECT_EQ(usage.get(kFirst, Use::kCycles), 9'901u);
    EXPECT_EQ(usage.get(kCorePrincipal, Use::kCycles), 500u);
}

}  // namespace
}  // namespace ravelin::sched
