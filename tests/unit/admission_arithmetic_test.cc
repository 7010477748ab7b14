// SPDX-License-Identifier: Apache-2.0
// Sums of shares come out as in exact arithmetic (requirements S36 to S38, S72d).
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "controlplane/admission/natural.h"
#include "controlplane/admission/shares.h"

namespace ravelin::admission {
namespace {

TEST(Natural, AgreesWithTheProcessor) {
    std::mt19937_64 random(1);
    for (int i = 0; i < 5000; ++i) {
        const Wide a = random() >> (random() % 64);
        const Wide b = random() >> (random() % 64);
        EXPECT_EQ(Natural(a) * Natural(b), Natural(a * b));
        EXPECT_EQ(Natural(a) + Natural(b), Natural(a + b));
        EXPECT_EQ(Natural(a) <=> Natural(b), a <=> b);
        EXPECT_EQ(Natural(a * b) <=> Natural(b * b + a), a * b <=> b * b + a);
    }
    EXPECT_EQ(Natural(0), Natural());
    EXPECT_EQ(Natural(5) * Natural(0), Natural());
}

TEST(Natural, IsBeyondTheProcessor) {
    std::mt19937_64 random(2);
    const auto big = [&] {
        Natural n(1);
        for (int i = 0; i < 20; ++i) n = n * Natural(random()) + Natural(random());
        return n;
    };
    for (int i = 0; i < 100; ++i) {
        const Natural a = big();
        const Natural b = big();
        const Natural c = big();
        EXPECT_EQ((a + b) * c, a * c + c * b);
        EXPECT_EQ((a + b) * (a + b), a * a + Natural(2) * a * b + b * b);
        EXPECT_LT(a, a + Natural(1));
        EXPECT_LT(a, a * Natural(2));
    }
}

struct Share {
    Work work;
    Nanoseconds time;
};

/// The reference: nothing but ratios.
bool fits_exactly(const std::vector<Share>& shares, Work capacity) {
    Ratio sum;
    for (const auto& [work, time] : shares)
        sum = sum + Ratio{Natural(Wide{work} * kSecond), Natural(static_cast<Wide>(time))};
    return sum <= Ratio{Natural(capacity)};
}

Shares sum_of(const std::vector<Share>& shares) {
    Shares sum;
    for (const auto& [work, time] : shares) sum.add(work, time);
    return sum;
}

TEST(Shares, AThirdThreeTimesIsTheWhole) {
    // 1 unit in 3 s, thrice, fills 1 unit/s; the same to one ns less does not fit.
    const Shares two = sum_of({{1, 3 * kSecond}, {1, 3 * kSecond}});
    EXPECT_TRUE(two.fits(1, 1, 3 * kSecond));
    EXPECT_FALSE(two.fits(1, 1, 3 * kSecond - 1));
    EXPECT_EQ(two.least_time(1, 1, kLongestTime), 3 * kSecond);
    const Shares three = sum_of({{1, 3 * kSecond}, {1, 3 * kSecond}, {1, 3 * kSecond}});
    EXPECT_FALSE(three.fits(1, 1, kLongestTime));
    EXPECT_GT(three.least_time(1, 1, kLongestTime), kLongestTime);
}

TEST(Shares, BoundariesAreAsInExactArithmetic) {
    // Unlike denominators whose shares together are a whole number: x/t + (t - x)/t = 1.
    std::mt19937_64 random(3);
    for (int i = 0; i < 2000; ++i) {
        std::vector<Share> shares;
        const Work capacity = 1 + random() % 4;
        for (Work full = 0; full < capacity; ++full) {
            const auto seconds = static_cast<Work>(2 + random() % 4000);
            const Work part = 1 + random() % (seconds - 1);
            shares.push_back({part, Nanoseconds(seconds) * kSecond});
            shares.push_back({seconds - part, Nanoseconds(seconds) * kSecond});
        }
        const Share last = shares.back();
        shares.pop_back();
        const Shares sum = sum_of(shares);
        EXPECT_TRUE(sum.fits(capacity, last.work, last.time));
        EXPECT_FALSE(sum.fits(capacity, last.work, last.time - 1));
        EXPECT_EQ(sum.least_time(capacity, last.work, kLongestTime), last.time);
    }
}

TEST(Shares, AgreeWithRatios) {
    std::mt19937_64 random(4);
    int full = 0;
    for (int i = 0; i < 3000; ++i) {
        const Work capacity = 1 + random() % 100;
        std::vector<Share> shares;
        for (size_t n = random() % 12; n > 0; --n)
            shares.push_back({1 + random() % 50, Nanoseconds(1 + random() % 12) * kSecond / 4});
        const Work work = 1 + random() % 50;
        const Nanoseconds least = sum_of(shares).least_time(capacity, work, kLongestTime);
        full += least > kLongestTime ? 1 : 0;
        shares.push_back({work, std::min(least, kLongestTime)});
        EXPECT_EQ(fits_exactly(shares, capacity), least <= kLongestTime);
        if (--shares.back().time > 0 && least <= kLongestTime) {
            EXPECT_FALSE(fits_exactly(shares, capacity));
        }
    }
    EXPECT_GT(full, 300);
    EXPECT_LT(full, 2700);
}

TEST(Shares, ReleaseRestoresToTheBit) {
    std::mt19937_64 random(5);
    std::vector<Share> in;
    Shares sum;
    const auto one = [&] {
        return Share{1 + random() % kMostWork, 1 + Nanoseconds(random() % kLongestTime)};
    };
    for (int i = 0; i < 50; ++i) in.push_back(one());
    for (const auto& [work, time] : in) sum.add(work, time);
    const Wide before = sum.sum();
    std::vector<Share> more;
    for (int i = 0; i < 500; ++i) more.push_back(one());
    for (const auto& [work, time] : more) sum.add(work, time);
    std::shuffle(more.begin(), more.end(), random);
    for (const auto& [work, time] : more) sum.remove(work, time);
    EXPECT_EQ(sum.sum(), before);
    for (const auto& [work, time] : in) sum.remove(work, time);
    EXPECT_EQ(sum.sum(), Wide{0});
    EXPECT_EQ(sum.size(), 0u);
}

TEST(Shares, ManyUnlikeTimesAtTheBoundaryAreDecided) {
    // 1,000 shares of 1/t and 1,000 of (t - 1)/t for primes and others alike: 1,000 units/s.
    Shares sum;
    for (Nanoseconds t = 1000; t < 2000; ++t) {
        sum.add(1, t * kSecond);
        if (t < 1999) sum.add(static_cast<Work>(t) - 1, t * kSecond);
    }
    EXPECT_TRUE(sum.fits(1000, 1998, 1999 * kSecond));
    EXPECT_FALSE(sum.fits(1000, 1998, 1999 * kSecond - 1));
}

TEST(TimeFor, RoundsUp) {
    EXPECT_EQ(time_for(10, Wide{1000} << 64, kSecond), 10'000'000);
    EXPECT_EQ(time_for(1, Wide{3} << 64, kSecond), 333'333'334);
    EXPECT_EQ(time_for(1, 1, kSecond), kSecond + 1);  // 2^64 s
    EXPECT_EQ(time_for(1, 0, kSecond), kSecond + 1);
    EXPECT_EQ(time_for(kMostWork, Wide{kMostWork} << 64, kSecond), kSecond);
}

}  // namespace
}  // namespace ravelin::admission
