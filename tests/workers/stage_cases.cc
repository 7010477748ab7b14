// SPDX-License-Identifier: Apache-2.0
// The stage cases of tests/stages once more, each on a data plane of four real workers.
#include <gtest/gtest.h>

#include "tests/stages/stage_case.h"
#include "tests/support/worker_box.h"

namespace ravelin::test {
namespace {

const Backend kWorkers4{"workers4", false, [](const std::string& yaml) -> std::unique_ptr<TestBox> {
                            return std::make_unique<WorkerBox>(yaml);
                        }};

}  // namespace
}  // namespace ravelin::test

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    ravelin::test::register_cases(ravelin::test::kWorkers4);
    return RUN_ALL_TESTS();
}
