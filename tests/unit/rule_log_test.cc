// SPDX-License-Identifier: Apache-2.0
#include "controlplane/log/rule_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <vector>

namespace ravelin::control {
namespace {

using Json = nlohmann::json;
using Clock = RuleLog::Clock;

class RuleLogTest : public ::testing::Test {
  protected:
    RuleLogTest() {
        std::string pattern = "/tmp/ravelin-log-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
    }
    ~RuleLogTest() override { std::filesystem::remove_all(directory_); }
    static std::vector<Json> lines(const std::string& path) {
        std::ifstream in(path);
        std::vector<Json> out;
        for (std::string line; std::getline(in, line);)
            out.push_back(Json::parse(line, nullptr, false));
        return out;
    }
    static model::RuleLog record(const std::string& rule, uint64_t lost = 0) {
        model::RuleLog r;
        r.set_rule(rule);
        r.set_generation(7);
        r.set_unix_ns(1'700'000'000'000'000'000);
        r.set_lost(lost);
        return r;
    }
    std::string directory_;
    RuleLog log_;
    const Clock::time_point start_ = Clock::now();
};

TEST_F(RuleLogTest, WritesOneJsonLineWithGeneration) {
    log_.configure({.path = directory_ + "/rules.log"});
    log_.take(record("web"), start_);
    const auto written = lines(directory_ + "/rules.log");
    ASSERT_EQ(written.size(), 1u);
    EXPECT_EQ(written[0]["rule"], "web");
    EXPECT_EQ(written[0]["generation"], 7);
    EXPECT_EQ(written[0]["time"], "2023-11-14T22:13:20.000000Z");
}

TEST_F(RuleLogTest, CountsWhatIsBeyondTheRateAndSaysSo) {
    log_.configure({.path = directory_ + "/rules.log", .lines_per_second = 2});
    for (int i = 0; i < 5; ++i) log_.take(record("web"), start_);
    EXPECT_EQ(log_.counts().beyond_rate, 3u);
    log_.take(record("late"), start_ + std::chrono::seconds(1));
    const auto written = lines(directory_ + "/rules.log");
    ASSERT_EQ(written.size(), 4u);
    EXPECT_EQ(written[2]["lost"], 3);
    EXPECT_EQ(written[3]["rule"], "late");
}

TEST_F(RuleLogTest, AddsUpLossesOfTheRings) {
    log_.configure({.path = directory_ + "/rules.log"});
    log_.take(record("a", 5), start_);
    log_.take(record("a", 8), start_);
    EXPECT_EQ(log_.counts().in_rings, 8u);
    log_.dataplane_restarted();
    log_.take(record("a", 1), start_);
    EXPECT_EQ(log_.counts().in_rings, 9u);
}

TEST_F(RuleLogTest, RotatesAndKeepsOneOldFile) {
    log_.configure({.path = directory_ + "/rules.log", .rotate_bytes = 500});
    for (int i = 0; i < 9; ++i) log_.take(record("web"), start_);
    EXPECT_LT(std::filesystem::file_size(directory_ + "/rules.log"), 500u);
    EXPECT_TRUE(std::filesystem::exists(directory_ + "/rules.log.1"));
    EXPECT_EQ(log_.counts().written, 9u);
}

TEST_F(RuleLogTest, CountsWhatAFullDiskDoesNotTake) {
    log_.configure({.path = "/dev/full"});
    log_.take(record("web"), start_);
    EXPECT_GE(log_.counts().failed, 1u);
    EXPECT_NE(log_.problem().find("No space"), std::string::npos);
}

}  // namespace
}  // namespace ravelin::control
