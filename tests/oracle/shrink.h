// SPDX-License-Identifier: Apache-2.0
// The smallest case that still shows a difference.
#pragma once
#include <string>

#include "tests/oracle/runner.h"

namespace ravelin::oracle {

/// Leaves out packets and rules as long as some packet's signature stays `signature`; runs the case
/// at most 80 times.
Case shrink(const Case& c, const Observation& o, const std::string& signature, KernelSide& kernel);

/// Rule YAML, nft text and packets, with both verdicts behind each.
std::string reproduction(const Case& c, const std::string& signature, KernelSide& kernel);

}  // namespace ravelin::oracle
