// SPDX-License-Identifier: Apache-2.0
// Two threads each; meant for ThreadSanitizer as much as for its own checks.
#include "dataplane/spsc_ring.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>
#include <vector>

namespace ravelin {
namespace {

TEST(SpscRing, RefusesWhatDoesNotFitAndKeepsOrder) {
    SpscRing<int> ring(4);
    const int items[] = {1, 2, 3, 4, 5};
    EXPECT_EQ(ring.push(items, 5), 4u);
    int out[5] = {};
    EXPECT_EQ(ring.pop(out, 2), 2u);
    EXPECT_EQ(out[0], 1);
    EXPECT_TRUE(ring.push(9));
    EXPECT_EQ(ring.pop(out, 5), 3u);
    EXPECT_EQ(out[2], 9);
    EXPECT_TRUE(ring.empty());
}

TEST(SpscRing, TwoThreadsLoseAndInventNothing) {
    SpscRing<uint64_t> ring(64);
    constexpr uint64_t kItems = 200'000;
    std::thread producer([&] {
        for (uint64_t next = 0; next < kItems;) {
            uint64_t batch[7];
            unsigned n = 0;
            for (; n < 7 && next + n < kItems; ++n) batch[n] = next + n;
            const unsigned taken = ring.push(batch, n);
            next += taken;
            if (taken == 0) std::this_thread::yield();
        }
    });
    uint64_t expected = 0;
    while (expected < kItems) {
        uint64_t batch[5];
        const unsigned n = ring.pop(batch, 5);
        for (unsigned i = 0; i < n; ++i) ASSERT_EQ(batch[i], expected++);
        if (n == 0) std::this_thread::yield();
    }
    producer.join();
    EXPECT_TRUE(ring.empty());
}

TEST(ByteRing, RecordsComeOutWholeAlsoWhereTheBufferEnds) {
    ByteRing ring(256);
    for (unsigned round = 0; round < 100; ++round) {
        const std::string head(round % 13 + 1, 'h'), body(round % 40, 'b');
        ASSERT_TRUE(ring.push(head.data(), head.size(), body.data(), body.size()));
        std::string got;
        ASSERT_EQ(ring.drain(1, [&](const uint8_t* at, size_t n) { got.assign(at, at + n); }), 1u);
        ASSERT_EQ(got, head + body);
    }
}

TEST(ByteRing, RefusesWhenFullAndRecordsTooLong) {
    ByteRing ring(256);
    const std::string record(40, 'x');
    unsigned held = 0;
    while (ring.push(record.data(), record.size(), nullptr, 0)) ++held;
    EXPECT_GE(held, 4u);
    EXPECT_LE(held, 256u / 48);
    const std::string huge(65, 'x');
    EXPECT_EQ(ring.drain(100, [](const uint8_t*, size_t) {}), held);
    EXPECT_FALSE(ring.push(huge.data(), huge.size(), nullptr, 0));
}

TEST(ByteRing, TwoThreadsSeeEveryRecordIntact) {
    ByteRing ring(4096);
    constexpr uint32_t kRecords = 50'000;
    std::thread producer([&] {
        uint8_t body[200];
        for (uint32_t i = 0; i < kRecords;) {
            std::memset(body, static_cast<int>(i & 0xff), sizeof body);
            if (ring.push(&i, sizeof i, body, i % sizeof body))
                ++i;
            else
                std::this_thread::yield();
        }
    });
    uint32_t expected = 0;
    while (expected < kRecords)
        if (ring.drain(16, [&](const uint8_t* at, size_t n) {
                uint32_t i = 0;
                std::memcpy(&i, at, sizeof i);
                EXPECT_EQ(i, expected);
                EXPECT_EQ(n, sizeof i + i % 200);
                for (size_t b = sizeof i; b < n; ++b) EXPECT_EQ(at[b], i & 0xff);
                ++expected;
            }) == 0)
            std::this_thread::yield();
    producer.join();
}

}  // namespace
}  // namespace ravelin
