// SPDX-License-Identifier: Apache-2.0
// The first policy boots the appliance. One that is refused after that must leave nothing behind:
// devices, pools and threads of the same names are wanted again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "dataplane/stage.h"
#include "tests/support/ring_box.h"

namespace ravelin::test {
namespace {

std::string configuration(const std::string& pipeline) {
    return "mode: wire\nworkers: {count: 2, buffers: 1024, flows: 1024, hugepages: \"off\"}\n"
           "ports: [{name: lan, device: 'null'}, {name: wan, device: 'null'}]\n"
           "pipeline: " +
           pipeline + "\n";
}

TEST(Boot, ARefusedFirstPolicyLeavesNothingBehind) {
    RingBox box({}, 2);
    for (int i = 0; i < 3; ++i) {
        const Status refused = box.try_apply(configuration("[steer, parse, wire]"));
        ASSERT_FALSE(refused.ok());
        EXPECT_THAT(refused.error().message, ::testing::HasSubstr("it needs parse before it"));
        EXPECT_EQ(box.store().appliance(), nullptr);
    }
    box.apply(configuration("[parse, steer, wire]"));
    EXPECT_TRUE(box.turn());
}

}  // namespace
}  // namespace ravelin::test
