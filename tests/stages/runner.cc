// SPDX-License-Identifier: Apache-2.0
// The stage cases on one worker without a thread.
#include <gtest/gtest.h>

#include "tests/stages/stage_case.h"
#include "tests/support/stage_fixture.h"

namespace ravelin::test {
namespace {

const Backend kFixture{"fixture", true, [](const std::string& yaml) -> std::unique_ptr<TestBox> {
                           return std::make_unique<StageFixture>(yaml);
                       }};

}  // namespace
}  // namespace ravelin::test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    ravelin::test::register_cases(ravelin::test::kFixture);
    return RUN_ALL_TESTS();
}
