// SPDX-License-Identifier: Apache-2.0
// The stage cases, and the tests beside them, on the box this program is linked with.
#include <gtest/gtest.h>

#include "tests/stages/stage_case.h"

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    ravelin::test::register_cases(ravelin::test::backend());
    return RUN_ALL_TESTS();
}
