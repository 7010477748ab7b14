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
        ASSERT_EQ(at_most(column, value, asked), plain::at_most(column, value, asked));
        Column<uint16_t> a{}, b{};
        const uint64_t which = random_bits() & random_bits();
        fill(a, which, 0xabcd);
        plain::fill(b, which, 0xabcd);
        ASSERT_EQ(a, b);
        for (unsigned i = 0; i < kPlaces; ++i)
            ASSERT_EQ(a[i], (which >> i & 1) != 0 ? 0xabcd : 0) << i;
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
