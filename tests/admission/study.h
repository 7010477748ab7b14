// SPDX-License-Identifier: Apache-2.0
// The figures of admission control that need no data plane, as JSON.
#pragma once
#include <cstdint>
#include <nlohmann/json.hpp>
#include <vector>

namespace ravelin::study {

/// Figure 1 of the founding paper (requirements S67 to S73): flows admitted, and executed.
nlohmann::json figure();

/// The mix of issue 5 on two resources of `capacity` units/s (a divisor of 10^9), requests until
/// the first refusal, once a seed. Tells its progress on stderr.
nlohmann::json mix(uint64_t capacity, unsigned seeds);

/// How long one decision takes with `count` reservations on two resources nearly full.
nlohmann::json latency(size_t count, unsigned decisions);

/// Of a sample; empty: null.
nlohmann::json quantiles(std::vector<double> sample);

/// "study: WHAT 40 %" on stderr, each time another twentieth is done.
void progress(const char* what, uint64_t done, uint64_t all);

}  // namespace ravelin::study
