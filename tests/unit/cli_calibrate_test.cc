// SPDX-License-Identifier: Apache-2.0
// calibrate: what is measured and kept, against a fake control plane.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "controlplane/cli/failure.h"
#include "tests/support/cli_run.h"

namespace ravelin::cli {
namespace {

using Json = nlohmann::json;
using ::testing::HasSubstr;

class CliCalibrate : public Cli {
  protected:
    void SetUp() override {
        Cli::SetUp();
        api_.answer("status",
                    {{"dataplane", nullptr},
                     {"ports",
                      {{{"name", "wan"}, {"device", "0000:17:00.0"}, {"link_mbps", 25'000}},
                       {{"name", "lab"}, {"device", "null"}, {"link_mbps", 10'000}},
                       {{"name", "lan"}, {"device", "af_packet:no-such0"}},
                       {{"name", "dmz"}, {"device", "0000:17:00.1"}, {"link_mbps", 0}}}}});
        api_.on("calibrated", [this](const Json& params) {
            kept_ = params["calibration"];
            return std::vector<Json>{{{"result", Json::object()}}};
        });
    }
    static int first_cpu() {
        cpu_set_t set;
        sched_getaffinity(0, sizeof set, &set);
        int cpu = 0;
        while (!CPU_ISSET(static_cast<size_t>(cpu), &set)) ++cpu;
        return cpu;
    }
    Json kept_;
};

TEST_F(CliCalibrate, MeasuresAndHasItKept) {
    const std::string cpu = std::to_string(first_cpu());
    const Outcome done = run("calibrate --seconds 0.1 --cpus " + cpu + " --json");
    ASSERT_EQ(done.code, kOk) << done.err;
    const Json told = Json::parse(done.out);
    EXPECT_EQ(told["kept"], true);
    ASSERT_EQ(kept_["workers"].size(), 1u);
    EXPECT_EQ(kept_["workers"][0]["cpu"], first_cpu());
    EXPECT_GT(kept_["workers"][0]["cycles_per_second"], 100'000'000u);
    // Only hardware knows what it carries: not a device without a wire, nor one that is gone.
    EXPECT_EQ(kept_["ports"],
              Json({{{"port", "wan"}, {"bits_per_second", 25'000'000'000}, {"from", "driver"}}}));
    EXPECT_GT(kept_["unix_ms"], 0u);
}

TEST_F(CliCalibrate, ADryRunKeepsNothing) {
    const Outcome done = run("calibrate --seconds 0.1 --dry-run");
    ASSERT_EQ(done.code, kOk) << done.err;
    EXPECT_THAT(done.out, HasSubstr("SHARE"));
    EXPECT_THAT(done.out, HasSubstr("25.0 Gbit/s"));
    EXPECT_TRUE(kept_.is_null());
}

TEST_F(CliCalibrate, ShowsWhatWasKept) {
    api_.answer("calibration", {{"calibration", nullptr}});
    EXPECT_THAT(run("calibrate --show").err, HasSubstr("was not calibrated yet"));
    api_.answer("calibration", {{"calibration",
                                 {{"unix_ms", 1'700'000'000'000},
                                  {"machine", "box 6.1 x86_64"},
                                  {"workers", {{{"worker", 0}, {"cpu", 3}, {"share", 0.995}}}},
                                  {"ports", Json::array()}}}});
    const Outcome shown = run("calibrate --show");
    EXPECT_EQ(shown.code, kOk);
    EXPECT_THAT(shown.out, HasSubstr("99.50 %"));
    EXPECT_THAT(shown.out, HasSubstr("on box 6.1 x86_64"));
}

TEST_F(CliCalibrate, ACpuThatIsNotThereIsSaidSo) {
    const Outcome done = run("calibrate --seconds 0.1 --cpus 1000");
    EXPECT_EQ(done.code, kFailed);
    EXPECT_THAT(done.err, HasSubstr("CPU 1000"));
    EXPECT_TRUE(kept_.is_null());
}

}  // namespace
}  // namespace ravelin::cli
