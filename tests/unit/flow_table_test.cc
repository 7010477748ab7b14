// SPDX-License-Identifier: Apache-2.0
#include "dataplane/flow_table.h"

#include <gtest/gtest.h>

#include <list>
#include <random>
#include <unordered_map>
#include <vector>

#include "dataplane/principals.h"
#include "tests/unit/flow_support.h"

namespace ravelin {
namespace {
using test::key_of;
using test::TableOf;

TEST(Crc32c, InstructionAgreesWithSoftware) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 1000; ++i) {
        const auto seed = static_cast<uint32_t>(random());
        const uint64_t word = random();
        EXPECT_EQ(crc32c_step(seed, word), crc32c_step_software(seed, word));
    }
    // RFC 3720 B.4: 32 bytes of zeroes, with the inversions.
    const std::array<char, 32> zeroes{};
    EXPECT_EQ(~crc32c(zeroes.data(), zeroes.size(), ~0u), 0x8a9136aau);
}

TEST(FlowKey, BothDirectionsGiveOneKey) {
    std::mt19937 random(2);
    for (int i = 0; i < 1000; ++i) {
        const IpAddress a = IpAddress::v4(static_cast<uint32_t>(random()) % 4);
        const IpAddress b = IpAddress::v4(static_cast<uint32_t>(random()) % 4);
        const auto x = static_cast<uint16_t>(random() % 3);
        const auto y = static_cast<uint16_t>(random() % 3);
        bool there;
        bool back;
        const FlowKey k1 = FlowKey::make(a, b, x, y, 6, 9, there);
        const FlowKey k2 = FlowKey::make(b, a, y, x, 6, 9, back);
        EXPECT_TRUE(k1 == k2);
        EXPECT_EQ(k1.hash(), k2.hash());
        EXPECT_TRUE(k1.is_canonical());
        EXPECT_EQ(there != back, a != b || x != y);
    }
}

TEST(FlowKey, ZoneAndProtocolSeparate) {
    bool swapped;
    const IpAddress a = IpAddress::v4(1);
    const IpAddress b = IpAddress::v4(2);
    const FlowKey k = FlowKey::make(a, b, 1, 2, 6, 0, swapped);
    EXPECT_FALSE(k == FlowKey::make(a, b, 1, 2, 17, 0, swapped));
    EXPECT_FALSE(k == FlowKey::make(a, b, 1, 2, 6, 1, swapped));
}

TEST(FlowTable, CreateRefusesBadMemory) {
    test::Memory memory = test::memory_for(100);
    const size_t bytes = FlowTable::bytes_for(100);
    EXPECT_FALSE(FlowTable::create(memory.get(), bytes - 1, 100, 1).ok());
    EXPECT_FALSE(FlowTable::create(memory.get(), bytes, 0, 1).ok());
    EXPECT_FALSE(FlowTable::create(static_cast<char*>(memory.get()) + 8, bytes, 100, 1).ok());
    EXPECT_TRUE(FlowTable::create(memory.get(), bytes, 100, 1).ok());
}

