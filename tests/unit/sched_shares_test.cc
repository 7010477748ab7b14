// SPDX-License-Identifier: Apache-2.0
// Weighted max-min fair shares over the hierarchy of principals, and caps.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "dataplane/sched/fair_tree.h"
#include "tests/support/sched_table.h"

namespace ravelin::sched {
namespace {

FairTree::Shape shape(uint64_t most = 1500) {
    return {.most_cost = most, .cap_burst = 3000, .cap = &PrincipalCaps::bytes_per_s};
}

/// Serves `total` units in services of random cost; demands in units, UINT64_MAX: all it can get.
std::map<uint32_t, uint64_t> serve(FairTree& tree, std::map<uint32_t, uint64_t> demands,
                                   uint64_t total, uint64_t least, uint64_t most) {
    std::mt19937_64 rng(5);
    std::map<uint32_t, uint64_t> got;
    for (const auto& [i, _] : demands) tree.activate(PrincipalId{i}, 0);
    for (uint64_t done = 0; done < total;) {
        const PrincipalId id = tree.pick(0);
        if (id == kNoPrincipal) break;
        uint64_t& left = demands[index(id)];
        const uint64_t cost = std::min(left, least + rng() % (most - least + 1));
        if (left != UINT64_MAX) left -= cost;
        got[index(id)] += cost;
        done += cost;
        if (left == 0) tree.deactivate(id);
        tree.charge(cost, 0);
    }
    return got;
}

// S63: capacity 10, demands 1, 4, 8, 8 give 1, 3, 3, 3.
TEST(SchedShares, AreMaxMinFair) {
    const PrincipalTable table =
        table_of({{.name = "a"}, {.name = "b"}, {.name = "c"}, {.name = "d"}});
    FairTree tree(table, shape(100), 0);
    constexpr uint64_t kUnit = 100'000;
    auto got = serve(tree, {{2, 1 * kUnit}, {3, 4 * kUnit}, {4, 8 * kUnit}, {5, 8 * kUnit}},
                     10 * kUnit, 40, 100);
    EXPECT_EQ(got[2], kUnit);
    for (const uint32_t i : {3u, 4u, 5u})
        EXPECT_NEAR(static_cast<double>(got[i]), 3.0 * kUnit, 200.0) << i;
}

TEST(SchedShares, FollowWeightsWhateverTheCosts) {
    std::vector<PrincipalSpec> specs;
    const std::array<uint32_t, 5> weights{1, 2, 10, 100, 1000};
    for (const uint32_t w : weights)
        specs.push_back({.name = "w" + std::to_string(w), .weight = w});
    const PrincipalTable table = table_of(specs);
    FairTree tree(table, shape(), 0);
    constexpr uint64_t kTotal = 200'000'000;
    std::map<uint32_t, uint64_t> demands;
    for (uint32_t i = 0; i < weights.size(); ++i) demands[2 + i] = UINT64_MAX;
    auto got = serve(tree, demands, kTotal, 64, 1500);
    for (uint32_t i = 0; i < weights.size(); ++i) {
        const double ideal = static_cast<double>(kTotal) * weights[i] / 1113;
        EXPECT_NEAR(static_cast<double>(got[2 + i]), ideal, ideal * 0.005 + 4000) << weights[i];
    }
}

TEST(SchedShares, BelongToThePrincipalAndNotToItsParts) {
    std::vector<PrincipalSpec> specs{{.name = "small"}};
    for (int i = 0; i < 100; ++i) specs.push_back({.name = "big/" + std::to_string(i)});
    const PrincipalTable table = table_of(specs);
    FairTree tree(table, shape(), 0);
    std::map<uint32_t, uint64_t> demands;
    for (uint32_t i = kFirstPrincipal; i < table.size(); ++i)
        if (table[PrincipalId{i}].name != "big") demands[i] = UINT64_MAX;
    auto got = serve(tree, demands, 100'000'000, 64, 1500);
    const double small = static_cast<double>(got[index(table.find("small"))]);
    EXPECT_NEAR(small, 50e6, 3000.0);
    for (const auto& [i, units] : got) {
        if (PrincipalId{i} == table.find("small")) continue;
        EXPECT_NEAR(static_cast<double>(units), 500e3, 5000.0);
    }
}

TEST(SchedShares, WhoWasAwayHasSavedNothingUp) {
    const PrincipalTable table = table_of({{.name = "a"}, {.name = "b"}});
    FairTree tree(table, shape(), 0);
    serve(tree, {{2, UINT64_MAX}}, 10'000'000, 64, 1500);
    auto got = serve(tree, {{2, UINT64_MAX}, {3, UINT64_MAX}}, 1'000'000, 64, 1500);
    EXPECT_NEAR(static_cast<double>(got[3]), 500e3, 4000.0);
}

TEST(SchedShares, OneEnormousServiceIsPaidBackInFull) {
    const PrincipalTable table = table_of({{.name = "a"}, {.name = "b"}});
    FairTree tree(table, shape(), 0);
    tree.activate(PrincipalId{2}, 0);
    ASSERT_EQ(tree.pick(0), PrincipalId{2});
    tree.activate(PrincipalId{3}, 0);  // meanwhile
    tree.charge(50'000'000, 0);        // far beyond the calendar's horizon
    auto got = serve(tree, {{2, UINT64_MAX}, {3, UINT64_MAX}}, 60'000'000, 64, 1500);
    EXPECT_NEAR(static_cast<double>(got[2]), 5e6, 5000.0);
}

TEST(SchedShares, ACapShapesThePrincipalAndAllBelowIt) {
    std::vector<PrincipalSpec> specs{{.name = "free"},
                                     {.name = "capped", .caps = {.bytes_per_s = 1'000'000}},
                                     {.name = "capped/x"},
                                     {.name = "capped/y"}};
    const PrincipalTable table = table_of(specs);
    FairTree tree(table, shape(), 0);
    std::map<std::string, uint64_t> got;
    for (const auto* name : {"free", "capped", "capped/x", "capped/y"})
        tree.activate(table.find(name), 0);
    constexpr uint64_t kEnd = 2'000'000'000;
    for (uint64_t now = 0; now < kEnd; now += 10'000) {  // 100 MB/s in all
        const PrincipalId id = tree.pick(now);
        ASSERT_NE(id, kNoPrincipal);
        got[table[id].name] += 1000;
        tree.charge(1000, now);
    }
    const uint64_t capped = got["capped"] + got["capped/x"] + got["capped/y"];
    EXPECT_NEAR(static_cast<double>(capped), 2e6, 5000.0);
    EXPECT_NEAR(static_cast<double>(got["capped/x"]), 2e6 / 3, 3000.0);
    EXPECT_EQ(capped + got["free"], 200'000'000u);  // nothing was left unused
}

// Nothing holds a reservation to a cap above it. Within it the cap holds for both together, also
// where it is used by two at once; beyond it the others wait, but no longer than a burst.
TEST(SchedShares, ACapOwesABurstAtTheMostForWhatIsHadByRight) {
    const PrincipalTable table = table_of({{.name = "org", .caps = {.bytes_per_s = 1'000'000}},
                                           {.name = "org/voice"},
                                           {.name = "org/data"}});
    FairTree tree(table, shape(), 0);
    const PrincipalId voice = table.find("org/voice"), data = table.find("org/data");
    tree.activate(data, 0);
    uint64_t now = 0;
    // What data has until `end`, ns, while voice has two services of 1000 `every` so many ns.
    const auto run = [&](uint64_t end, uint64_t every) {
        uint64_t got = 0;
        for (; now < end; now += 500'000) {
            for (unsigned i = 0; every != 0 && now % every == 0 && i < 2; ++i)
                tree.charge_caps(voice, 1000, now);
            for (; tree.pick(now) == data; got += 500) tree.charge(500, now);
        }
        return static_cast<double>(got);
    };
    EXPECT_NEAR(run(2'000'000'000, 4'000'000), 1e6, 5000.0);
    EXPECT_LE(run(4'000'000'000, 1'000'000), 1000.0) << "twice the cap is reserved";
    EXPECT_GE(run(4'010'000'000, 0), 4000.0) << "a burst's 3 ms later";
    EXPECT_NEAR(run(6'000'000'000, 0), 1.99e6, 1000.0);
}

TEST(SchedShares, WithoutAWeightThereIsNoShare) {
    const PrincipalTable table = table_of({{.name = "a", .weight = 0}});
    FairTree tree(table, shape(), 0);
    tree.activate(PrincipalId{2}, 0);
    EXPECT_EQ(tree.pick(0), kNoPrincipal);
}

// Random activations, services and pauses: every member that wants is served, none that does not.
TEST(SchedShares, NeitherLoseNorInventMembers) {
    std::vector<PrincipalSpec> specs;
    for (int i = 0; i < 60; ++i)
        specs.push_back(
            {.name = std::string("g") + std::to_string(i % 7) + "/p" + std::to_string(i),
             .weight = 1 + static_cast<uint32_t>(i) * 16,
             .caps = {.bytes_per_s = i % 5 == 0 ? 50'000'000u : 0u}});
    const PrincipalTable table = table_of(specs);
    FairTree tree(table, shape(), 0);
    std::mt19937_64 rng(9);
    std::map<uint32_t, uint64_t> work;
    uint64_t now = 0;
    for (int step = 0; step < 300'000; ++step) {
        now += rng() % 2000;
        if (rng() % 3 == 0) {
            const auto i = static_cast<uint32_t>(kFirstPrincipal + rng() % (table.size() - 2));
            work[i] += 1 + rng() % 5;
            tree.activate(PrincipalId{i}, now);
        }
        const PrincipalId id = tree.pick(now);
        if (id == kNoPrincipal) continue;
        ASSERT_GT(work[index(id)], 0u);
        if (--work[index(id)] == 0) tree.deactivate(id);
        tree.charge(64 + rng() % 1400, now);
    }
    uint64_t left = 0, served = 0;
    for (const auto& [_, w] : work) left += w;
    for (; left != served; ++served, now += 1'000'000) {
        const PrincipalId id = tree.pick(now);
        ASSERT_NE(id, kNoPrincipal) << left - served << " lost";
        if (--work[index(id)] == 0) tree.deactivate(id);
        tree.charge(100, now);
    }
    EXPECT_EQ(tree.pick(now), kNoPrincipal);
}

}  // namespace
}  // namespace ravelin::sched
