// SPDX-License-Identifier: Apache-2.0
// Comparing a frame that left with the packet text a test expected: only what the text says counts.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/frames.h"

namespace ravelin::test {

/// What is wrong with `frame` as an answer to `expected`, one line; empty where it matches. Tags,
/// fragments and wrong checksums must be expected to be right.
std::string mismatch(std::string_view expected, const Bytes& frame);

}  // namespace ravelin::test
