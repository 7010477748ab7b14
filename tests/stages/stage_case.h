// SPDX-License-Identifier: Apache-2.0
// The YAML files of tests/stages as test cases. Their format stands in README.md.
#pragma once
#include <memory>
#include <string>

#include "tests/support/test_box.h"

namespace ravelin::test {

/// What runs the cases.
struct Backend {
    std::string name;  ///< of the tests, and of the key that skips them
    bool ordered;      ///< frames leave a port in the order in which they came in
    /// A box of a configuration; throws the error of one that is refused.
    std::unique_ptr<TestBox> (*make)(const std::string& yaml);
};

/// Registers every tests/stages/<stage>/<case>.yaml as the test BACKEND/<stage>.<case>. `backend`
/// must outlive the tests.
void register_cases(const Backend& backend);

}  // namespace ravelin::test
