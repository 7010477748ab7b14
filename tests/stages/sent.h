// SPDX-License-Identifier: Apache-2.0
// Compares what a box sent with what a case expects of it.
#pragma once
#include <yaml-cpp/yaml.h>

#include <vector>

#include "tests/support/test_box.h"

namespace ravelin::test {

/// `expected` are lines `PORT: packet`; whatever does not fit fails the test. Between ports order
/// has no meaning; on a port it has where `ordered`.
void check_sent(const YAML::Node& expected, const std::vector<Sent>& sent, bool ordered);

}  // namespace ravelin::test
