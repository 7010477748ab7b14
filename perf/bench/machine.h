// SPDX-License-Identifier: Apache-2.0
// What a figure was measured on. Two virtual CPUs of one machine may lie near each other or far
// apart, and move while it runs: whatever crosses between them is two to four times as dear when
// far, so a measurement on both says which it was, before and after.
#pragma once
#include <nlohmann/json.hpp>

namespace ravelin::perf {

/// CPU, instruction sets that matter, TSC, memory, huge pages, kernel, load.
nlohmann::json describe_machine();

/// Of this program (RAVELIN_COMMIT), DPDK, the compiler and the vectors it compiled for.
nlohmann::json describe_versions();

/// A cache line handed to another CPU and back, for a fifth of a second: nanoseconds one way, and
/// "near" (up to 90) or "far". {"cpus": 1} where there is only one.
nlohmann::json probe_distance();

/// Memory of this process that stands in RAM.
double resident_mib();
/// The most of that since forget_peak(); 0: the kernel does not tell.
double peak_mib();
void forget_peak();

}  // namespace ravelin::perf
