// SPDX-License-Identifier: Apache-2.0
// What `ravelin calibrate` found: kept whole or not at all, and read again.
#include "controlplane/reservations/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/fake_disk.h"

namespace ravelin::control {
namespace {

using commit::FakeDisk;
using ::testing::HasSubstr;
using Json = nlohmann::json;

Json measured(uint64_t bits = 10'000'000'000) {
    return {{"unix_ms", 1},
            {"machine", "box"},
            {"workers", {{{"worker", 0}, {"cpu", 1}, {"cycles_per_second", 2'600'000'000}}}},
            {"ports", {{{"port", "wan"}, {"bits_per_second", bits}, {"from", "driver"}}}}};
}

TEST(Calibration, IsReadAgainAfterAPowerLoss) {
    FakeDisk disk;
    disk.mkdir("/state", 0755);
    {
        Calibration calibration;
        ASSERT_TRUE(calibration.open("/state", disk));
        EXPECT_TRUE(calibration.told().is_null());
        ASSERT_TRUE(calibration.keep(measured()));
    }
    disk.reboot(FakeDisk::Loss::everything);
    Calibration again;
    ASSERT_TRUE(again.open("/state", disk));
    EXPECT_EQ(again.told(), measured());
}

TEST(Calibration, WhatIsNotWholeChangesNothing) {
    FakeDisk disk;
    disk.mkdir("/state", 0755);
    Calibration calibration;
    ASSERT_TRUE(calibration.open("/state", disk));
    ASSERT_TRUE(calibration.keep(measured()));
    const auto without = [](const char* member) {
        Json out = measured();
        out.erase(member);
        return out;
    };
    Json text = measured(), none = measured(), nameless = measured(), slow = measured();
    text["ports"][0]["bits_per_second"] = "10Gbit";
    none["ports"][0]["bits_per_second"] = 0;
    nameless["ports"][0].erase("port");
    slow["workers"][0]["cycles_per_second"] = 0;
    for (const Json& wrong : {Json(), Json(3), without("unix_ms"), without("workers"),
                              without("ports"), text, none, nameless, slow})
        EXPECT_FALSE(calibration.keep(wrong)) << wrong;
    EXPECT_THAT(calibration.keep(none).error().message,
                HasSubstr("bits_per_second: expected a whole number"));
    EXPECT_EQ(calibration.told(), measured());
    disk.fail_errno = ENOSPC;
    disk.fail_count = 100;
    disk.fail_at = disk.calls;
    EXPECT_FALSE(calibration.keep(measured(1'000'000)));
    EXPECT_EQ(calibration.told(), measured());
}

TEST(Calibration, ADamagedFileIsTold) {
    FakeDisk disk;
    ASSERT_TRUE(commit::replace_file(disk, "/state/calibration", "{\"unix_ms\": 1"));
    Calibration calibration;
    EXPECT_THAT(calibration.open("/state", disk).error().message,
                HasSubstr("/state/calibration: is not JSON"));
    ASSERT_TRUE(commit::replace_file(disk, "/state/calibration", "{\"unix_ms\": 1}"));
    EXPECT_THAT(calibration.open("/state", disk).error().message,
                HasSubstr("workers: expected a list"));
    EXPECT_TRUE(calibration.told().is_null());
}

}  // namespace
}  // namespace ravelin::control
