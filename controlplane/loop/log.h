// SPDX-License-Identifier: Apache-2.0
// The daemon's own log: single lines on stderr, each with the generation in force.
#pragma once
#include <cstdint>
#include <string_view>

namespace ravelin::control {

/// What is in force; every line carries it. 0: none yet.
void set_log_generation(uint64_t generation);

void log_info(std::string_view text);
void log_warning(std::string_view text);
void log_error(std::string_view text);

}  // namespace ravelin::control
