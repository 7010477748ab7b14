// SPDX-License-Identifier: Apache-2.0
// SIGKILL between every two steps of a change: whatever the operator was told holds after a
// restart, and journal and data plane come to agree.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <optional>

#include "tests/support/control_client.h"
#include "tests/support/edge_yaml.h"
#include "tests/support/fake_dataplane.h"

namespace ravelin::control {
namespace {

using test::ControlClient;
using test::edge_yaml;
using test::Json;

struct CrashCase {
    const char* step;
    const char* method;  // what crashes
    uint64_t in_force;   // afterwards
    const char* state;   // of generation 2
};

std::ostream& operator<<(std::ostream& out, const CrashCase& c) {
    return out << c.method << " at " << c.step;
}

class ChangeCrash : public ::testing::TestWithParam<CrashCase> {
  protected:
    ChangeCrash() {
        std::string pattern = "/tmp/ravelin-crash-XXXXXX";
        directory_ = ::mkdtemp(pattern.data());
        dataplane_.emplace(directory_ + "/dataplane.sock");
        process_.emplace(directory_);
    }
    ~ChangeCrash() override {
        process_.reset();
        dataplane_.reset();
        std::filesystem::remove_all(directory_);
    }
    Json ready(ControlClient& client) {
        Json status;
        for (int i = 0; i < 500; ++i) {
            status = client.call("status")["result"];
            if (status["ready"] == true) break;
            ::usleep(5'000);
        }
        return status;
    }
    Json run(const std::string& method, uint32_t confirm_ms, const std::string& text) {
        ControlClient client(process_->socket());
        ready(client);
        return client.call(method, {{"text", text}, {"confirm_ms", confirm_ms}});
    }
    std::string directory_;
    std::optional<test::FakeDataplane> dataplane_;
    std::optional<test::ControlplaneProcess> process_;
};

TEST_P(ChangeCrash, LeavesOneGenerationInForceEverywhere) {
    const CrashCase c = GetParam();
    const std::string method = c.method;
    process_->start();
    ASSERT_TRUE(run("apply", 0, edge_yaml()).contains("result"));
    if (method != "apply" && method != "apply-confirm") {
        ASSERT_TRUE(run("apply", 60000, edge_yaml("")).contains("result"));
    }
    process_->kill();
    process_->start(c.step);
    const Json told = method == "apply"           ? run("apply", 0, edge_yaml(""))
                      : method == "apply-confirm" ? run("apply", 60000, edge_yaml(""))
                                                  : run(method, 0, "");
    ASSERT_EQ(process_->wait(), SIGKILL) << told;
    process_->start();
    ControlClient client(process_->socket());
    const Json status = ready(client);
    EXPECT_EQ(status["generation"], c.in_force) << status;
    EXPECT_EQ(dataplane_->status().generation(), c.in_force);
    const Json history = client.call("history")["result"]["generations"];
    const std::string state =
        history[0]["generation"] == 2 ? history[0]["state"].get<std::string>() : "none";
    EXPECT_EQ(state, c.state);
    if (told.is_object() && told.contains("result")) {
        EXPECT_EQ(told["result"]["generation"], c.in_force);
    }
    if (status["pending"] != 0) {
        EXPECT_TRUE(client.call("confirm").contains("result"));
    }
    EXPECT_TRUE(client.call("apply", {{"text", edge_yaml()}}).contains("result"));
}

INSTANTIATE_TEST_SUITE_P(
    EveryStep, ChangeCrash,
    ::testing::Values(CrashCase{"history", "apply", 1, "none"},
                      CrashCase{"intent", "apply", 1, "aborted"},
                      CrashCase{"applied", "apply", 2, "committed"},
                      CrashCase{"committed", "apply", 2, "committed"},
                      CrashCase{"acknowledged", "apply", 2, "committed"},
                      CrashCase{"intent", "apply-confirm", 1, "aborted"},
                      CrashCase{"applied", "apply-confirm", 2, "provisional"},
                      CrashCase{"provisional", "apply-confirm", 2, "provisional"},
                      CrashCase{"acknowledged", "apply-confirm", 2, "provisional"},
                      CrashCase{"confirming", "confirm", 2, "provisional"},
                      CrashCase{"confirmed", "confirm", 2, "committed"},
                      CrashCase{"committed", "confirm", 2, "committed"},
                      CrashCase{"acknowledged", "confirm", 2, "committed"},
                      CrashCase{"rolling-back", "rollback", 2, "provisional"},
                      CrashCase{"rolled-back", "rollback", 1, "rolled back"},
                      CrashCase{"recorded", "rollback", 1, "rolled back"},
                      CrashCase{"acknowledged", "rollback", 1, "rolled back"}));

}  // namespace
}  // namespace ravelin::control
