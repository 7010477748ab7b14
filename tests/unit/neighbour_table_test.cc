// SPDX-License-Identifier: Apache-2.0
#include "dataplane/neighbour_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

namespace ravelin {
namespace {

using State = NeighbourState;

IpAddress host(uint32_t n) { return IpAddress::v4(0x0a000000 + n); }
// Every byte tells the number, so that a torn MAC is seen.
MacAddress mac_of(uint8_t n) { return {{n, n, n, n, n, n}}; }

TEST(NeighbourTable, FindsByPortAndAddress) {
    NeighbourTable table(16);
    table.insert(1, host(1), mac_of(2), State::kReachable, 5);
    EXPECT_EQ(table.lookup(1, host(1)), mac_of(2));
    EXPECT_EQ(table.lookup(0, host(1)), std::nullopt);
    EXPECT_EQ(table.lookup(1, host(2)), std::nullopt);
    const IpAddress v6 = *IpAddress::parse("fe80::1");
    table.insert(1, v6, mac_of(4), State::kStale, 5);
    EXPECT_EQ(table.lookup(1, v6), mac_of(4));
    ASSERT_EQ(table.list().size(), 2u);
    EXPECT_EQ(table.list()[1].address, v6);
}

TEST(NeighbourTable, GivesAMacOnlyInStatesThatHaveOne) {
    NeighbourTable table(16);
    const uint32_t slot = table.insert(0, host(1), mac_of(2), State::kIncomplete, 0);
    for (const State s :
         {State::kReachable, State::kStale, State::kDelay, State::kProbing, State::kPermanent}) {
        table.set(slot, s, 0);
        EXPECT_TRUE(table.lookup(0, host(1)).has_value());
    }
    for (const State s : {State::kIncomplete, State::kFailed}) {
        table.set(slot, s, 0);
        EXPECT_FALSE(table.lookup(0, host(1)).has_value());
    }
}

TEST(NeighbourTable, RemembersThatAStaleEntryWasUsed) {
    NeighbourTable table(16);
    const uint32_t slot = table.insert(0, host(1), mac_of(2), State::kStale, 0);
    EXPECT_FALSE(table.used(slot));
    (void)table.lookup(0, host(1));
    EXPECT_TRUE(table.used(slot));
    table.set(slot, State::kStale, 1);
    EXPECT_FALSE(table.used(slot));
}

TEST(NeighbourTable, EvictsTheOldestStaleEntryWhenFull) {
    NeighbourTable table(8);
    for (uint32_t i = 0; i < 8; ++i)
        table.insert(0, host(i), mac_of(2), i < 4 ? State::kReachable : State::kStale, 100 - i);
    EXPECT_NE(table.insert(0, host(100), mac_of(4), State::kReachable, 200),
              NeighbourTable::kNoSlot);
    EXPECT_FALSE(table.view(0, host(7)).has_value());
    EXPECT_TRUE(table.view(0, host(6)).has_value());
    EXPECT_EQ(table.evicted(), 1u);
}

TEST(NeighbourTable, RefusesWhenNothingIsStale) {
    NeighbourTable table(4);
    for (uint32_t i = 0; i < 4; ++i) table.insert(0, host(i), mac_of(2), State::kReachable, 0);
    EXPECT_EQ(table.insert(0, host(9), mac_of(2), State::kStale, 0), NeighbourTable::kNoSlot);
    EXPECT_EQ(table.refused(), 1u);
}

TEST(NeighbourTable, KeepsEveryOtherEntryAcrossErasures) {
    NeighbourTable table(256);
    for (uint32_t i = 0; i < 256; ++i) table.insert(0, host(i), mac_of(2), State::kStale, i);
    for (uint32_t i = 0; i < 256; i += 2) table.erase(table.find(0, host(i)));
    for (uint32_t i = 0; i < 256; ++i) EXPECT_EQ(table.view(0, host(i)).has_value(), i % 2 == 1);
    for (uint32_t i = 0; i < 256; i += 2)
        EXPECT_NE(table.insert(1, host(i), mac_of(6), State::kStale, i), NeighbourTable::kNoSlot);
    EXPECT_EQ(table.list().size(), 256u);
}

TEST(NeighbourTable, ListsTimedEntriesAsActive) {
    NeighbourTable table(16);
    const uint32_t a = table.insert(0, host(1), {}, State::kIncomplete, 0);
    const uint32_t b = table.insert(0, host(2), {}, State::kIncomplete, 0);
    table.set(a, State::kReachable, 0);
    ASSERT_EQ(table.active().size(), 1u);
    EXPECT_EQ(table.active()[0], b);
    table.erase(b);
    EXPECT_TRUE(table.active().empty());
}

TEST(NeighbourTable, HoldsFewFramesInOrder) {
    NeighbourTable table(128);
    rte_mbuf frames[NeighbourTable::kHeldFrames + 1];  // only their addresses matter here
    const uint32_t first = table.insert(0, host(0), {}, State::kIncomplete, 0);
    for (unsigned i = 0; i < NeighbourTable::kHeldPerNeighbour; ++i)
        EXPECT_TRUE(table.hold(first, &frames[i]));
    EXPECT_FALSE(table.hold(first, &frames[8]));
    unsigned held = 8;
    for (uint32_t n = 1; n < 100; ++n) {
        const uint32_t slot = table.insert(0, host(n), {}, State::kIncomplete, 0);
        for (unsigned i = 0; i < 8 && held < 513; ++i)
            held += table.hold(slot, &frames[held]) ? 1 : 0;
    }
    EXPECT_EQ(held, NeighbourTable::kHeldFrames);
    for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(table.release(first), &frames[i]);
    EXPECT_EQ(table.release(first), nullptr);
    for (uint32_t n = 1; n < 100; ++n)
        while (table.release(table.find(0, host(n))) != nullptr) {
        }
}

// Run it under ThreadSanitizer too. A reader must see the MAC that belongs to the key, or none.
TEST(NeighbourTable, NeverShowsAReaderATornOrForeignMac) {
    constexpr uint32_t kHosts = 32;
    NeighbourTable table(8);  // small: slots change hands all the time
    std::atomic<bool> stop{false};
    std::atomic<uint64_t> wrong{0}, seen{0};
    const auto read = [&] {
        while (!stop.load(std::memory_order_relaxed)) {
            for (uint32_t i = 0; i < kHosts; ++i)
                if (const auto mac = table.lookup(0, host(i))) {
                    seen.fetch_add(1, std::memory_order_relaxed);
                    const uint8_t base = mac->bytes[0];
                    if (*mac != mac_of(base) || base % kHosts != i)
                        wrong.fetch_add(1, std::memory_order_relaxed);
                }
            for (const NeighbourView& v : table.list())
                if (v.mac.bytes[0] % kHosts != v.address.bytes[15])
                    wrong.fetch_add(1, std::memory_order_relaxed);
        }
    };
    std::vector<std::jthread> readers;
    for (int i = 0; i < 2; ++i) readers.emplace_back(read);
    uint32_t random = 1;
    for (uint32_t turn = 0; turn < 200'000 || (seen == 0 && turn < 50'000'000); ++turn) {
        random = random * 1664525 + 1013904223;
        const uint32_t n = (random >> 8) % kHosts;
        const MacAddress mac = mac_of(static_cast<uint8_t>(n + kHosts * ((random >> 20) % 8)));
        const uint32_t slot = table.find(0, host(n));
        if (slot == NeighbourTable::kNoSlot)
            table.insert(0, host(n), mac, State::kStale, turn);
        else if ((random >> 28) == 0)
            table.erase(slot);
        else
            table.set(slot, mac, State::kStale, turn);
    }
    stop = true;
    readers.clear();
    EXPECT_EQ(wrong, 0u);
    EXPECT_GT(seen, 0u);
}

}  // namespace
}  // namespace ravelin
