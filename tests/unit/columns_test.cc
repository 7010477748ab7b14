// SPDX-License-Identifier: Apache-2.0
// Columns at once and place by place say the same.
#include "dataplane/columns.h"

#include <gtest/gtest.h>

#include <random>

namespace ravelin::columns {
namespace {

std::mt19937_64 random_bits(11);

// Few values, so that many are equal, and the ends of what there is.
uint32_t any_value() {
    const uint32_t values[] = {0, 1, 7, 0x7fffffff, 0x80000000, 0xffffffff};
    return values[random_bits() % std::size(values)];
}

TEST(Columns, AtOnceAndPlaceByPlace) {
    for (unsigned round = 0; round < 1000; ++round) {
        Column<uint32_t> column;
        for (uint32_t& v : column) v = any_value();
        const uint32_t value = any_value();
        const uint64_t asked = random_bits() | random_bits();
        ASSERT_EQ(equal(column, value, asked), plain::equal(column, value, asked));
        ASSERT_EQ(alike(column, value, 0xffe0'0000, asked),
                  plain::alike(column, value, 0xffe0'0000, asked));
        ASSERT_EQ(at_most(column, value, asked), plain::at_most(column, value, asked));
        Column<uint16_t> a{}, b{};
        const uint64_t which = random_bits() & random_bits();
        fill(a, which, 0xabcd);
        plain::fill(b, which, uint16_t{0xabcd});
        Column<uint32_t> wide{}, plainly{};
        fill(wide, which, 0xabcd'1234);
        plain::fill(plainly, which, 0xabcd'1234);
        ASSERT_EQ(wide, plainly);
        copy(column, which, wide);
        plain::copy(column, which, plainly);
        ASSERT_EQ(wide, plainly);
        ASSERT_EQ(sum(column, which), plain::sum(column, which));
        Column<uint32_t> one{};
        ASSERT_FALSE(begins_mixed(one));
        one[round % kPlaces] = 1;
        ASSERT_EQ(begins_mixed(one), round % kPlaces < kBegin);
        ASSERT_EQ(begins_mixed(column), plain::begins_mixed(column));
        ASSERT_EQ(a, b);
        for (unsigned i = 0; i < kPlaces; ++i)
            ASSERT_EQ(a[i], (which >> i & 1) != 0 ? 0xabcd : 0) << i;
    }
}

TEST(Columns, NarrowOnesAtOnceAndPlaceByPlace) {
    for (unsigned round = 0; round < 1000; ++round) {
        Column<uint8_t> bytes;
        Column<uint16_t> halves;
        for (uint8_t& v : bytes) v = static_cast<uint8_t>(random_bits() % 100);
        for (uint16_t& v : halves) v = static_cast<uint16_t>(0x7ffe + random_bits() % 4);
        const uint64_t asked = random_bits() | random_bits(), set = random_bits();
        const uint8_t byte = bytes[random_bits() % kPlaces];
        const uint16_t half = halves[random_bits() % kPlaces];
        ASSERT_EQ(equal(bytes, byte, asked), plain::equal(bytes, byte, asked));
        ASSERT_EQ(equal(halves, half, asked), plain::equal(halves, half, asked));
        ASSERT_EQ(among(bytes, 0x17, set, asked), plain::among(bytes, 0x17, set, asked));
        ASSERT_EQ(among(bytes, 63, set, asked), plain::among(bytes, 63, set, asked));
    }
}

TEST(Columns, SqueezedAndSpread) {
    for (unsigned round = 0; round < 1000; ++round) {
        Column<uint32_t> column, dense{}, plainly{}, back{};
        for (uint32_t& v : column) v = static_cast<uint32_t>(random_bits());
        const uint64_t some = random_bits() & random_bits();
        const uint64_t which = round == 0 ? ~uint64_t{0} : round == 1 ? 0 : some;
        squeeze(column, which, dense);
        plain::squeeze(column, which, plainly);
        for (unsigned i = 0; i < static_cast<unsigned>(__builtin_popcountll(which)); ++i)
            ASSERT_EQ(dense[i], plainly[i]) << i;
        spread(dense, which, back);
        for_each_bit(which, [&](unsigned i) { ASSERT_EQ(back[i], column[i]) << i; });
        back = {};
        plain::spread(dense, which, back);
        for_each_bit(which, [&](unsigned i) { ASSERT_EQ(back[i], column[i]) << i; });
    }
}

TEST(Columns, EachValueOnce) {
    Column<uint32_t> column;
    for (unsigned i = 0; i < kPlaces; ++i) column[i] = i % 3;
    uint64_t seen = 0;
    std::vector<unsigned> firsts;
    const uint64_t which = 0x8000'0000'0000'0ff1;
    for_each_value(column, which, [&](unsigned first, uint64_t same) {
        EXPECT_EQ(seen & same, 0u);
        for_each_bit(same, [&](unsigned i) { EXPECT_EQ(column[i], column[first]); });
        firsts.push_back(first);
        seen |= same;
        return same;
    });
    EXPECT_EQ(seen, which);
    EXPECT_EQ(firsts, (std::vector<unsigned>{0, 4, 5}));
}

// Who wants each place by itself says so.
TEST(Columns, PlacesThatAreNotDoneComeAgain) {
    const Column<uint32_t> column{};
    unsigned calls = 0;
    for_each_value(column, 0xff, [&](unsigned first, uint64_t) {
        ++calls;
        return uint64_t{1} << first;
    });
    EXPECT_EQ(calls, 8u);
}

}  // namespace
}  // namespace ravelin::columns
