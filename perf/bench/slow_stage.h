// SPDX-License-Identifier: Apache-2.0
// A stage that exists in this program alone and does nothing, for as long as it is told: to show
// that what is meant to find a slower path does find one.
#pragma once
#include <string>

namespace ravelin::perf {

/// The policy with a stage before `steer` that takes so many rounds of two instructions a packet;
/// 0: as it is. It lets packets be passed by, so it costs those of the shortcut nothing.
std::string slowed(std::string yaml, unsigned rounds);

}  // namespace ravelin::perf
