// SPDX-License-Identifier: Apache-2.0
// Rates: against a plain token bucket, by four threads at once, and with more keys than there is
// room.
#include "pipelines/tables/limit_table.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <thread>
#include <vector>

namespace ravelin {
namespace {

using Verdict = LimitTable::Verdict;
constexpr uint64_t kSecond = 1'000'000'000;

LimitSpec packets(uint64_t rate, uint64_t burst, LimitSpec::Key key, uint32_t size = 1024) {
    LimitSpec spec;
    spec.key = key;
    spec.cost = kSecond;
    spec.per = rate;
    spec.depth_ns = burst * (kSecond / rate);
    spec.size = size;
    return spec;
}
const IpAddress kOther = IpAddress::v4(0xc0000201);

// A bucket as the textbook has it: so many nanoseconds of credit, refilled by time.
struct Bucket {
    uint64_t credit, seen;
    bool take(uint64_t cost, uint64_t depth, uint64_t now) {
        credit = std::min(depth, credit + now - seen);
        seen = now;
        if (credit < cost) return false;
        credit -= cost;
        return true;
    }
};

TEST(LimitTable, IsATokenBucketForEachKey) {
    std::mt19937_64 rng(3);
    for (const auto key :
         {LimitSpec::Key::kRule, LimitSpec::Key::kSource, LimitSpec::Key::kDestination}) {
        for (const bool bytes : {false, true}) {
            LimitSpec spec = packets(100, 7, key);
            if (bytes) {
                spec.unit = LimitSpec::Unit::kBytes;
                spec.cost = 8 * kSecond;
                spec.per = 1'000'000;
                spec.depth_ns = 3000 * spec.cost / spec.per;
            }
            LimitTable table(spec);
            std::map<IpAddress, Bucket> model;
            uint64_t now = kSecond;
            for (unsigned i = 0; i < 50'000; ++i) {
                now += rng() % 4'000'000;
                const IpAddress a = IpAddress::v4(static_cast<uint32_t>(1 + rng() % 3));
                const auto length = static_cast<uint32_t>(20 + rng() % 1400);
                const bool source = key == LimitSpec::Key::kSource;
                const IpAddress owner = key == LimitSpec::Key::kRule ? kOther : a;
                Bucket& bucket = model.try_emplace(owner, Bucket{spec.depth_ns, now}).first->second;
                const uint64_t cost = (bytes ? length : 1) * spec.cost / spec.per;
                const bool peek = rng() % 4 == 0;
                Bucket copy = bucket;
                const bool expected = (peek ? copy : bucket).take(cost, spec.depth_ns, now);
                const auto verdict =
                    table.check(source ? a : kOther, source ? kOther : a, length, now, !peek);
                ASSERT_EQ(verdict == Verdict::kWithin, expected) << i;
                ASSERT_NE(verdict, Verdict::kNoRoom);
            }
        }
    }
}

TEST(LimitTable, FourWorkersHaveOneBurstTogether) {
    for (const auto key : {LimitSpec::Key::kRule, LimitSpec::Key::kSource}) {
        LimitTable table(packets(10, 1000, key));
        std::atomic<unsigned> passed{0};
        std::vector<std::thread> workers;
        for (unsigned w = 0; w < 4; ++w)
            workers.emplace_back([&] {
                for (unsigned i = 0; i < 5000; ++i)
                    if (table.check(kOther, kOther, 100, kSecond, true) == Verdict::kWithin)
                        ++passed;
            });
        for (auto& worker : workers) worker.join();
        EXPECT_EQ(passed, 1000u);
    }
}

TEST(LimitTable, ABusyKeyIsNotPushedOutByOthers) {
    LimitTable table(packets(1, 1, LimitSpec::Key::kSource, 256));
    const size_t memory = table.memory_bytes();
    uint64_t now = kSecond;
    const IpAddress first = IpAddress::v4(1);
    ASSERT_EQ(table.check(first, kOther, 100, now, true), Verdict::kWithin);
    unsigned no_room = 0;
    for (uint32_t i = 2; i < 5000; ++i)
        no_room += table.check(IpAddress::v4(i), kOther, 100, now, true) == Verdict::kNoRoom;
    EXPECT_GT(no_room, 4000u);
    EXPECT_EQ(table.check(first, kOther, 100, now, true), Verdict::kOver);
    // A second later all are full again, and whoever comes has a place.
    now += kSecond;
    EXPECT_EQ(table.check(IpAddress::v4(9999), kOther, 100, now, true), Verdict::kWithin);
    EXPECT_EQ(table.check(first, kOther, 100, now, true), Verdict::kWithin);
    EXPECT_EQ(table.memory_bytes(), memory);
}

// As many keys as it is made for find room, all but a few.
TEST(LimitTable, HasRoomForItsSize) {
    constexpr uint32_t kSize = 16384;
    LimitTable table(packets(1, 1, LimitSpec::Key::kSource, kSize));
    unsigned no_room = 0;
    for (uint32_t i = 0; i < kSize; ++i)
        no_room += table.check(IpAddress::v4(i * 7), kOther, 1, kSecond, true) == Verdict::kNoRoom;
    EXPECT_LT(no_room, kSize / 1000);
}

}  // namespace
}  // namespace ravelin
