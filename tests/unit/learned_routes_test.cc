// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>

#include "dataplane/neighbour_table.h"
#include "pipelines/stages/route_learned.h"

namespace ravelin {
namespace {

NextHop by(const std::string& gateway, PortId port = 0) {
    return {.on_link = false, .port = port, .gateway = *IpAddress::parse(gateway)};
}

LearnedRoute route(const std::string& to, std::vector<WeightedHop> hops) {
    return {*Prefix::parse(to), 186, std::move(hops)};
}

struct Table : ::testing::Test {
    Table() {
        context.neighbours = &neighbours;
        learned.set_limit(1000);
    }
    std::string next(const std::string& address, uint32_t hash = 0) {
        const auto match = learned.lookup(*IpAddress::parse(address));
        if (match.length < 0) return "none";
        const NextHop* hop = learned.hop(learned.choose(match.value, hash, context));
        return hop == nullptr ? "no hop" : hop->gateway.to_string();
    }
    NeighbourTable neighbours;
    WorkerContext context;
    LearnedRoutes learned;
};

using LearnedTest = Table;

TEST_F(LearnedTest, TheLongestPrefixOfEachFamilyWins) {
    learned.begin_sync();
    ASSERT_TRUE(learned.apply(route("20.0.0.0/8", {{by("10.0.0.1")}})));
    ASSERT_TRUE(learned.apply(route("20.1.0.0/16", {{by("10.0.0.2")}})));
    ASSERT_TRUE(learned.apply(route("::/0", {{by("fe80::1")}})));
    EXPECT_EQ(next("20.1.2.3"), "10.0.0.2");
    EXPECT_EQ(next("20.2.2.3"), "10.0.0.1");
    EXPECT_EQ(next("21.0.0.1"), "none") << "the other family's default is not this one's";
    EXPECT_EQ(next("2001:db8::1"), "fe80::1");
    ASSERT_TRUE(learned.apply(route("20.1.0.0/16", {})));
    EXPECT_EQ(next("20.1.2.3"), "10.0.0.1");
}

TEST_F(LearnedTest, TellsByWhichPortsAValueForwards) {
    NextHop nowhere = by("10.0.0.9", 2);
    nowhere.kind = RouteKind::kBlackhole;
    ASSERT_TRUE(learned.apply(route("20.1.0.0/16", {{by("10.0.0.1", 1)}})));
    ASSERT_TRUE(learned.apply(route("20.2.0.0/16", {{by("10.0.0.1", 1)}, {by("10.0.0.2", 3)}})));
    ASSERT_TRUE(learned.apply(route("20.3.0.0/16", {{nowhere}})));
    const auto forwards = [&](const char* address, PortId port) {
        const auto value = learned.lookup(*IpAddress::parse(address)).value;
        EXPECT_EQ(learned.forwards(value, port),
                  learned.forwards(LearnedRoutes::kBase | value, port));
        return learned.forwards(value, port);
    };
    EXPECT_TRUE(forwards("20.1.0.1", 1));
    EXPECT_FALSE(forwards("20.1.0.1", 3));
    EXPECT_TRUE(forwards("20.1.0.1", kNoPort));
    EXPECT_TRUE(forwards("20.2.0.1", 1) && forwards("20.2.0.1", 3));
    EXPECT_FALSE(forwards("20.2.0.1", 2));
    EXPECT_FALSE(forwards("20.3.0.1", 2) || forwards("20.3.0.1", kNoPort));
}

TEST_F(LearnedTest, ASyncTakesAwayWhatItDoesNotName) {
    learned.begin_sync();
    for (const char* to : {"20.1.0.0/16", "20.2.0.0/16"})
        ASSERT_TRUE(learned.apply(route(to, {{by("10.0.0.1")}})));
    learned.end_sync();
    learned.begin_sync();
    ASSERT_TRUE(learned.apply(route("20.2.0.0/16", {{by("10.0.0.1")}})));
    EXPECT_EQ(learned.size(), 2u) << "until the end both stay";
    EXPECT_EQ(learned.end_sync(), 1u);
    EXPECT_EQ(next("20.1.0.1"), "none");
    EXPECT_EQ(next("20.2.0.1"), "10.0.0.1");
}

TEST_F(LearnedTest, WhatNobodyVouchesForGoesWholeAndIsCounted) {
    learned.begin_sync();
    for (const char* to : {"20.1.0.0/16", "2001:db8::/32"})
        ASSERT_TRUE(learned.apply(route(to, {{by("10.0.0.1")}})));
    EXPECT_EQ(learned.drop_stale(), 2u) << "in the middle of a sync, too";
    EXPECT_TRUE(learned.empty());
    EXPECT_EQ(next("20.1.0.1"), "none");
    EXPECT_EQ(learned.drop_stale(), 0u);
    EXPECT_EQ(learned.stale(), 2u);
}

TEST_F(LearnedTest, IsBoundedAndCountsWhatItRefuses) {
    learned.set_limit(2);
    EXPECT_TRUE(learned.apply(route("20.1.0.0/16", {{by("10.0.0.1")}})));
    EXPECT_TRUE(learned.apply(route("20.2.0.0/16", {{by("10.0.0.1")}})));
    EXPECT_FALSE(learned.apply(route("20.3.0.0/16", {{by("10.0.0.1")}})));
    EXPECT_TRUE(learned.apply(route("20.2.0.0/16", {{by("10.0.0.9")}}))) << "a change is no growth";
    EXPECT_EQ(learned.refused(), 1u);
    EXPECT_EQ(next("20.2.0.1"), "10.0.0.9");
}

TEST_F(LearnedTest, SpreadsOverReachableNextHopsOnly) {
    ASSERT_TRUE(learned.apply(route("20.0.0.0/8", {{by("10.0.0.1")}, {by("10.0.0.2")}})));
    EXPECT_TRUE(learned.finish_batch());
    EXPECT_EQ(learned.watched().size(), 2u);
    const MacAddress mac{{2, 0, 0, 0, 0, 1}};
    neighbours.insert(0, *IpAddress::parse("10.0.0.2"), mac, NeighbourState::kReachable, 0);
    for (uint32_t hash = 0; hash < 100; ++hash)
        EXPECT_EQ(next("20.0.0.1", hash * 0x9e3779b9), "10.0.0.2");
    neighbours.insert(0, *IpAddress::parse("10.0.0.1"), mac, NeighbourState::kReachable, 0);
    std::map<std::string, unsigned> seen;
    for (uint32_t hash = 0; hash < 1000; ++hash) ++seen[next("20.0.0.1", hash * 0x9e3779b9)];
    EXPECT_GT(seen["10.0.0.1"], 300u);
    EXPECT_GT(seen["10.0.0.2"], 300u);
}

TEST_F(LearnedTest, NextHopsAreUsedAgainAfterReclaimOnly) {
    const auto numbered = [](uint32_t i) {
        return NextHop{.on_link = false, .port = 0, .gateway = IpAddress::v4(0x0a000000 + i)};
    };
    for (unsigned round = 0; round < 3; ++round) {
        for (uint32_t i = 0; i < LearnedRoutes::kMostHops; ++i)
            ASSERT_TRUE(learned.apply(route("20.0.0.0/24", {{numbered(i)}}))) << i;
        EXPECT_FALSE(learned.apply(route("20.0.0.0/24", {{numbered(1u << 20)}})))
            << "a reader may still hold every one";
        EXPECT_EQ(next("20.0.0.1"), "none") << "the old next hop would be wrong";
        EXPECT_TRUE(learned.finish_batch());
        learned.reclaim();
        EXPECT_FALSE(learned.finish_batch());
    }
}

// Against a map, with a reader beside: what the reader finds is always a next hop of the set.
TEST_F(LearnedTest, AgreesWithAMapWhileOthersRead) {
    learned.set_limit(100'000);
    std::map<Prefix, std::string> model;
    std::atomic<uint64_t> turns{0};
    std::atomic<bool> stop{false}, wrong{false};
    std::thread reader([&] {
        std::mt19937 random(1);
        while (!stop.load()) {
            turns.fetch_add(1);
            for (unsigned i = 0; i < 32; ++i) {
                const auto m = learned.lookup(
                    IpAddress::v4(static_cast<uint32_t>(0x14000000 | (random() & 0xffff00))));
                if (m.length < 0) continue;
                const NextHop* hop =
                    learned.hop(learned.choose(m.value, static_cast<uint32_t>(random()), context));
                if (hop == nullptr || hop->gateway.v4_host() >> 8 != 0x0a0000) wrong.store(true);
            }
        }
    });
    std::mt19937 random(2);
    for (unsigned round = 0; round < 20'000; ++round) {
        const auto length = static_cast<uint8_t>(8 + random() % 17);
        const Prefix to{
            Prefix{IpAddress::v4(static_cast<uint32_t>(0x14000000 | (random() & 0xffff00))), length}
                .first(),
            length};
        std::vector<WeightedHop> hops;
        for (auto n = static_cast<unsigned>(random() % 4); n-- > 0;)
            hops.push_back({by("10.0.0." + std::to_string(1 + random() % 40))});
        if (hops.empty())
            model.erase(to);
        else
            model[to] = "there";
        ASSERT_TRUE(learned.apply({to, 186, hops}));
        if (round % 50 == 0 && learned.finish_batch()) {
            const uint64_t then = turns.load();
            while (turns.load() < then + 2) std::this_thread::yield();
            learned.reclaim();
        }
    }
    stop.store(true);
    reader.join();
    EXPECT_FALSE(wrong.load());
    EXPECT_EQ(learned.size(), model.size());
    size_t at = 0;
    const auto listed = learned.list(model.size());
    for (const auto& [prefix, there] : model) EXPECT_EQ(listed[at++].prefix, prefix);
}

}  // namespace
}  // namespace ravelin