TEST(FlowTable, FillsToTheLastSlot) {
    for (const uint32_t capacity : {1u, 2u, 11u, 12u, 13u, 1000u, 50'000u}) {
        TableOf t(capacity);
        for (uint32_t n = 0; n < capacity; ++n) {
            Flow* flow = t.insert(n);
            ASSERT_NE(flow, nullptr);
            t.table.prove(*flow);
        }
        EXPECT_EQ(t.table.size(), capacity);
        for (uint32_t n = 0; n < capacity; ++n) ASSERT_NE(t.find(n), nullptr);
        EXPECT_EQ(t.insert(capacity), nullptr);
        EXPECT_EQ(t.table.stats().refused_full, 1u);
    }
}

// Every key in one bucket, the worst an attacker could do: inserts still never fail early.
// (remove() hashes the key itself, so flows under a made-up hash cannot be taken out.)
TEST(FlowTable, TakesOneSingleHash) {
    TableOf t(3000);
    const uint32_t hash = key_of(0).hash();
    for (uint32_t n = 0; n < 3000; ++n) ASSERT_NE(t.table.insert(key_of(n), hash, 0), nullptr);
    for (uint32_t n = 0; n < 3000; ++n) ASSERT_NE(t.table.find(key_of(n), hash), nullptr);
}

TEST(FlowTable, ShedsTheOldestUnproven) {
    TableOf t(4);
    for (uint32_t n = 0; n < 4; ++n) t.insert(n);
    t.table.prove(*t.find(0));
    EXPECT_EQ(t.table.oldest_unproven(), t.find(1));
    ASSERT_NE(t.insert(4), nullptr);
    EXPECT_EQ(t.find(1), nullptr);
    EXPECT_NE(t.find(0), nullptr);
    ASSERT_NE(t.insert(5), nullptr);
    EXPECT_EQ(t.find(2), nullptr);
    EXPECT_EQ(t.table.stats().shed_unproven, 2u);
    for (const uint32_t n : {3u, 4u, 5u}) t.table.prove(*t.find(n));
    EXPECT_EQ(t.insert(6), nullptr);
    EXPECT_EQ(t.table.size(), 4u);
}

// What operators are told that a flow takes is what it does take, to a twentieth.
TEST(FlowTable, ACapOnMemoryCountsWhatFlowsTake) {
    constexpr uint32_t kFlows = 1 << 20;
    const auto each = static_cast<double>(FlowTable::bytes_for(kFlows)) / kFlows;
    EXPECT_NEAR(each, static_cast<double>(kFlowBytes), each / 20);
}

TEST(FlowTable, BurstFindsWhatFindFinds) {
    TableOf t(5000);
    for (uint32_t n = 0; n < 5000; ++n) t.insert(n);
    for (const unsigned count : {0u, 1u, 63u, 64u, 65u, 300u}) {
        std::vector<FlowKey> keys;
        std::vector<uint32_t> hashes;
        for (uint32_t i = 0; i < count; ++i) {
            keys.push_back(key_of(i * 37));
            hashes.push_back(keys.back().hash());
        }
        std::vector<Flow*> out(count);
        t.table.find_burst(keys.data(), hashes.data(), out.data(), count);
        for (uint32_t i = 0; i < count; ++i) EXPECT_EQ(out[i], t.find(i * 37));
    }
}

// Flows expire not before their deadline and at most one tick after it, across the clock's wrap.
TEST(FlowTable, ExpiryIsExactToATick) {
    for (const uint32_t start : {0u, 0xffff0000u, 0x7fffff00u}) {
        TableOf t(2000, start);
        std::mt19937 random(3);
        std::unordered_map<uint32_t, uint32_t> deadline;
        for (uint32_t n = 0; n < 2000; ++n) {
            const uint32_t timeout = static_cast<uint32_t>(random()) % 1'500'000;
            Flow* flow = t.insert(n, start);
            t.table.touch(*flow, start, timeout);
            deadline[n] = timeout;
        }
        for (uint32_t at = 0; at < 1'501'000; at += 100) {
            t.table.expire(start + at, 100'000);
            for (auto it = deadline.begin(); it != deadline.end();) {
                const bool there = t.find(it->first) != nullptr;
                ASSERT_TRUE(there || at >= it->second) << at << " " << it->second;
                ASSERT_FALSE(there && at >= it->second + FlowTable::kTickMs);
                if (there)
                    ++it;
                else
                    it = deadline.erase(it);
            }
            if (at % 10'000 != 0) at += 400;  // keep the oracle's scans few
        }
        EXPECT_EQ(t.table.size(), 0u);
    }
}

TEST(FlowTable, ExpiryWorkIsBounded) {
    TableOf t(1000);
    for (uint32_t n = 0; n < 1000; ++n) t.insert(n);
    const uint32_t late = 100'000'000;  // far beyond the wheel's horizon
    unsigned total = 0;
    for (unsigned calls = 0; t.table.size() > 0; ++calls) {
        ASSERT_LT(calls, (1000 + FlowTable::kWheelSlots) / 10 + 2);
        const unsigned n = t.table.expire(late, 10);
        ASSERT_LE(n, 10u);
        total += n;
    }
    EXPECT_EQ(total, 1000u);
    EXPECT_EQ(t.table.stats().expired, 1000u);
}

TEST(FlowTable, ForEachVisitsAllInPieces) {
    TableOf t(100);
    for (uint32_t n = 0; n < 60; ++n) t.insert(n);
    uint32_t cursor = 0;
    unsigned seen = 0;
    while (t.table.for_each(cursor, 7, [&](Flow& f) {
        ++seen;
        if (seen % 2 == 0) t.table.remove(f);
    })) {
    }
    EXPECT_EQ(seen, 60u);
    EXPECT_EQ(t.table.size(), 30u);
}

struct Model {
    struct Entry {
        uint32_t deadline;
        bool proven;
    };
    std::unordered_map<uint32_t, Entry> flows;
    std::list<uint32_t> unproven;  // oldest first
};

class FlowTableModel : public testing::TestWithParam<unsigned> {};

// Random operations against an oracle; the key space sets the fill.
TEST_P(FlowTableModel, AgreesWithOracle) {
    constexpr uint32_t kCapacity = 700;
    const uint32_t keys = kCapacity * GetParam() / 100;
    TableOf t(kCapacity);
    Model model;
    std::mt19937 random(GetParam());
    uint32_t now = 0xfffff000;
    t.table = std::move(
        *FlowTable::create(t.memory.get(), FlowTable::bytes_for(kCapacity), kCapacity, 1, now));
    const auto forget = [&](uint32_t n) {
        if (!model.flows.at(n).proven) model.unproven.remove(n);
        model.flows.erase(n);
    };
    for (int step = 0; step < 60'000; ++step) {
        const uint32_t n = static_cast<uint32_t>(random()) % keys;
        const auto known = model.flows.find(n);
        Flow* flow = t.find(n);
        ASSERT_EQ(flow != nullptr, known != model.flows.end());
        const auto op = static_cast<unsigned>(random() % 100);
        if (flow == nullptr) {
            const bool full = model.flows.size() == kCapacity;
            const bool refuse = full && model.unproven.empty();
            if (full && !refuse) forget(model.unproven.front());
            ASSERT_EQ(t.insert(n, now) == nullptr, refuse);
            if (refuse) continue;
            model.flows[n] = {now + FlowTable::kInitialTimeoutMs, false};
            model.unproven.push_back(n);
        } else if (op < 20) {
            t.table.prove(*flow);
            if (!known->second.proven) model.unproven.remove(n);
            known->second.proven = true;
        } else if (op < 60) {
            const uint32_t timeout = static_cast<uint32_t>(random()) % 700'000;
            t.table.touch(*flow, now, timeout);
            known->second.deadline = now + timeout;
        } else if (op < 75) {
            t.table.remove(*flow);
            forget(n);
        } else if (op < 78) {
            now += static_cast<uint32_t>(random()) % 3000;
            unsigned budget = 100'000;
            while (Flow* due = t.table.next_expired(now, budget)) {
                ASSERT_TRUE(due->expired(now));
                t.table.remove(*due);
            }
            std::vector<uint32_t> gone;
            for (const auto& [k, e] : model.flows) {
                const auto late = static_cast<int32_t>(now - e.deadline);
                const bool there = t.find(k) != nullptr;
                ASSERT_TRUE(there || late >= 0);
                ASSERT_FALSE(there && late > static_cast<int32_t>(FlowTable::kTickMs));
                if (!there) gone.push_back(k);
            }
            for (const uint32_t k : gone) forget(k);
        }
        ASSERT_EQ(t.table.size(), model.flows.size());
    }
    for (const auto& [k, e] : model.flows) ASSERT_EQ(t.find(k)->proven(), e.proven);
}
INSTANTIATE_TEST_SUITE_P(Fill, FlowTableModel, testing::Values(10u, 50u, 90u, 100u, 130u, 300u));

// A stamp of ways comes again after 65,535 others: by then no flow may have one of the last time.
TEST(FlowTable, ForgetsAllWaysInHalfThatTime) {
    for (const uint32_t capacity : {1u, 100u, 32'768u, 70'000u}) {
        TableOf t(capacity);
        for (uint32_t n = 0; n < capacity; n += capacity / 100 + 1)
            t.insert(n)->ways = {.stamp = 7, .way = {1, 2}};
        for (unsigned call = 0; call < 1u << 15; ++call) t.table.forget_some_ways();
        for (uint32_t n = 0; n < capacity; n += capacity / 100 + 1)
            ASSERT_EQ(t.find(n)->ways.stamp, 0u) << n << " of " << capacity;
    }
}

}  // namespace
}  // namespace ravelin
