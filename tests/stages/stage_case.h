// SPDX-License-Identifier: Apache-2.0
// The YAML files of tests/stages as test cases. Their format stands in README.md.
#pragma once
#include "tests/support/test_box.h"

namespace ravelin::test {

/// Registers every tests/stages/<stage>/<case>.yaml as the test BACKEND/<stage>.<case>. `backend`
/// must outlive the tests.
void register_cases(const Backend& backend);

}  // namespace ravelin::test
