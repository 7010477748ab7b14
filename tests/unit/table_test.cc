// SPDX-License-Identifier: Apache-2.0
#include "controlplane/cli/table.h"

#include <gtest/gtest.h>

#include "controlplane/cli/base64.h"
#include "controlplane/cli/units.h"

namespace ravelin::cli {
namespace {

TEST(Table, AlignsColumnsByCharacters) {
    Table table({{"NAME"}, {"N", Align::kRight}, {"TEXT"}});
    table.add({"ä", "7", "x"});
    table.add({"longer", "1,234", ""});
    EXPECT_EQ(table.text(), "NAME        N  TEXT\nä           7  x\nlonger  1,234\n");
}

TEST(Table, ShowsControlCharactersInsteadOfObeyingThem) {
    Table table({{"A"}});
    table.add({"x\x1b[2Jy"});
    EXPECT_EQ(table.text(), "A\nx\\x1b[2Jy\n");
}

TEST(Table, ColoursOnlyTheTitlesWhenAsked) {
    Table table({{"A"}});
    table.add({"b"});
    EXPECT_EQ(table.text(true), "\x1b[1mA\x1b[0m\nb\n");
}

TEST(Clipped, KeepsWholeCharacters) {
    EXPECT_EQ(clipped("äöü", 2), "ä…");
    EXPECT_EQ(clipped("abc", 3), "abc");
}

TEST(Units, ScaleWithThreeDigits) {
    EXPECT_EQ(scaled(0, "pps"), "0 pps");
    EXPECT_EQ(scaled(999), "999");
    EXPECT_EQ(scaled(12345, "bit/s"), "12.3 kbit/s");
    EXPECT_EQ(scaled(999'700, "pps"), "1.00 Mpps");
    EXPECT_EQ(bytes(1023), "1023 B");
    EXPECT_EQ(bytes(1536), "1.50 KiB");
    EXPECT_EQ(grouped(1234567), "1,234,567");
    EXPECT_EQ(duration(61'000), "61 s");
    EXPECT_EQ(duration(200'000), "3m 20s");
}

TEST(Units, ReadDurationsWithTheirUnit) {
    EXPECT_EQ(parse_duration("60s"), 60'000u);
    EXPECT_EQ(parse_duration("500ms"), 500u);
    EXPECT_EQ(parse_duration("5m"), 300'000u);
    EXPECT_EQ(parse_duration("60"), std::nullopt);
    EXPECT_EQ(parse_duration("-1s"), std::nullopt);
    EXPECT_EQ(parse_duration("1 s"), std::nullopt);
}

TEST(Units, DrawBars) {
    EXPECT_EQ(bar(0.5, 4, true), "##..");
    EXPECT_EQ(bar(2, 2, false), "██");
    EXPECT_EQ(characters(bar(0.3, 10, false)), 10u);
}

TEST(Base64, DecodesAndRefuses) {
    const std::vector<uint8_t> expected{0xff, 0x00, 0x41};
    EXPECT_EQ(from_base64("/wBB"), expected);
    EXPECT_EQ(from_base64("/w==")->size(), 1u);
    EXPECT_EQ(from_base64("a b"), std::nullopt);
}

}  // namespace
}  // namespace ravelin::cli
